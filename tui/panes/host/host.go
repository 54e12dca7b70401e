// Package host is the pane of the machine that the cockpit runs on: how full
// its volumes are, what is wrong with the folders, memory, load and processes.
package host

import (
	"gradecockpit/probes"
	"gradecockpit/probes/host"
	"gradecockpit/tui/pane"
	"gradecockpit/tui/ui"
)

type spec struct{}

// New makes the pane.
func New() pane.Spec { return spec{} }

func (spec) ID() pane.ID        { return "host" }
func (spec) Title() string      { return "Host" }
func (spec) Needs() []probes.ID { return []probes.ID{host.ID, host.FilesID} }
func (spec) Actions() []string  { return nil }

// Columns are of the volumes; all other rows span the pane.
func (spec) Columns() []ui.Column {
	return []ui.Column{
		{Title: "VOLUME", Min: 8, Max: 40, Ends: true},
		{Title: "USED", Min: 6, Max: 6, Right: true},
		{Title: "FREE", Min: 5, Max: 5, Right: true},
		{Title: "INODES", Min: 6, Max: 6, Right: true},
		{Title: "FOLDERS", Min: 12, Max: 32, Drop: 1},
		{Title: "TREND", Min: 12},
	}
}

func (spec) Content(in pane.Input) pane.Content {
	o, _, ok := probes.Of[host.Overview](in.Set, host.ID)
	if !ok {
		return pane.Content{}
	}
	inside, snap, _ := probes.Of[host.Contents](in.Set, host.FilesID)
	v := view{in: in, o: o, inside: inside, unasked: snap.Seq == 0}
	c := pane.Content{
		Summary: v.summary(),
		Empty:   "Nothing of this machine can be seen.",
		Notes:   []ui.Cell{pane.Text(ui.Dim, "On "+ui.Cut(o.Machine.Name, 20)+", where the cockpit runs; no other host is seen.")},
	}
	for _, part := range [][]pane.Row{v.volumes(), v.problems(), v.state(), v.processes(), v.largest(), v.unseen()} {
		c.Rows = append(c.Rows, part...)
	}
	return c
}

// view is what the parts of the pane are made from.
type view struct {
	in     pane.Input
	o      host.Overview
	inside host.Contents
	// unasked: nobody has looked into the folders, because no pane shows it.
	unasked bool
}

// summary is the worst volume and the memory.
func (v view) summary() string {
	memory, trouble := "", ""
	if v.o.Memory.Known {
		memory = "memory " + ui.Percent(used(v.o.Memory))
	}
	if n := len(v.ailing()); n > 0 {
		trouble = ui.Plural(n, "folder problem")
	}
	return pane.Joined(v.worst(), memory, trouble)
}

// worst names what hangs, and the fullest of the other volumes.
func (v view) worst() string {
	hangs := ""
	for _, vol := range v.o.Volumes {
		name := ui.CutMiddle(vol.Mount, 24)
		if !vol.Hangs.IsZero() {
			hangs = "disk " + name + " hangs"
			continue
		}
		bytes, known := vol.Share()
		says := "disk " + ui.NotKnown
		if inodes, ok := vol.InodeShare(); ok && inodes > bytes {
			says = "inodes " + full(inodes) + " of " + name
		} else if known {
			says = "disk " + full(bytes) + " of " + name
		}
		return pane.Joined(hangs, says)
	}
	return hangs
}

// line is a row over the whole width.
func line(key string, cells ...ui.Cell) pane.Row {
	return pane.Row{Key: key, Span: true, Cells: cells}
}

// heading stands above the rows of its kind.
func heading(says string) pane.Row {
	r := line("heading "+says, pane.Text(ui.Header, says))
	r.Skip = true
	return r
}

// unseen are sentences about what this machine cannot tell.
func (v view) unseen() []pane.Row {
	if len(v.o.Unseen) == 0 {
		return nil
	}
	rows := []pane.Row{heading("not seen from here")}
	for _, says := range v.o.Unseen {
		r := line("unseen "+says, pane.Text(ui.Dim, " "+says))
		r.Data = map[string]any{"kind": "unseen", "key": r.Key, "says": says}
		rows = append(rows, r)
	}
	return rows
}
