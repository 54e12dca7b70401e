// Package locks is the pane of the lock table: who holds which copy, and
// whether anybody is still there. All ages are by the database's clock.
package locks

import (
	"time"

	"gradecockpit/probes"
	"gradecockpit/probes/grading"
	"gradecockpit/tui/pane"
	"gradecockpit/tui/ui"
)

// maxSkew is how far the database's clock and ours may be apart unsaid.
const maxSkew = 2 * time.Second

type spec struct{}

// New makes the pane.
func New() pane.Spec { return spec{} }

func (spec) ID() pane.ID          { return "locks" }
func (spec) Title() string        { return "Locks" }
func (spec) Needs() []probes.ID   { return []probes.ID{grading.ID} }
func (spec) Actions() []string    { return []string{"force-unlock", "clear-expired"} }
func (spec) Columns() []ui.Column { return columns() }

func columns() []ui.Column {
	return []ui.Column{
		{Title: "COPY", Min: 12, Max: 24},
		{Title: "HELD BY", Min: 14, Max: 24},
		{Title: "AGE", Min: 5, Max: 7, Right: true},
		{Title: "EXPIRES", Min: 22, Max: 28},
		{Title: "STATUS", Min: 8, Max: 20, Drop: 1},
		{Title: "DRAFT", Min: 5, Max: 6, Right: true, Drop: 2},
		{Title: "TOKEN", Min: 9, Max: 9, Drop: 3},
	}
}

func (spec) Content(in pane.Input) pane.Content {
	o, _, ok := probes.Of[grading.Overview](in.Set, grading.ID)
	if !ok {
		return pane.Content{}
	}
	if !o.Locks.Here() {
		return pane.Content{Problem: problem(o)}
	}
	c := pane.Content{Summary: summary(o), Empty: empty(o)}
	now := pane.ServerNow(in)
	for _, l := range o.Locks.Value.Rows {
		c.Rows = append(c.Rows, row(l, now))
	}
	return c
}

func problem(o grading.Overview) string {
	says := o.Locks.Missing
	if o.Locks.Fix != "" {
		says += " " + o.Locks.Fix
	}
	if o.LocksInUse == grading.TriNo {
		says += " Locks are not in use here."
	}
	return says
}

func empty(o grading.Overview) string {
	switch o.LocksInUse {
	case grading.TriNo:
		return unused(o)
	case grading.TriYes:
		return "No copy is locked: nobody is correcting now. Nothing to do here."
	}
	return "No copy is locked. Whether this application uses locks is not known" + because(o)
}

func unused(o grading.Overview) string { return "Locks are not in use here" + because(o) }

// because ends a sentence with the reason, when there is one.
func because(o grading.Overview) string {
	if o.LocksWhy == "" {
		return "."
	}
	return ": " + o.LocksWhy
}

func summary(o grading.Overview) string {
	l := o.Locks.Value
	abandoned := 0
	for _, row := range l.Rows {
		if row.Abandoned && !row.Expired {
			abandoned++
		}
	}
	return pane.Joined(
		ui.Count(int64(l.Total))+" held",
		some(l.Expired, "expired"),
		skew(o.Skew),
		some(abandoned, "abandoned"),
		notUsed(o),
		pane.Shown(len(l.Rows), l.Total),
	)
}

func some(n int, word string) string {
	if n == 0 {
		return ""
	}
	return ui.Count(int64(n)) + " " + word
}

// notUsed warns about rows that the application has stopped to look at.
func notUsed(o grading.Overview) string {
	if o.LocksInUse == grading.TriNo && o.Locks.Value.Total > 0 {
		return "not in use"
	}
	return ""
}

// skew says how far the database's clock is before ours (+) or behind it.
func skew(d time.Duration) string {
	switch {
	case d > maxSkew:
		return ui.SignWarn + " DB clock +" + ui.Duration(d)
	case d < -maxSkew:
		return ui.SignWarn + " DB clock -" + ui.Duration(-d)
	}
	return ""
}

func row(l grading.Lock, now time.Time) pane.Row {
	return pane.Row{
		Key: key(l),
		Cells: []ui.Cell{
			pane.Text(ui.Accent, l.Copy.Label()),
			pane.User(l.Owner),
			pane.Age(l.Since, now),
			expires(l, now),
			status(l.CopyStatus),
			draft(l.DraftVersion),
			token(l.TokenPrefix),
		},
		Target: pane.OnCopy(l.Copy),
		Copy:   l.Copy.ID,
		Yank:   l.Copy.ID,
	}
}

// key is the lock's own id: a lock that is released and taken anew is another
// row, so that the cursor does not stay on it.
func key(l grading.Lock) string {
	if l.LockID != "" {
		return l.LockID
	}
	return "copy " + l.Copy.ID
}

// expires trusts the database for what has expired. A lock that has run out
// since the last reading may have been renewed meanwhile, so it is only "due".
func expires(l grading.Lock, now time.Time) ui.Cell {
	left := l.Expires.Sub(now)
	switch {
	case l.Expires.IsZero():
		return pane.Text(ui.Dim, ui.NotKnown)
	case l.Expired:
		return pane.Number(ui.Bad, ui.SignBad+" expired "+ui.Ago(-left), left.Seconds())
	case l.Abandoned && !l.LastBeat.IsZero():
		says := ui.SignWarn + " no heartbeat for " + ui.Duration(now.Sub(l.LastBeat))
		return pane.Number(ui.Warn, says, left.Seconds())
	case left < 0:
		return pane.Number(ui.Warn, ui.NotKnown+" was due "+ui.Ago(-left), left.Seconds())
	}
	return pane.Number(ui.Good, ui.SignGood+" in "+ui.Duration(left), left.Seconds())
}

func status(s string) ui.Cell {
	if s == "" {
		return pane.Text(ui.Dim, ui.NotKnown)
	}
	return pane.Text(ui.Plain, s)
}

// draft counts autosaves. Below 0 there is none, or it cannot be read.
func draft(version int) ui.Cell {
	if version < 0 {
		return pane.Number(ui.Dim, "–", -1)
	}
	return pane.Number(ui.Plain, "v"+ui.Count(int64(version)), float64(version))
}

func token(prefix string) ui.Cell {
	if prefix == "" {
		return pane.Text(ui.Dim, ui.NotKnown)
	}
	return pane.Text(ui.Dim, prefix+"…")
}
