package config

import (
	"errors"
	"strings"
)

// Words gives a setting that holds a command, word by word. No shell ever sees
// it: quotes and backslashes group, and nothing else has a meaning.
func (c *Config) Words(key string) []string {
	words, _ := split(c.Text(key)) // checked by validate
	return words
}

// split takes a command apart at its blanks. '…' keeps everything, "…" and \
// keep blanks and quotes.
func split(s string) ([]string, error) {
	var words []string
	var word strings.Builder
	var quote rune
	begun, escaped := false, false
	for _, r := range s {
		switch {
		case escaped:
			word.WriteRune(r)
			escaped = false
		case r == '\\' && quote != '\'':
			begun, escaped = true, true
		case quote != 0 && r == quote:
			quote = 0
		case quote == 0 && (r == '\'' || r == '"'):
			begun, quote = true, r
		case quote == 0 && (r == ' ' || r == '\t' || r == '\n'):
			if begun {
				words = append(words, word.String())
			}
			word.Reset()
			begun = false
		default:
			begun = true
			word.WriteRune(r)
		}
	}
	if quote != 0 || escaped {
		return nil, errors.New("a quote is not closed")
	}
	if begun {
		words = append(words, word.String())
	}
	return words, nil
}

// join writes words so that split gives them back.
func join(words []string) string {
	out := make([]string, len(words))
	for i, w := range words {
		if out[i] = w; w == "" || strings.ContainsAny(w, " \t\n'\"\\") {
			out[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
	}
	return strings.Join(out, " ")
}

// aCommand checks that there is a program to run.
func aCommand(s string) error {
	words, err := split(s)
	if err == nil && (len(words) == 0 || words[0] == "") {
		err = errors.New("there is no program in it")
	}
	return err
}
