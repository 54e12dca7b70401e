package logs

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Language says in a few words what ParseQuery reads, for a line being typed.
const Language = `words "a text" !not /regexp/ level:error logger:grading since:10m until:14:02 status_code=504 copy:… req:…`

// ParseQuery reads what a person types: words and "quoted texts" that must all
// occur, !word for what may not, /regexp/, level:error, logger:grading.services,
// since: and until: with a span (10m), a time of day (14:02) or a date and time
// (2026-02-01T14:02), in the zone given, copy:uuid, req:id, pattern:name, and
// key=value for any key of a JSON record. A regular expression minds the case
// unless it begins with (?i). An error is one sentence that says what is wrong.
func ParseQuery(text string, now time.Time, zone *time.Location) (Query, error) {
	var q Query
	for rest := strings.TrimSpace(text); rest != ""; {
		t, after, err := nextTerm(rest)
		if err != nil {
			return Query{}, err
		}
		if err := q.add(t, now, zone); err != nil {
			return Query{}, err
		}
		rest = strings.TrimLeft(after, " \t")
	}
	return q, q.check()
}

// term is one piece of a query.
type term struct {
	not, regexp bool
	key         string // "level" of level:error; "" for a text
	equals      bool   // by =, not by :
	text        string
}

// nextTerm reads the piece that a text begins with.
func nextTerm(s string) (t term, rest string, err error) {
	if t.not = len(s) > 1 && s[0] == '!'; t.not {
		s = s[1:]
	}
	if s[0] == '/' {
		if body, after, ok := delimited(s, '/'); ok && (after == "" || after[0] == ' ') {
			t.regexp, t.text = true, body
			return t, after, nil
		}
	} else if i := strings.IndexAny(s, ":= \t\""); i > 0 && (s[i] == ':' || s[i] == '=') && isName(s[:i]) {
		t.key, t.equals, s = strings.ToLower(s[:i]), s[i] == '=', s[i+1:]
	}
	if strings.HasPrefix(s, `"`) {
		body, after, ok := delimited(s, '"')
		if !ok {
			return t, "", fmt.Errorf("the text %s has no closing quote", s)
		}
		t.text = body
		return t, after, nil
	}
	t.text, rest = cutWord(s)
	return t, rest, nil
}

// delimited reads a text between two equal signs; the sign itself stands in it
// after a backslash. A slash inside a path is no end: the end comes before a
// blank or at the end.
func delimited(s string, sign byte) (body, rest string, ok bool) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s) && s[i+1] == sign:
			i++
			b.WriteByte(sign)
		case s[i] == sign && (i+1 == len(s) || s[i+1] == ' ' || sign == '"'):
			return b.String(), s[i+1:], b.Len() > 0
		default:
			b.WriteByte(s[i])
		}
	}
	return "", "", false
}

func cutWord(s string) (word, rest string) {
	if i := strings.IndexAny(s, " \t"); i >= 0 {
		return s[:i], s[i:]
	}
	return s, ""
}

func isName(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' && r != '-' && r != '.'
	}) && (s[0] < '0' || s[0] > '9')
}

// add puts a piece into the query.
func (q *Query) add(t term, now time.Time, zone *time.Location) error {
	if t.key == "pattern" && !t.not && t.text != "" {
		return q.addPattern(t.text, now, zone)
	}
	set, special := keys[t.key]
	switch {
	case t.not && (t.regexp || special && t.key != ""):
		return fmt.Errorf("! excludes words only, not %s", t)
	case t.regexp:
		return q.addRegexp(t.text)
	case special && t.text == "":
		return fmt.Errorf("%s: needs a value", t.key)
	case special:
		return set(q, t.text, now, zone)
	case t.key != "" && t.equals && t.text != "" && !t.not:
		q.Fields = append(q.Fields, Field{t.key, t.text})
		return nil
	}
	whole := t.String()
	if t.not {
		q.Not = append(q.Not, whole)
	} else {
		q.Text = append(q.Text, whole)
	}
	return nil
}

// String is the piece without its quotes.
func (t term) String() string {
	switch {
	case t.regexp:
		return "/" + t.text + "/"
	case t.key == "":
		return t.text
	case t.equals:
		return t.key + "=" + t.text
	}
	return t.key + ":" + t.text
}

// keys are the words before a colon that mean something of their own.
var keys = map[string]func(q *Query, value string, now time.Time, zone *time.Location) error{
	"level": func(q *Query, v string, _ time.Time, _ *time.Location) error {
		level, ok := levelName(v)
		if !ok {
			names := Levels()
			return fmt.Errorf("level %q is none of %s", v, strings.ToLower(strings.Join(names[:], ", ")))
		}
		q.Level = level
		return nil
	},
	"logger": func(q *Query, v string, _ time.Time, _ *time.Location) error { q.Logger = v; return nil },
	"since": func(q *Query, v string, now time.Time, zone *time.Location) (err error) {
		q.Since, err = parseMoment("since", v, now, zone)
		return err
	},
	"until": func(q *Query, v string, now time.Time, zone *time.Location) (err error) {
		q.Until, err = parseMoment("until", v, now, zone)
		return err
	},
	"copy": func(q *Query, v string, _ time.Time, _ *time.Location) error {
		if len(v) != uuidLen || !isUUID(v) {
			return fmt.Errorf("copy:%s is not the row id of a copy; logs know no anonymous ids", v)
		}
		q.CopyID = strings.ToLower(v)
		return nil
	},
	"req":        func(q *Query, v string, _ time.Time, _ *time.Location) error { q.RequestID = v; return nil },
	"request":    func(q *Query, v string, _ time.Time, _ *time.Location) error { q.RequestID = v; return nil },
	"request_id": func(q *Query, v string, _ time.Time, _ *time.Location) error { q.RequestID = v; return nil },
}

func (q *Query) addRegexp(s string) error {
	if q.Regexp != nil {
		return errors.New("there can be one /regular expression/ only")
	}
	re, err := regexp.Compile(s)
	if err != nil {
		return fmt.Errorf("/%s/ is no regular expression: %s", s, strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
	q.Regexp = re
	return nil
}

func (q *Query) check() error {
	if !q.Since.IsZero() && !q.Until.IsZero() && !q.Since.Before(q.Until) {
		return errors.New("since is not before until")
	}
	return nil
}

// parseMoment reads a span before now, a time of day (the last one before now)
// or a date with or without a time.
func parseMoment(word, s string, now time.Time, zone *time.Location) (time.Time, error) {
	if d, err := parseSpan(s); err == nil {
		return now.Add(-d), nil
	}
	local := now.In(zone)
	for _, layout := range []string{"15:04", "15:04:05"} {
		if t, err := time.Parse(layout, s); err == nil {
			at := time.Date(local.Year(), local.Month(), local.Day(), t.Hour(), t.Minute(), t.Second(), 0, zone)
			if at.After(now) {
				at = at.AddDate(0, 0, -1)
			}
			return at, nil
		}
	}
	for _, layout := range []string{"2006-01-02", "2006-01-02T15:04", "2006-01-02T15:04:05", "2006-01-02 15:04", "2006-01-02 15:04:05"} {
		if at, err := time.ParseInLocation(layout, s, zone); err == nil {
			return at, nil
		}
	}
	if at, err := time.Parse(time.RFC3339, s); err == nil {
		return at, nil
	}
	return time.Time{}, fmt.Errorf("%s:%s is no time: 10m, 14:02 and 2026-02-01T14:02 are", word, s)
}

// parseSpan reads 10m, 2h30m and also 2d.
func parseSpan(s string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(s, "d"); ok {
		d, err := time.ParseDuration(days + "h")
		return 24 * d, err
	}
	d, err := time.ParseDuration(s)
	if err == nil && d < 0 {
		err = errors.New("negative")
	}
	return d, err
}

// addPattern adds what a named search asks for.
func (q *Query) addPattern(name string, now time.Time, zone *time.Location) error {
	p, ok := FindPattern(name)
	if !ok {
		var names []string
		for _, p := range Patterns() {
			names = append(names, p.Name)
		}
		return fmt.Errorf("there is no pattern %q; there are %s", name, strings.Join(names, ", "))
	}
	for rest := p.Query; rest != ""; {
		t, after, err := nextTerm(rest)
		if err == nil {
			err = q.add(t, now, zone)
		}
		if err != nil {
			return err
		}
		rest = strings.TrimLeft(after, " ")
	}
	return nil
}

// Words are the keys that mean something of their own, for completion.
func Words() []string {
	words := []string{"pattern:"}
	for k := range keys {
		words = append(words, k+":")
	}
	slices.Sort(words)
	return words
}
