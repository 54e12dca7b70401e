package host

import (
	"fmt"
	"strings"
	"time"

	"gradecockpit/probes/host"
	"gradecockpit/tui/pane"
	"gradecockpit/tui/ui"
)

// trouble is a problem with the folder it is about.
type trouble struct {
	role host.Role
	path string
	host.Problem
}

// ailing are the problems of all folders: of the folder itself, then of what is
// in it.
func (v view) ailing() []trouble {
	var out []trouble
	for _, f := range v.o.Folders {
		for _, p := range f.Problems {
			out = append(out, trouble{f.Role, f.Path, p})
		}
		for _, c := range v.inside.Folders {
			if c.Role != f.Role || c.Path != f.Path {
				continue
			}
			for _, p := range c.Problems {
				out = append(out, trouble{c.Role, c.Path, p})
			}
		}
	}
	return out
}

func (v view) problems() []pane.Row {
	var rows []pane.Row
	for i, t := range v.ailing() {
		sign, tone := ui.SignWarn, ui.Warn
		if t.Severe {
			sign, tone = ui.SignBad, ui.Bad
		}
		r := line(fmt.Sprintf("problem %s %d", t.role, i), pane.Text(tone, sign+" "+string(t.role)), pane.Text(ui.Accent, ui.CutMiddle(t.path, 32)), pane.Text(tone, t.Says))
		if t.Next != "" {
			r.Detail = []string{t.Next}
		}
		r.Yank = t.path
		r.Data = map[string]any{"kind": "problem", "key": r.Key, "folder": t.role, "path": t.path, "says": t.Says, "next": t.Next, "severe": t.Severe}
		rows = append(rows, r)
	}
	return rows
}

// shownEntries is how many of the largest entries of a folder have a line.
const shownEntries = 5

// largest is what takes the room in each folder.
func (v view) largest() []pane.Row {
	var rows []pane.Row
	for _, c := range v.inside.Folders {
		switch {
		case !c.Hangs.IsZero():
			continue // its volume says so
		case c.Err != "":
			r := line("inside "+string(c.Role), pane.Text(ui.Dim, " "+string(c.Role)+" "+c.Path+": "+c.Err))
			r.Data = map[string]any{"kind": "folder", "key": r.Key, "folder": c.Role, "path": c.Path, "bytes": nil, "error": c.Err}
			rows = append(rows, r)
			continue
		}
		rows = append(rows, v.inFolder(c)...)
	}
	if v.unasked && len(v.o.Folders) > 0 {
		rows = []pane.Row{line("inside", pane.Text(ui.Dim, " is added up while this pane is on the screen"))}
		rows[0].Skip = true
	}
	if len(rows) == 0 {
		return nil
	}
	return append([]pane.Row{heading("what takes the room")}, rows...)
}

// oldLook is how old what is in a folder may be without a word: it is looked at
// once a minute.
const oldLook = 90 * time.Second

func (v view) inFolder(c host.Content) []pane.Row {
	key := "inside " + string(c.Role)
	r := line(key, pane.Text(ui.Strong, ui.FitRight(atLeast(c.Bytes, c.Partial), 7)), pane.Text(ui.Plain, string(c.Role)),
		pane.Text(ui.Accent, ui.CutMiddle(c.Path, 40)), pane.Text(ui.Dim, ui.Plural(c.Files, "entry")))
	if c.Files != 1 {
		r.Cells[3].Text = ui.Count(int64(c.Files)) + " entries"
	}
	r.Yank = c.Path
	r.Data = map[string]any{"kind": "folder", "key": key, "folder": c.Role, "path": c.Path, "bytes": c.Bytes, "entries": c.Files, "lower_bound": c.Partial,
		"looked_at": c.At.UTC().Format(time.RFC3339)}
	if c.Partial {
		r.Detail = []string{"Not everything in it was looked at: the size is a lower bound."}
	}
	if age := v.in.Now.Sub(c.At); age > oldLook && !c.At.IsZero() {
		r.Cells = append(r.Cells, pane.Text(ui.Dim, ui.Duration(age)+" ago"))
		r.Detail = []string{strings.TrimSpace(strings.Join(r.Detail, "") + " It took long, and is looked at seldom for that.")}
	}
	rows := []pane.Row{r}
	for i, e := range c.Largest[:min(len(c.Largest), shownEntries)] {
		name := e.Name
		if e.Folder {
			name += "/"
		}
		one := line(fmt.Sprintf("%s %d %s", key, i, e.Name), pane.Text(ui.Plain, ui.FitRight(atLeast(e.Bytes, e.Partial), 7)),
			pane.Text(ui.Plain, "  "+name), pane.Text(ui.Dim, e.Owner))
		one.Yank = c.Path + "/" + e.Name
		one.Data = map[string]any{"kind": "entry", "key": one.Key, "folder": c.Role, "name": e.Name, "bytes": e.Bytes, "owner": e.Owner, "lower_bound": e.Partial}
		rows = append(rows, one)
	}
	return rows
}

// atLeast marks a lower bound.
func atLeast(n uint64, partial bool) string {
	if partial {
		return ui.SignGuess + ui.Bytes(n)
	}
	return ui.Bytes(n)
}
