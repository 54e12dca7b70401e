package sessions

import (
	"fmt"
	"slices"
	"strings"

	"gradecockpit/probes/activity"
	"gradecockpit/tui/pane"
	"gradecockpit/tui/ui"
)

// The shares of the connections from which on their number is worth a word, and
// a loud one. PostgreSQL refuses the next client at 1.
const (
	nearlyFull = 0.8
	almostFull = 0.9
)

// mostNotes keeps room for the rows.
const mostNotes = 4

// notes are what has to be known before anything is done, the worst first.
func (v view) notes() []ui.Cell {
	var out []ui.Cell
	add := func(says string, tone ui.Tone) {
		if says != "" && len(out) < mostNotes {
			out = append(out, pane.Text(tone, says))
		}
	}
	add(v.full())
	add(v.deadlock(), ui.Bad)
	for _, s := range v.o.Sessions {
		add(pane.Finalizing(s, v.names.CopiesOf(s), v.now))
	}
	add(v.hidden(), ui.Warn)
	if v.o.LeftOut > 0 {
		add(fmt.Sprintf("%s %s more than a look takes: those in no chain and with the youngest transactions are left out.", ui.SignWarn, ui.Plural(v.o.LeftOut, "session")), ui.Warn)
	}
	return out
}

// full says that connections run out, and who has them.
func (v view) full() (string, ui.Tone) {
	l := v.o.Limits
	if says := v.ownLimits(); says != "" {
		return says, ui.Bad
	}
	if l.Full() < nearlyFull {
		return "", ui.Plain
	}
	says := fmt.Sprintf("%d of %d connections are taken", l.Used, l.Ordinary())
	if kept := l.Superuser + l.Reserved; kept > 0 {
		says += fmt.Sprintf(" (%d more are kept for superusers", kept)
		if l.Reserved > 0 {
			says += " and pg_use_reserved_connections"
		}
		says += ")"
	}
	if len(v.o.Groups) > 0 {
		g := v.o.Groups[0]
		says += fmt.Sprintf(": %s has %d, %d of them idle", g.Who(), g.Total, g.Idle)
	}
	if l.Full() < almostFull {
		return ui.SignWarn + " " + says + ".", ui.Warn
	}
	return ui.SignBad + " " + says + ". What leaks them has to be restarted, or max_connections raised; D disconnects one.", ui.Bad
}

// ownLimits says that a limit of the database or of the application's role is
// near, which is another than that of the server.
func (v view) ownLimits() string {
	l := v.o.Limits
	near := func(n, limit int) bool { return limit > 0 && float64(n) >= almostFull*float64(limit) }
	switch {
	case near(l.OfRole, l.Role):
		return fmt.Sprintf("%s %s has %d of the %d connections that its role may have.", ui.SignBad, v.o.AppRole, l.OfRole, l.Role)
	case near(l.InDatabase, l.Database):
		return fmt.Sprintf("%s This database has %d of the %d connections that it may have.", ui.SignBad, l.InDatabase, l.Database)
	}
	return ""
}

// deadlock names a circle. PostgreSQL ends it by itself.
func (v view) deadlock() string {
	i := slices.IndexFunc(v.o.Chains, func(l activity.Link) bool { return l.Deadlock })
	if i < 0 {
		return ""
	}
	return fmt.Sprintf("%s %d and another wait for each other: PostgreSQL ends one of them after deadlock_timeout (1 s as it comes).", ui.SignBad, v.o.Chains[i].PID)
}

// hidden says what our role cannot see.
func (v view) hidden() string {
	if v.o.Rights.SeesAll || v.o.Hidden == 0 {
		return ""
	}
	return fmt.Sprintf("%s Of %s of other roles, state and query are hidden from %s: %s", ui.SignWarn,
		ui.Plural(v.o.Hidden, "session"), strings.Trim(v.o.Rights.Role, `"`), v.o.Rights.SeeGrant())
}
