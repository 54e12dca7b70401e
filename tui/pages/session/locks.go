package session

import (
	"fmt"

	"gradecockpit/probes/activity"
	"gradecockpit/tui/dialog"
	"gradecockpit/tui/ui"
)

// locks lists what it waits for, then what it holds. Locks on indexes go with
// those on their tables and are only counted.
func (v view) locks() []dialog.Para {
	out := []dialog.Para{title("Locks")}
	indexes, left := 0, v.More
	for _, l := range v.Locks {
		switch {
		case l.Index:
			indexes++
		case len(out) > mostLocks:
			left++
		default:
			out = append(out, v.lock(l))
		}
	}
	if len(out) == 1 {
		out = append(out, dialog.Para{Head: "  ", Text: "It holds no lock and waits for none."})
	}
	if indexes > 0 {
		out = append(out, dialog.Para{Head: "  ", Text: "and " + plural(indexes, "index", "indexes") + " of these tables", Tone: ui.Dim})
	}
	if left > 0 {
		out = append(out, dialog.Para{Head: "  ", Text: fmt.Sprintf("and %d more locks", left), Tone: ui.Dim})
	}
	return out
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

func (v view) lock(l activity.Lock) dialog.Para {
	verb, tone := "holds", ui.Plain
	if !l.Granted {
		verb, tone = ui.SignWarn+" waits", ui.Warn
	}
	on := l.Relation
	switch {
	case on == "" && (l.Type == "relation" || l.Type == "tuple"):
		on = "a table of another database"
	case on == "":
		on = l.Type
	}
	says := fmt.Sprintf("%s on %s", l.Mode, on)
	if l.Detail != "" {
		says += ", " + l.Detail
	}
	if !l.Granted && !l.Since.IsZero() {
		says += ", for " + ui.Duration(v.now.Sub(l.Since))
	}
	return dialog.Para{Head: "  " + ui.Pad(verb, 9), Text: says, Tone: tone}
}

// actions says what the two keys would do, before they are pressed.
func (v view) actions() []dialog.Para {
	out := []dialog.Para{title("What can be done")}
	cancel := "nothing: it runs no query."
	if v.s.State == activity.Active {
		cancel = "ends this query with an error; the session stays, and a transaction it is in is rolled back by the application."
	}
	end := "closes the connection; the application connects again at its next request."
	switch {
	case v.s.Finalizes != activity.No:
		end = "the finalization is rolled back and lost, the copy stays LOCKED, and no event tells of it."
	case v.s.Wrote:
		end = "what its transaction has changed is rolled back, its locks go, and whoever waits goes on."
	case v.s.InTx():
		end = "its transaction has changed nothing: only its locks and its snapshot go."
	}
	return append(out, line("cancel", cancel), line("disconnect", end))
}
