package actions

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Span says a duration as the screen does: 40s, 52m, 1h02m, 3d4h. The sign is
// left to the sentence.
func Span(d time.Duration) string {
	d = d.Abs()
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 24*time.Hour:
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%dd%dh", int(d.Hours())/24, int(d.Hours())%24)
}

// All gives a target and its further ones, each once, in order.
func (t Target) All() []Target {
	all := []Target{t}
	for _, m := range t.More {
		if !slices.ContainsFunc(all, func(o Target) bool { return o.ID == m.ID }) {
			all = append(all, m)
		}
	}
	return all
}

// Names lists at most max names, and how many more there are.
func Names(names []string, max int) string {
	if len(names) <= max {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:max], ", "), len(names)-max)
}
