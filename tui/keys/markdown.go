package keys

import (
	"fmt"
	"slices"
	"strings"
)

// Label is a key as people read it: arrows as signs, the rest as it is.
func Label(key string) string {
	signs := strings.NewReplacer("up", "↑", "down", "↓", "left", "←", "right", "→")
	switch {
	case strings.HasPrefix(key, "pg"):
		return key
	case key == "f1":
		return "F1"
	}
	return signs.Replace(key)
}

// Markdown is the table for the README: what is the same in two scopes once.
func (t Table) Markdown() string {
	var b strings.Builder
	b.WriteString("| keys | do |\n|---|---|\n")
	seen := map[string]bool{}
	for _, bind := range t.bindings {
		keys := quoted(bind.Keys)
		where := ""
		switch {
		case bind.Scope == InDialog:
			where = "in a dialog: "
		case bind.Scope == InGuide && !moves(bind):
			where = "in a walkthrough: "
		}
		row := fmt.Sprintf("| %s | %s%s |\n", keys, where, bind.Help)
		if !seen[row] {
			b.WriteString(row)
		}
		seen[row] = true
	}
	return b.String()
}

// moves tells whether a binding is the same wherever something scrolls.
func moves(b Binding) bool {
	return slices.ContainsFunc(moving(b.Scope), func(m Binding) bool { return m.ID == b.ID })
}

func quoted(keys []string) string {
	if len(keys) > 5 {
		return "`" + Label(keys[0]) + "`…`" + Label(keys[len(keys)-1]) + "`"
	}
	labels := make([]string, len(keys))
	for i, k := range keys {
		labels[i] = "`" + Label(k) + "`"
	}
	return strings.Join(labels, " ")
}
