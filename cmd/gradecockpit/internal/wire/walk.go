package wire

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"gradecockpit/actions/playbook"
	"gradecockpit/probes"
	"gradecockpit/probes/clean"
	"gradecockpit/probes/logs/child"
	"gradecockpit/tui"
	"gradecockpit/tui/dialog"
	"gradecockpit/tui/page"
	"gradecockpit/tui/pages"
	"gradecockpit/tui/pane"
	"gradecockpit/tui/panes"
	"gradecockpit/tui/ui"
)

// The bounds of what a step of a walkthrough sees.
const (
	seenRows  = 200
	seenWidth = 120 // cells, for panes and pages that lay out to a width
	logTime   = "2006-01-02 15:04:05.000"
)

// copyWord is the page of a copy, which has a reader of its own.
const copyWord = "copy"

// Sources is what the steps of a walkthrough read through.
func (c *Cockpit) Sources() playbook.Sources { return looks{c} }

// looks are the sources of a walkthrough. All of them only read.
type looks struct{ *Cockpit }

// plainTheme writes without colours.
var plainTheme = ui.NewTheme(ui.Mono, false)

func input(set probes.Set) pane.Input {
	return pane.Input{Set: set, Now: time.Now(), Zone: time.Local, Width: seenWidth}
}

// failed is a look that gave nothing.
func failed(source probes.SourceID, what string, err error) error {
	return &probes.Error{Source: source, Op: what, Cause: clean.Capped(err.Error(), 300), Err: err}
}

// Pane looks at a pane as the screen shows it. One whose source fails has no
// rows to judge by, though the screen still shows old ones.
func (l looks) Pane(ctx context.Context, set probes.Set, id, filter string) (playbook.Table, error) {
	spec, ok := panes.Find(pane.ID(id))
	if !ok {
		return playbook.Table{}, &probes.Error{Op: "look", Cause: "there is no pane " + clean.Text(id)}
	}
	in := input(set)
	if seek := l.Seekers()[spec.ID()]; seek != nil && filter != "" {
		data, err := seek(ctx, filter, func(any) {})
		if err != nil {
			return playbook.Table{}, err
		}
		in.Query, in.Data = filter, data
	} else if err := unread(set, pane.Main(spec, set)); err != nil {
		return playbook.Table{}, err
	}
	return l.grid(spec, in, filter)
}

// unread is why there are no rows to judge by: a probe that fails shows old
// ones, and one that has not looked yet shows none.
func unread(set probes.Set, id probes.ID) error {
	s := set.Get(id)
	if s.Err == nil && s.Payload == nil && id != pane.ReadID {
		return &probes.Error{Source: cmp.Or(s.Source, "cockpit"), Op: "look", Cause: string(id) + " has not been looked at yet"}
	}
	return s.Err
}

func (l looks) grid(spec pane.Spec, in pane.Input, filter string) (playbook.Table, error) {
	t := pane.New(spec, plainTheme, 0)
	t.SetInput(in)
	t.SetFilter(filter)
	g := t.Grid()
	if g.Problem != "" {
		source := in.Set.Get(pane.Main(spec, in.Set)).Source
		return playbook.Table{}, &probes.Error{Source: cmp.Or(source, "cockpit"), Op: "look", Cause: g.Problem}
	}
	return bounded(playbook.Table{Columns: g.Columns, Rows: g.Rows, Lines: g.Lines, Note: strings.Join(g.Notes, " ")}), nil
}

// bounded leaves out what is too much.
func bounded(t playbook.Table) playbook.Table {
	if n := len(t.Rows) - seenRows; n > 0 {
		t.Rows, t.More = t.Rows[:seenRows], t.More+n
	}
	if n := len(t.Lines) - seenRows; n > 0 {
		t.Lines = append(t.Lines[:seenRows:seenRows], fmt.Sprintf("… and %d more lines", n))
	}
	return t
}

// Page looks at a page by the word of the command line.
func (l looks) Page(ctx context.Context, set probes.Set, kind, id string) (playbook.Table, error) {
	if kind == copyWord {
		return l.copy(ctx, id)
	}
	all := pages.All()
	i := slices.IndexFunc(all, func(p page.Spec) bool { return p.Word == kind && kind != "" })
	if i < 0 {
		return playbook.Table{}, &probes.Error{Op: "look", Cause: "there is no page " + clean.Text(kind)}
	}
	spec, ref := all[i], pane.Ref{Kind: all[i].Kind, ID: id}
	needs := spec.Needs
	if spec.Rows != nil { // without the others it shows less, and says so
		needs = []probes.ID{pane.Main(spec.Rows(ref), set)}
	}
	for _, need := range needs {
		if err := unread(set, need); err != nil {
			return playbook.Table{}, err
		}
	}
	read, err := l.ReadPage(ctx, spec, ref)
	if err != nil {
		return playbook.Table{}, err
	}
	in := input(set.With(read))
	in.Data = read.Payload
	if spec.Rows != nil {
		return l.grid(spec.Rows(ref), in, "")
	}
	text := spec.Text(page.Input{Input: in, Ref: ref, Height: seenWidth / 4, Read: read.Good})
	return bounded(playbook.Table{Lines: dialog.Plain(plainTheme, text.Paras, seenWidth), Note: text.Mark}), nil
}

func (l looks) copy(ctx context.Context, id string) (playbook.Table, error) {
	p, err := l.CopyPage(ctx, id)
	if err != nil {
		return playbook.Table{}, err
	}
	return bounded(playbook.Table{Lines: tui.CopyReport(p, plainTheme, time.Local)}), nil
}

// Logs searches the logs, the newest record first.
func (l looks) Logs(ctx context.Context, query string) (playbook.Table, error) {
	p, q, err := l.logQuery(query)
	if err != nil {
		return playbook.Table{}, err
	}
	q.Limit = seenRows
	found, err := p.Search(ctx, q)
	if err != nil {
		return playbook.Table{}, err
	}
	t := playbook.Table{Columns: []string{"time", "copy", "level", "message", "trace", "status", "logger", "request"}}
	names := pane.NamesIn(l.Hub.Latest())
	for _, r := range found.Lines {
		at, status, last := "", "", ""
		if !r.At.IsZero() {
			at = r.At.Local().Format(logTime)
		}
		if r.StatusCode != 0 {
			status = fmt.Sprint(r.StatusCode)
		}
		if n := len(r.Trace); n > 0 {
			last = r.Trace[n-1] // names the exception
		}
		t.Rows = append(t.Rows, []string{at, names.Of(r.CopyID, ""), r.Level, clean.Capped(r.Message, cellMost), clean.Capped(last, cellMost), status, r.Logger, r.RequestID})
	}
	notes := found.Skipped
	if found.Truncated {
		notes = append(notes, "The search ended at its limit; older records may exist.")
	}
	t.Note = strings.Join(notes, " ")
	return t, nil
}

// Command runs a program to its end. One that complains has seen nothing that
// could be judged.
func (l looks) Command(ctx context.Context, argv []string) (playbook.Table, error) {
	said, err := child.Once(ctx, argv)
	name := clean.Capped(filepath.Base(argv[0]), 40)
	if err != nil {
		return playbook.Table{}, failed("command", "run "+name, err)
	}
	t := playbook.Table{Lines: said.Lines, More: said.More}
	if said.Exit != 0 {
		t.Note = fmt.Sprintf("%s ended with exit status %d.", name, said.Exit)
		if said.Error != "" {
			return t, &probes.Error{Source: "command", Op: "run " + name, Cause: fmt.Sprintf("exit status %d: %s", said.Exit, said.Error)}
		}
	}
	return t, nil
}
