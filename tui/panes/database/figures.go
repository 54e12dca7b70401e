package database

import (
	"math"
	"strings"
	"time"

	"gradecockpit/probes/storage"
	"gradecockpit/tui/pane"
	"gradecockpit/tui/ui"
)

// From when figures are loud. A standby that is minutes behind is no standby;
// transaction ids stop the server at about 2 billion, and autovacuum should
// have acted at autovacuum_freeze_max_age.
const (
	lagWarn, lagBad = 30 * time.Second, 5 * time.Minute
	xidEnd          = 2e9
	xidBad          = 1.5e9
	hitsWarn        = 0.9
)

// figures are the facts about the database as a whole.
func (v view) figures() []pane.Row {
	return append([]pane.Row{v.size(), v.cache(), v.wraparound(), v.place()}, append(v.replication(), v.indexes()...)...)
}

// figure is one of them: what it is, in a column of its own, and what it says.
func figure(what string, cells ...ui.Cell) pane.Row {
	return line("figure "+what, append([]ui.Cell{pane.Text(ui.Dim, ui.Fit(what, 11))}, cells...)...)
}

func (v view) size() pane.Row {
	d := v.o.Database
	r := figure("size", pane.Text(ui.Strong, bytes(d.Size)), pane.Text(ui.Plain, growth(d.Growth)), pane.Text(ui.Dim, "PostgreSQL "+d.Version))
	r.Data = map[string]any{"kind": "size", "key": r.Key, "database": d.Name, "bytes": size(d.Size), "growth_bytes_per_hour": null(d.Growth.PerHour()),
		"growth_over_seconds": d.Growth.Over.Seconds(), "version": d.Version}
	return r
}

func (v view) cache() pane.Row {
	d := v.o.Database
	now := pane.Text(ui.Plain, ui.Percent(d.RecentCacheHits)+" of blocks in the last "+ui.Duration(v.o.Window))
	if d.RecentCacheHits < hitsWarn {
		now.Tone, now.Text = ui.Warn, ui.SignWarn+" "+now.Text
	}
	if math.IsNaN(d.RecentCacheHits) {
		now = pane.Text(ui.Dim, ui.NotKnown+" now")
	}
	since := "since the statistics began"
	if !d.StatsSince.IsZero() {
		since = "in the last " + ui.Duration(v.o.At.Sub(d.StatsSince))
	}
	r := figure("cache hits", now, pane.Text(ui.Dim, ui.Percent(d.CacheHits)+" "+since))
	r.Detail = []string{"What PostgreSQL found in shared_buffers. What the operating system had cached counts as a miss."}
	r.Data = map[string]any{"kind": "cache", "key": r.Key, "recent": null(d.RecentCacheHits), "since_reset": null(d.CacheHits), "window_seconds": v.o.Window.Seconds()}
	return r
}

func (v view) wraparound() pane.Row {
	d := v.o.Database
	tone, sign := ui.Plain, ""
	switch {
	case float64(d.XIDAge) >= xidBad:
		tone, sign = ui.Bad, ui.SignBad+" "
	case d.FreezeMax > 0 && d.XIDAge > 2*d.FreezeMax:
		tone, sign = ui.Warn, ui.SignWarn+" "
	}
	r := figure("wraparound", pane.Text(tone, sign+ui.Percent(float64(d.XIDAge)/xidEnd)+" used up"),
		pane.Text(ui.Dim, "oldest id "+ui.Count(d.XIDAge)+" old, in "+d.OldestName))
	r.Detail = []string{"Transaction ids: autovacuum freezes old ones by itself from " + ui.Count(d.FreezeMax) + " on. At about 2 billion the server takes no more writes; a forgotten transaction, prepared transaction or replication slot holds it up."}
	r.Data = map[string]any{"kind": "wraparound", "key": r.Key, "age": d.XIDAge, "database": d.OldestName, "freeze_max_age": d.FreezeMax}
	return r
}

// place is where the data lies. How full that disk is, is the host's to say.
func (v view) place() pane.Row {
	d := v.o.Database
	says, tone := d.DataDir, ui.Plain
	if says == "" {
		says, tone = ui.NotKnown+" the role may not know", ui.Dim
	}
	where := "on another machine: its disk is to be seen there"
	if d.Local {
		where = "its disk: see the host pane"
	}
	r := figure("data", pane.Text(tone, says), pane.Text(ui.Dim, where))
	r.Detail = []string{"By the playbook a data volume that is more than 90 % full goes to the database administrator."}
	r.Data = map[string]any{"kind": "data", "key": r.Key, "directory": d.DataDir, "local": d.Local}
	return r
}

func (v view) replication() []pane.Row {
	p := v.o.Replication
	switch {
	case p.Replica:
		r := figure("replica", lag(p.Lag), pane.Text(ui.Dim, "behind its primary, "+bytes(p.LagSize)+" to replay"))
		r.Data = map[string]any{"kind": "replica", "key": r.Key, "lag_seconds": p.Lag.Seconds(), "bytes": size(p.LagSize)}
		return []pane.Row{r}
	case p.Blind:
		return []pane.Row{figure("replication", pane.Text(ui.Dim, ui.NotKnown+" there are standbys; the role may not look at them"))}
	case len(p.Standbys) == 0:
		r := figure("replication", pane.Text(ui.Dim, "none: no server follows this one"))
		r.Data = map[string]any{"kind": "replication", "key": r.Key, "standbys": 0}
		return []pane.Row{r}
	}
	var rows []pane.Row
	for _, s := range p.Standbys {
		r := figure("standby", pane.Text(ui.Plain, pane.Joined(s.Name, s.Address)), lag(s.Lag), pane.Text(ui.Dim, pane.Joined(bytes(s.Behind)+" behind", s.State, s.Sync)))
		r.Key = "standby " + s.Name + " " + s.Address + " " + ui.Count(int64(len(rows)))
		r.Data = map[string]any{"kind": "standby", "key": r.Key, "name": s.Name, "address": s.Address, "state": s.State, "lag_seconds": nil, "bytes": size(s.Behind)}
		if s.Lag >= 0 {
			r.Data["lag_seconds"] = s.Lag.Seconds()
		}
		rows = append(rows, r)
	}
	return rows
}

// lag of a standby that has nothing to replay is not measured by PostgreSQL.
func lag(d time.Duration) ui.Cell {
	switch {
	case d < 0:
		return pane.Text(ui.Dim, "lag "+ui.NotKnown)
	case d >= lagBad:
		return pane.Text(ui.Bad, ui.SignBad+" lag "+ui.Duration(d))
	case d >= lagWarn:
		return pane.Text(ui.Warn, ui.SignWarn+" lag "+ui.Duration(d))
	}
	return pane.Text(ui.Good, "lag "+ui.Duration(d))
}

// indexes counts those that cost writes and help nobody.
func (v view) indexes() []pane.Row {
	var twice, never, broken []string
	for _, t := range v.o.Tables {
		for _, i := range t.List {
			switch {
			case !i.Valid:
				broken = append(broken, i.Name)
			case i.DuplicateOf != "":
				twice = append(twice, i.Name)
			case t.Grading && i.Unused():
				never = append(never, i.Name)
			}
		}
	}
	if len(twice)+len(never)+len(broken) == 0 {
		return nil
	}
	count := func(names []string, word string) string {
		if len(names) == 0 {
			return ""
		}
		return ui.Count(int64(len(names))) + " " + word
	}
	says := pane.Joined(count(broken, "invalid"), count(twice, "there twice"), count(never, "never used"))
	r := figure("indexes", pane.Text(ui.Plain, says))
	for _, d := range []struct {
		word  string
		names []string
	}{{"Invalid", broken}, {"There twice", twice}, {"Never used since the statistics began", never}} {
		if len(d.names) > 0 {
			r.Detail = append(r.Detail, d.word+": "+strings.Join(d.names[:min(len(d.names), 12)], ", ")+".")
		}
	}
	r.Data = map[string]any{"kind": "indexes", "key": r.Key, "invalid": list(broken), "duplicate": list(twice), "unused": list(never)}
	return []pane.Row{r}
}

// list is never null for programs.
func list(names []string) []string { return append([]string{}, names...) }

// settings are those that matter in an incident.
func (v view) settings() []pane.Row {
	if len(v.o.Settings) == 0 {
		return nil
	}
	rows := []pane.Row{head("settings", "settings")}
	for _, s := range v.o.Settings {
		r := line("setting "+s.Name, pane.Text(ui.Plain, " "+ui.Fit(s.Name, 36)), pane.Text(ui.Strong, s.Value))
		if s.Restart {
			r.Cells = append(r.Cells, pane.Text(ui.Warn, ui.SignWarn+" another value waits for a restart"))
		}
		if s.Says != "" {
			r.Detail = []string{s.Says}
		}
		r.Data = map[string]any{"kind": "setting", "key": r.Key, "setting": s.Name, "value": s.Value, "pending_restart": s.Restart, "says": s.Says}
		rows = append(rows, r)
	}
	return rows
}

// since is the age of the counts, for headings.
func (v view) since(s storage.Statements) string {
	if s.Since.IsZero() {
		return "since the counts began"
	}
	return "in the last " + ui.Duration(v.o.At.Sub(s.Since))
}
