package host

import (
	"cmp"
	"context"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/shirou/gopsutil/v4/process"

	"gradecockpit/probes/clean"
)

// maxProcesses bounds one look: a machine with more has a trouble of its own.
const maxProcesses = 20000

// keptRestarts is of how many restarts of a part the time is kept.
const keptRestarts = 10

// kinds are the parts of the application, in the order of the screen.
var kinds = []string{"gunicorn", "runserver", "celery", "postgres", "redis", "nginx"}

// member is a process of a part of the application.
type member struct {
	pid     int32
	created time.Time
	rss     uint64
}

// processes counts the application's processes. One that ends while it is
// looked at is left out.
func (p *Probe) processes(ctx context.Context) []Group {
	pids, err := process.PidsWithContext(ctx)
	if err != nil {
		return nil
	}
	found := map[string][]member{}
	for _, pid := range pids[:min(len(pids), maxProcesses)] {
		if ctx.Err() != nil {
			return nil
		}
		proc := &process.Process{Pid: pid}
		kind := kindOf(ctx, proc)
		if kind == "" {
			continue
		}
		if m, ok := memberOf(ctx, proc); ok {
			found[kind] = append(found[kind], m)
		}
	}
	return p.group(found)
}

// kindOf tells which part a process belongs to, by its name and the first words
// of its command: Python's programs are arguments of the interpreter, and
// gunicorn and Celery may write a title over theirs.
func kindOf(ctx context.Context, proc *process.Process) string {
	words, err := proc.CmdlineSliceWithContext(ctx)
	if err != nil || len(words) == 0 {
		return "" // also the kernel's own threads
	}
	return kindOfWords(words)
}

func kindOfWords(words []string) string {
	first := program(words[0])
	switch {
	case first == "postgres" || first == "postmaster":
		return "postgres"
	case first == "redis-server" || first == "valkey-server":
		return "redis"
	case first == "nginx" || first == "gunicorn":
		return first
	case first == "celery" || first == "celeryd":
		return "celery"
	case !strings.HasPrefix(first, "python"):
		return ""
	}
	for i, w := range words[1:min(len(words), 5)] {
		switch name := program(w); {
		case name == "gunicorn" || name == "celery":
			return name
		case name == "runserver" && program(words[i]) == "manage.py":
			return "runserver"
		}
	}
	return ""
}

// program is the name in a word of a command: "[celeryd: w1@app1:MainProcess]",
// "gunicorn: master [core]" and "/usr/sbin/nginx" begin with it.
func program(word string) string {
	word = strings.TrimPrefix(word, "[")
	word, _, _ = strings.Cut(word, ":")
	word, _, _ = strings.Cut(word, " ")
	return filepath.Base(word)
}

func memberOf(ctx context.Context, proc *process.Process) (m member, ok bool) {
	created, err := proc.CreateTimeWithContext(ctx)
	if err != nil {
		return m, false
	}
	m = member{pid: proc.Pid, created: time.UnixMilli(created)}
	if info, err := proc.MemoryInfoWithContext(ctx); err == nil {
		m.rss = info.RSS
	}
	return m, true
}

// group puts the processes together and compares them with the last look. The
// oldest of a part is its master: a new oldest one is a restart.
func (p *Probe) group(found map[string][]member) []Group {
	var all []Group
	for _, kind := range kinds {
		members, before := found[kind], p.groups[kind]
		if len(members) == 0 && before == nil {
			continue
		}
		g := Group{Name: kind, Count: len(members)}
		if before != nil {
			g.Since, g.Restarts, g.Restarted, g.Gone = before.Since, before.Restarts, before.Restarted, before.Gone
		}
		p.compare(&g, members, before)
		p.groups[kind] = &g
		all = append(all, g)
	}
	return all
}

func (p *Probe) compare(g *Group, members []member, before *Group) {
	if len(members) == 0 {
		if g.Gone.IsZero() {
			g.Gone = p.now()
		}
		return
	}
	oldest := slices.MinFunc(members, func(a, b member) int { return cmp.Compare(a.created.UnixNano(), b.created.UnixNano()) })
	if before != nil && oldest.created.After(before.Since) {
		g.Restarts++
		g.Restarted = append(slices.Clone(g.Restarted), p.now()) // the payload of the last look has the other
		g.Restarted = g.Restarted[max(0, len(g.Restarted)-keptRestarts):]
	}
	g.Since, g.Gone = oldest.created, time.Time{}
	for _, m := range members {
		g.RSS += m.rss
	}
	g.Cgroups = cgroups(members)
}

// maxCgroups bounds those of one part; one a container is usual.
const maxCgroups = 8

// cgroups reads the limits under which the processes run: what a container may
// use is less than what the machine has.
func cgroups(members []member) []Cgroup {
	var all []Cgroup
	seen := map[string]bool{}
	for _, m := range members {
		path := cgroupOf(m.pid)
		if path == "" || seen[path] || len(all) == maxCgroups {
			continue
		}
		seen[path] = true
		if c, ok := readCgroup(path); ok {
			all = append(all, c)
		}
	}
	return all
}

// cgroupOf is the path of a process's group in the unified hierarchy (version
// 2); "" where there is none.
func cgroupOf(pid int32) string {
	data, err := readSmall("/proc/" + strconv.Itoa(int(pid)) + "/cgroup")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(data) {
		if path, ok := strings.CutPrefix(strings.TrimSpace(line), "0::"); ok && !strings.Contains(path, "..") {
			return path
		}
	}
	return ""
}

func readCgroup(path string) (c Cgroup, ok bool) {
	dir := filepath.Join("/sys/fs/cgroup", path)
	events, err := readSmall(filepath.Join(dir, "memory.events"))
	if err != nil {
		return c, false
	}
	c.Name = clean.Capped(filepath.Base(path), 40)
	c.Kills, _ = number(events, "oom_kill")
	c.Limit, c.Used = bytesIn(dir, "memory.max"), bytesIn(dir, "memory.current")
	return c, true
}

// bytesIn reads a number; "max", which is no limit, is 0.
func bytesIn(dir, name string) uint64 {
	data, err := readSmall(filepath.Join(dir, name))
	if err != nil {
		return 0
	}
	n, _ := strconv.ParseUint(strings.TrimSpace(data), 10, 64)
	return n
}
