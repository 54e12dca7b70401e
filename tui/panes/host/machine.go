package host

import (
	"fmt"
	"time"

	"gradecockpit/probes/host"
	"gradecockpit/tui/pane"
	"gradecockpit/tui/ui"
)

// What counts as trouble: less memory left than this is little, or all tasks
// waiting for it for this share of a minute; a run queue of this many times the
// CPUs.
const (
	littleLeft, hardlyAny = 0.15, 0.05
	waits, stalls         = 0.01, 0.1
	busy, overrun         = 1.0, 4.0
)

// used is the share of memory in use, 0…1: what is not available to programs.
func used(m host.Memory) float64 {
	return 1 - float64(min(m.Available, m.Total))/float64(m.Total)
}

// state is memory, load and OOM kills, a line each.
func (v view) state() []pane.Row {
	return []pane.Row{v.memory(), v.load(), v.kills()}
}

func judged(key string, j verdict, says string, data map[string]any) pane.Row {
	r := line(key, pane.Text(j.tone, j.sign), pane.Text(toneOf(j), says))
	data["kind"], data["key"], data["verdict"] = key, key, j.word
	r.Data = data
	return r
}

// toneOf keeps what is fine in the plain colour.
func toneOf(j verdict) ui.Tone {
	if j == fine {
		return ui.Plain
	}
	return j.tone
}

func (v view) memory() pane.Row {
	m := v.o.Memory
	if !m.Known {
		return judged("memory", unknown, "memory is not known", map[string]any{"available_bytes": nil, "total_bytes": nil})
	}
	swap := "no swap"
	if m.SwapTotal > 0 {
		swap = fmt.Sprintf("swap %s of %s", ui.Bytes(m.Swap), ui.Bytes(m.SwapTotal))
	}
	says := pane.Joined(fmt.Sprintf("memory %s of %s", ui.Percent(used(m)), ui.Bytes(m.Total)), ui.Bytes(m.Available)+" left", waiting("memory", m.Pressure), swap, waiting("disks", m.IO))
	data := map[string]any{"available_bytes": m.Available, "total_bytes": m.Total, "swap_used_bytes": m.Swap, "swap_bytes": m.SwapTotal, "pressure_full_share": nil, "io_pressure_full_share": nil}
	for name, p := range map[string]*host.Pressure{"pressure_full_share": m.Pressure, "io_pressure_full_share": m.IO} {
		if p != nil {
			data[name] = p.Full
		}
	}
	return judged("memory", judgeMemory(m), says, data)
}

func judgeMemory(m host.Memory) verdict {
	left, full := 1-used(m), 0.0
	if m.Pressure != nil {
		full = m.Pressure.Full
	}
	switch {
	case left < hardlyAny || full >= stalls:
		return critical
	case left < littleLeft || full >= waits:
		return warning
	}
	return fine
}

// waiting is said when tasks wait noticeably.
func waiting(what string, p *host.Pressure) string {
	if p == nil || p.Some < waits {
		return ""
	}
	return "waits for " + what + " " + ui.Percent(p.Some) + " of a minute"
}

func (v view) load() pane.Row {
	l := v.o.Load
	if !l.Known || l.CPUs == 0 {
		return judged("load", unknown, "load is not known", map[string]any{"load": nil, "cpus": nil})
	}
	j := fine
	switch each := l.Five / float64(l.CPUs); {
	case each >= overrun:
		j = critical
	case each > busy:
		j = warning
	}
	return judged("load", j, fmt.Sprintf("load %.1f %.1f %.1f on %s", l.One, l.Five, l.Fifteen, ui.Plural(l.CPUs, "CPU")),
		map[string]any{"load": []float64{l.One, l.Five, l.Fifteen}, "cpus": l.CPUs})
}

func (v view) kills() pane.Row {
	k := v.o.Kills
	since := "since boot"
	if !v.o.Machine.Booted.IsZero() {
		since += " " + ui.Ago(v.in.Now.Sub(v.o.Machine.Booted))
	}
	data := map[string]any{"count": k.Boot, "seen": k.Seen, "last_noticed": nil}
	switch {
	case !k.Known:
		return judged("oom", unknown, "OOM kills are not visible here", map[string]any{"count": nil})
	case k.Boot == 0:
		return judged("oom", fine, "no OOM kill "+since, data)
	case k.Seen > 0:
		data["last_noticed"] = k.Last.UTC().Format(time.RFC3339)
		return judged("oom", critical, pane.Joined(ui.Plural(int(k.Boot), "OOM kill")+" "+since, "the last noticed "+ui.Ago(v.in.Now.Sub(k.Last))), data)
	}
	return judged("oom", warning, ui.Plural(int(k.Boot), "OOM kill")+" "+since+", none since the cockpit looks", data)
}

// processes is a line for each part of the application, and one for each limit
// on memory that it runs under.
func (v view) processes() []pane.Row {
	if len(v.o.Groups) == 0 {
		return nil
	}
	rows := []pane.Row{heading("processes")}
	for _, g := range v.o.Groups {
		rows = append(rows, v.group(g))
		for _, c := range g.Cgroups {
			if c.Limit > 0 || c.Kills > 0 {
				rows = append(rows, v.cgroup(g, c))
			}
		}
	}
	return rows
}

func (v view) group(g host.Group) pane.Row {
	r := line("process "+g.Name, pane.Text(ui.Plain, " "+ui.Fit(g.Name, 9)))
	if !g.Gone.IsZero() {
		r.Cells = append(r.Cells, pane.Text(ui.Bad, ui.SignBad+" gone for "+ui.Duration(v.in.Now.Sub(g.Gone))))
	} else {
		count := ui.Plural(g.Count, "process")
		if g.Count != 1 {
			count = ui.Count(int64(g.Count)) + " processes"
		}
		r.Cells = append(r.Cells, pane.Text(ui.Plain, ui.FitRight(count, 13)), pane.Text(ui.Strong, ui.FitRight(ui.Bytes(g.RSS), 5)),
			pane.Text(ui.Dim, "up "+ui.Duration(v.in.Now.Sub(g.Since))))
	}
	if g.Restarts > 0 {
		r.Cells = append(r.Cells, pane.Text(ui.Warn, ui.SignWarn+" seen to restart "+times(g.Restarts)))
	}
	r.Detail = []string{"Memory that several processes share is counted in each of them."}
	r.Data = map[string]any{"kind": "process", "key": r.Key, "name": g.Name, "count": g.Count, "rss_bytes": g.RSS, "up_seconds": int(v.in.Now.Sub(g.Since).Seconds()), "restarts_seen": g.Restarts, "gone": !g.Gone.IsZero()}
	return r
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return ui.Count(int64(n)) + " times"
}

func (v view) cgroup(g host.Group, c host.Cgroup) pane.Row {
	j, says := fine, c.Name+": "+ui.Bytes(c.Used)
	if c.Limit > 0 {
		j = v.judge(float64(c.Used)/float64(c.Limit), true)
		says += " of " + ui.Bytes(c.Limit)
	}
	if c.Kills > 0 {
		j, says = critical, pane.Joined(says, ui.Plural(int(c.Kills), "OOM kill"))
	}
	r := line("cgroup "+g.Name+" "+c.Name, pane.Text(ui.Plain, ui.Blank(10)), pane.Text(j.tone, j.sign), pane.Text(toneOf(j), says))
	r.Data = map[string]any{"kind": "cgroup", "key": r.Key, "process": g.Name, "name": c.Name, "used_bytes": c.Used, "limit_bytes": nil, "oom_kills": c.Kills, "verdict": j.word}
	if c.Limit > 0 {
		r.Data["limit_bytes"] = c.Limit
	}
	return r
}
