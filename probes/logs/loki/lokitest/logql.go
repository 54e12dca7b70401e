package lokitest

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"text/scanner"
)

// parse reads {label="value", other=~"a|b"} and the line filters after it, and
// gives what decides about an entry.
func parse(query string) (func(entry) bool, error) {
	var words []string
	var s scanner.Scanner
	s.Init(strings.NewReader(query))
	s.Error = func(*scanner.Scanner, string) {}
	for t := s.Scan(); t != scanner.EOF; t = s.Scan() {
		words = append(words, s.TokenText())
	}
	p := &parser{words: words}
	tests := p.selector()
	for len(p.words) > 0 && p.err == nil {
		tests = append(tests, p.filter())
	}
	if p.err != nil {
		return nil, fmt.Errorf("parse error at line 1, col 1: %w", p.err)
	}
	return func(e entry) bool {
		for _, keeps := range tests {
			if !keeps(e) {
				return false
			}
		}
		return true
	}, nil
}

type parser struct {
	words []string
	err   error
}

// next takes the next word; it must be one of want, where something is wanted.
func (p *parser) next(want ...string) string {
	word := ""
	if len(p.words) > 0 {
		word, p.words = p.words[0], p.words[1:]
	}
	for _, w := range want {
		if w == word {
			return word
		}
	}
	if len(want) > 0 && p.err == nil {
		p.err = fmt.Errorf("syntax error: unexpected %s, expecting %s", word, strings.Join(want, " or "))
	}
	return word
}

func (p *parser) text() string {
	s, err := strconv.Unquote(p.next())
	if err != nil && p.err == nil {
		p.err = fmt.Errorf("invalid string: %w", err)
	}
	return s
}

func (p *parser) regexp() *regexp.Regexp {
	re, err := regexp.Compile(p.text())
	if err != nil {
		if p.err == nil {
			p.err = err
		}
		return regexp.MustCompile("")
	}
	return re
}

func (p *parser) selector() (tests []func(entry) bool) {
	p.next("{")
	for p.err == nil {
		label := p.next()
		p.next("=")
		if len(p.words) > 0 && p.words[0] == "~" {
			p.next()
			re := p.regexp()
			tests = append(tests, func(e entry) bool { return re.FindString(e.labels[label]) == e.labels[label] })
		} else {
			value := p.text()
			tests = append(tests, func(e entry) bool { return e.labels[label] == value })
		}
		if p.next(",", "}") == "}" {
			break
		}
	}
	return tests
}

func (p *parser) filter() func(entry) bool {
	is := p.next("|", "!") == "|"
	if p.next("=", "~") == "=" {
		text := p.text()
		return func(e entry) bool { return strings.Contains(e.line, text) == is }
	}
	re := p.regexp()
	return func(e entry) bool { return re.MatchString(e.line) == is }
}
