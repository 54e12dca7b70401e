package host

import (
	"math"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gradecockpit/probes/lab/labtest"
)

// Memory is what free says, but for what changes between two looks.
func TestMemoryIsThatOfFree(t *testing.T) {
	labtest.Need(t, "free")
	m := sample(t, New(Config{}).Probe()).Memory
	out, err := exec.Command("free", "-b").Output()
	must(t, err)
	lines := strings.Split(string(out), "\n")
	ram, swap := numbers(t, lines[1]), numbers(t, lines[2])
	if m.Total != ram[0] || m.SwapTotal != swap[0] {
		t.Errorf("total %d and %d of swap, free says %d and %d", m.Total, m.SwapTotal, ram[0], swap[0])
	}
	if far := math.Abs(float64(m.Available)-float64(ram[5])) / float64(m.Total); far > 0.2 {
		t.Errorf("available %d, free says %d", m.Available, ram[5])
	}
}

func numbers(t *testing.T, line string) (out []uint64) {
	t.Helper()
	for _, f := range strings.Fields(line)[1:] {
		n, err := strconv.ParseUint(f, 10, 64)
		must(t, err)
		out = append(out, n)
	}
	return out
}

func TestLoadAndKillsAreTheKernels(t *testing.T) {
	o := sample(t, New(Config{}).Probe())
	data, err := os.ReadFile("/proc/loadavg")
	must(t, err)
	if want, _ := strconv.ParseFloat(strings.Fields(string(data))[2], 64); !o.Load.Known || math.Abs(o.Load.Fifteen-want) > 0.5 {
		t.Errorf("load %v, want about %v", o.Load.Fifteen, want)
	}
	data, err = os.ReadFile("/proc/vmstat")
	must(t, err)
	if want, ok := number(string(data), "oom_kill"); ok != o.Kills.Known || o.Kills.Boot > want {
		t.Errorf("%+v, the kernel says %d", o.Kills, want)
	}
	data, err = os.ReadFile("/proc/sys/kernel/hostname")
	must(t, err)
	if o.Machine.Name != strings.TrimSpace(string(data)) {
		t.Errorf("this is %q", o.Machine.Name)
	}
	_, err = os.Stat("/proc/pressure/memory")
	if (err == nil) != (o.Memory.Pressure != nil) {
		t.Errorf("pressure: %+v, though %v", o.Memory.Pressure, err)
	}
}

func TestPressureOfEveryKernel(t *testing.T) {
	for text, want := range map[string]*Pressure{
		"some avg10=1.00 avg60=2.50 avg300=3.00 total=5\nfull avg10=0.00 avg60=0.75 avg300=0.00 total=4\n": {Some: 0.025, Full: 0.0075},
		"some avg10=0.00 avg60=4.00 avg300=0.00 total=5\n":                                                 {Some: 0.04},
		"":                        nil,
		"some avg60=nonsense":     nil,
		"Operation not permitted": nil,
	} {
		if diff := cmp.Diff(want, parsePressure(text)); diff != "" {
			t.Errorf("%q: %s", text, diff)
		}
	}
}

// Kills before the first look are old news, those after it are not.
func TestKillsWhileTheCockpitLooks(t *testing.T) {
	k, now := &killCount{}, time.Date(2026, 2, 1, 14, 0, 0, 0, time.UTC)
	if diff := cmp.Diff(Kills{Known: true, Boot: 7}, k.count(7, now)); diff != "" {
		t.Error(diff)
	}
	k.count(9, now.Add(time.Minute))
	if diff := cmp.Diff(Kills{Known: true, Boot: 9, Seen: 2, Last: now.Add(time.Minute)}, k.count(9, now.Add(time.Hour))); diff != "" {
		t.Error(diff)
	}
}

// Every part of the application is known by the titles that its processes have.
func TestProcessesOfTheApplication(t *testing.T) {
	if !alone(t) {
		return
	}
	started := map[string][]*exec.Cmd{}
	for _, p := range []struct{ kind, title string }{
		{"gunicorn", "gunicorn: master [core.wsgi]"}, {"gunicorn", "gunicorn: worker [core.wsgi]"}, {"celery", "[celeryd: celery@app1:MainProcess]"},
		{"postgres", "postgres: checkpointer "}, {"redis", "redis-server *:6379"}, {"nginx", "nginx: master process"}, {"", "vim nginx.conf"},
	} {
		started[p.kind] = append(started[p.kind], titled(t, p.title))
	}
	p := New(Config{}).Probe()
	got := map[string]Group{}
	for _, g := range sample(t, p).Groups {
		got[g.Name] = g
	}
	for kind, commands := range started {
		if kind != "" && got[kind].Count != len(commands) {
			t.Errorf("%s: %d processes, want %d", kind, got[kind].Count, len(commands))
		}
	}
	if len(got) != 5 {
		t.Errorf("there are %v", got)
	}
	rss := uint64(0)
	for _, c := range started["gunicorn"] {
		out, err := exec.Command("ps", "-o", "rss=", "-p", strconv.Itoa(c.Process.Pid)).Output()
		must(t, err)
		kb, err := strconv.ParseUint(strings.TrimSpace(string(out)), 10, 64)
		must(t, err)
		rss += kb << 10
	}
	if got["gunicorn"].RSS != rss {
		t.Errorf("gunicorn has %d bytes, ps says %d", got["gunicorn"].RSS, rss)
	}
	end(t, started["nginx"][0])
	if g := group(t, p, "nginx"); g.Gone.IsZero() || g.Count != 0 {
		t.Errorf("nginx is gone: %+v", g)
	}
	end(t, started["redis"][0])
	began := group(t, p, "redis").Since
	for end := time.Now().Add(time.Minute); ; {
		titled(t, "redis-server *:6379")
		if g := group(t, p, "redis"); g.Since.After(began) || time.Now().After(end) {
			if g.Restarts != 1 || !g.Gone.IsZero() {
				t.Errorf("redis was started anew: %+v", g)
			}
			break
		}
	}
}

func group(t *testing.T, p *Probe, name string) Group {
	t.Helper()
	for _, g := range sample(t, p).Groups {
		if g.Name == name {
			return g
		}
	}
	t.Fatalf("no %s", name)
	return Group{}
}

// titled runs a process under another title, and waits until it has it.
func titled(t *testing.T, title string) *exec.Cmd {
	t.Helper()
	sleep, err := exec.LookPath("sleep")
	must(t, err)
	c := &exec.Cmd{Path: sleep, Args: []string{title, "600"}}
	must(t, c.Start()) // returns after exec
	t.Cleanup(func() { end(t, c) })
	return c
}

func end(t *testing.T, c *exec.Cmd) {
	t.Helper()
	if c.ProcessState == nil {
		must(t, c.Process.Kill())
		_ = c.Wait() // says that it was killed
	}
}

func TestTitles(t *testing.T) {
	for command, want := range map[string]string{
		"/usr/bin/python3 /usr/local/bin/gunicorn core.wsgi --bind 0.0.0.0:8000": "gunicorn",
		"/usr/local/bin/python -m celery -A core worker":                         "celery",
		"/usr/bin/python3.11 /usr/bin/celery -A core worker":                     "celery",
		"python manage.py runserver 0.0.0.0:8000":                                "runserver",
		"/usr/lib/postgresql/15/bin/postgres -D /var/lib/postgresql/15/main":     "postgres",
		"/usr/bin/valkey-server 127.0.0.1:6379":                                  "redis",
		"grep celery django.log":                                                 "",
		"python3 script.py":                                                      "",
		"tail -F gunicorn":                                                       "",
	} {
		if got := kindOfWords(strings.Fields(command)); got != want {
			t.Errorf("%q is %q, want %q", command, got, want)
		}
	}
}
