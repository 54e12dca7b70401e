package host

import (
	"context"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/shirou/gopsutil/v4/host"
	"github.com/shirou/gopsutil/v4/load"
	"github.com/shirou/gopsutil/v4/mem"

	"gradecockpit/probes/clean"
)

func machine(ctx context.Context) Machine {
	m := Machine{Name: "this machine", Container: contained()}
	if name, err := os.Hostname(); err == nil {
		m.Name = clean.Capped(name, 64)
	}
	if boot, err := host.BootTimeWithContext(ctx); err == nil && boot > 0 {
		m.Booted = time.Unix(int64(boot), 0)
	}
	return m
}

// contained tells whether this process runs in a container, by the marks that
// Docker, Podman and Kubernetes leave.
func contained() bool {
	for _, mark := range []string{"/.dockerenv", "/run/.containerenv", "/var/run/secrets/kubernetes.io"} {
		if _, err := os.Lstat(mark); err == nil {
			return true
		}
	}
	return false
}

func memory(ctx context.Context) (m Memory) {
	v, err := mem.VirtualMemoryWithContext(ctx)
	if err != nil || v.Total == 0 {
		return m
	}
	m = Memory{Known: true, Total: v.Total, Available: v.Available, Pressure: pressure("memory"), IO: pressure("io")}
	if s, err := mem.SwapMemoryWithContext(ctx); err == nil {
		m.SwapTotal, m.Swap = s.Total, s.Used
	}
	return m
}

func cpuLoad(ctx context.Context) Load {
	l, err := load.AvgWithContext(ctx)
	if err != nil {
		return Load{}
	}
	return Load{Known: true, One: l.Load1, Five: l.Load5, Fifteen: l.Load15, CPUs: runtime.NumCPU()}
}

// pressure reads Linux's pressure stall information of one resource.
func pressure(resource string) *Pressure {
	data, err := readSmall("/proc/pressure/" + resource)
	if err != nil {
		return nil
	}
	return parsePressure(data)
}

// parsePressure takes the averages over a minute:
//
//	some avg10=0.00 avg60=1.20 avg300=0.40 total=1234
//	full avg10=0.00 avg60=0.10 avg300=0.00 total=123
func parsePressure(data string) *Pressure {
	p, known := &Pressure{}, false
	for line := range strings.Lines(data) {
		kind, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		for field := range strings.FieldsSeq(rest) {
			text, ok := strings.CutPrefix(field, "avg60=")
			percent, err := strconv.ParseFloat(text, 64)
			if !ok || err != nil {
				continue
			}
			switch kind {
			case "some":
				p.Some, known = percent/100, true
			case "full":
				p.Full = percent / 100
			}
		}
	}
	if !known {
		return nil
	}
	return p
}

// readSmall reads a file of /proc or /sys, whose sizes are not told beforehand.
func readSmall(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	buf := make([]byte, 64<<10)
	n, err := f.Read(buf)
	if n == 0 && err != nil {
		return "", err
	}
	return string(buf[:n]), nil
}

// number finds "name 123" in a file of such lines.
func number(data, name string) (uint64, bool) {
	for line := range strings.Lines(data) {
		if rest, ok := strings.CutPrefix(line, name+" "); ok {
			n, err := strconv.ParseUint(strings.TrimSpace(rest), 10, 64)
			return n, err == nil
		}
	}
	return 0, false
}

// killCount follows the kernel's count of OOM kills, which only grows.
type killCount struct {
	begun bool
	first uint64
	last  uint64
	at    time.Time
}

// look reads the count. The kernel's log would tell who was killed; it is not
// asked, because reading it needs rights that a cockpit should not have.
func (k *killCount) look(now time.Time) Kills {
	data, err := readSmall("/proc/vmstat")
	if err != nil {
		return Kills{}
	}
	n, ok := number(data, "oom_kill")
	if !ok {
		return Kills{}
	}
	return k.count(n, now)
}

func (k *killCount) count(n uint64, now time.Time) Kills {
	switch {
	case !k.begun:
		k.begun, k.first, k.last = true, n, n
	case n > k.last:
		k.last, k.at = n, now
	}
	return Kills{Known: true, Boot: k.last, Seen: k.last - k.first, Last: k.at}
}
