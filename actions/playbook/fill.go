package playbook

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gradecockpit/probes/grading"
)

// named is a place in a text that is filled in: {copy}.
var named = regexp.MustCompile(`\{([a-z_]+)\}`)

// fillable are the names that texts may hold. What a deployment does not know
// stays as it stands.
var fillable = []string{"copy", "copy_id", "n", "database", "database_host", "log_dir", "media_dir", "metrics_url", "broker_db", "queue"}

// fill puts the names into a text. n is the number of rows; below 0 none.
func (p Place) fill(text string, n int) string {
	return named.ReplaceAllStringFunc(text, func(m string) string {
		if v := p.value(m[1:len(m)-1], n); v != "" {
			return v
		}
		return m
	})
}

func (p Place) value(name string, n int) string {
	switch name {
	case "copy":
		return p.Copy.Label()
	case "copy_id":
		return p.Copy.ID
	case "n":
		if n >= 0 {
			return strconv.Itoa(n)
		}
	}
	return p.Names[name]
}

// wantsCopy tells whether a text cannot be filled in without a copy.
func wantsCopy(texts ...string) bool {
	for _, t := range texts {
		if strings.Contains(t, "{copy}") || strings.Contains(t, "{copy_id}") {
			return true
		}
	}
	return false
}

// harmless are the characters that mean nothing to a shell, to SQL inside a
// literal, or to a regular expression beyond themselves. A hyphen does not come
// first: it would make an option.
var harmless = regexp.MustCompile(`^[A-Za-z0-9_./:@%+=,][A-Za-z0-9_./:@%+=,-]*$`)

// glued is a name inside a word, a text or a regular expression of a log query,
// where a value could end what it stands in.
var glued = regexp.MustCompile(`[^\s:=!]\{[a-z_]+\}|\{[a-z_]+\}\S|["/].*\{[a-z_]+\}|\{[a-z_]+\}.*["/]`)

// query fills in a log query. A value is one word or one quoted text, so that it
// cannot bring terms of its own.
func (p Place) query(text string) string {
	return named.ReplaceAllStringFunc(text, func(m string) string {
		v := p.value(m[1:len(m)-1], -1)
		v = strings.TrimRight(v, `\`) // it would take the end of the quotes for a part of the text
		if v == "" || harmless.MatchString(v) && !strings.ContainsAny(v, ":=/") {
			return cmp.Or(v, m)
		}
		return `"` + strings.ReplaceAll(v, `"`, `\"`) + `"`
	})
}

// FillCommand puts names into a command that is shown to be pasted. A value that
// a shell could take for more than a word is not put in: its name stays.
func (p Place) FillCommand(text string) string {
	return named.ReplaceAllStringFunc(text, func(m string) string {
		if v := p.value(m[1:len(m)-1], -1); harmless.MatchString(v) {
			return v
		}
		return m
	})
}

// Text gives the one for a dialect, filled in. Mixed tables get the deployed
// one: its names are the real system's. What is not known stands in capitals, as
// in a manual.
func (p Place) Text(b ByHand) string {
	text := b.Deployed
	if p.Dialect == grading.Playbook && b.Playbook != "" {
		text = b.Playbook
	}
	return named.ReplaceAllStringFunc(p.FillCommand(text), func(m string) string {
		if name := m[1 : len(m)-1]; slices.Contains(fillable, name) && p.value(name, -1) == "" {
			return strings.ToUpper(name)
		}
		return m
	})
}

func (p Place) sql(b BySchema) string {
	if p.Dialect == grading.Playbook {
		return b.Playbook
	}
	return b.Deployed
}

// fillAny makes a text complete with harmless words, to be checked.
func fillAny(text string) string {
	text = strings.ReplaceAll(text, "{copy_id}", "00000000-0000-4000-8000-000000000000")
	return named.ReplaceAllString(text, "x")
}
