package diagnosis

import (
	"fmt"
	"time"

	"gradecockpit/probes"
	"gradecockpit/probes/host"
)

const (
	scarceMemory  = 0.05 // of the machine's memory available
	pressedMemory = 0.10 // share of time in which tasks waited for memory
	killedLately  = time.Hour
	limitedMemory = 0.95 // of a container's limit in use
)

// outOfMemory: the kernel ended processes. A worker's task then says STARTED for
// ever and its message is held by nobody.
func outOfMemory() Rule {
	return Rule{
		ID: "out-of-memory", Title: "The kernel killed processes for want of memory", Scenario: ImportStuck, Section: "3.3",
		Needs: []probes.ID{host.ID}, Explains: []string{"worker-oom", "memory-pressure", "lost-task", "process-restarts"},
		Judge: func(in Input) ([]Finding, string) {
			o, _ := current[host.Overview](in, host.ID)
			if !o.Kills.Known {
				return nil, "This machine does not tell how many processes the kernel killed."
			}
			if o.Kills.Seen == 0 || in.Now.Sub(o.Kills.Last) > killedLately {
				return nil, ""
			}
			f := Finding{
				Says:       fmt.Sprintf("The kernel killed %s for want of memory, the last %s.", number(int(o.Kills.Seen), "process"), ago(in.Now.Sub(o.Kills.Last))),
				Confidence: Certain, Severity: P1, CopyCount: -1, UserCount: -1, Since: o.Kills.Last,
				Evidence: []Evidence{{From: host.ID, Says: fmt.Sprintf("%d killed since the machine started, %d of them while the cockpit looked", o.Kills.Boot, o.Kills.Seen), Kind: "pane", ID: "host"}},
				Mind:     "The kernel's log names other programs: journalctl -k | grep -i 'out of memory'.",
				Advice:   []string{"journalctl -k --since -1h | grep -iE 'out of memory|oom-kill'", "Start the worker with --max-memory-per-child=400000 (KiB), so that a child that grew ends after its task."},
				Harm:     "Do not retry the largest import first: it ends the same way.",
			}
			f.Evidence = append(f.Evidence, memoryOf(o)...)
			return []Finding{f}, ""
		},
	}
}

// memoryOf says what memory there is, and which containers are at their limit.
func memoryOf(o host.Overview) (out []Evidence) {
	add := func(says string) { out = append(out, Evidence{From: host.ID, Says: says, Kind: "pane", ID: "host"}) }
	if o.Memory.Known {
		add(fmt.Sprintf("%s of %s available", bytesOf(float64(o.Memory.Available)), bytesOf(float64(o.Memory.Total))))
	}
	if p := o.Memory.Pressure; p != nil && p.Some > 0.01 {
		add(fmt.Sprintf("tasks waited for memory %s of the last minute", share(p.Some)))
	}
	for _, g := range o.Groups {
		for _, c := range g.Cgroups {
			if c.Limit > 0 && float64(c.Used) >= limitedMemory*float64(c.Limit) {
				add(fmt.Sprintf("%s in %s uses %s of its limit of %s", g.Name, c.Name, bytesOf(float64(c.Used)), bytesOf(float64(c.Limit))))
			}
		}
	}
	return out
}

// memoryPressure: everything waits for pages, and the next thing is a kill.
func memoryPressure() Rule {
	return Rule{
		ID: "memory-pressure", Title: "The machine is short of memory", Scenario: HighLatency,
		Needs: []probes.ID{host.ID}, Explains: []string{"slow-endpoint"},
		Judge: func(in Input) ([]Finding, string) {
			o, _ := current[host.Overview](in, host.ID)
			m := o.Memory
			if !m.Known || m.Total == 0 {
				return nil, "This machine does not tell how much memory is free."
			}
			free := float64(m.Available) / float64(m.Total)
			pressed := m.Pressure != nil && m.Pressure.Some >= pressedMemory
			if free >= scarceMemory && !pressed {
				return nil, ""
			}
			f := Finding{
				Says:       fmt.Sprintf("%s of the memory is available.", share(free)),
				Confidence: Possible, Severity: P2, CopyCount: -1, UserCount: -1, Evidence: memoryOf(o),
				Mind:   "Pressure is near zero: then the memory is well used, not short.",
				Advice: []string{"ps -eo pid,rss,args --sort=-rss | head -15"},
			}
			switch {
			case pressed && free < scarceMemory:
				f.Confidence = Likely
			case pressed: // a container at its limit waits for pages while the machine has plenty
				f.Says = fmt.Sprintf("Tasks waited for memory %s of the last minute, with %s of it available: a container is at its limit, or the pages come from swap.", share(m.Pressure.Some), share(free))
			}
			return []Finding{f}, ""
		},
	}
}
