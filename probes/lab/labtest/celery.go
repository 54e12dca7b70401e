package labtest

import (
	_ "embed"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"gradecockpit/probes/lab"
)

// tinyapp is a Celery application with the two tasks of the grading system.
//
//go:embed celeryapp/tinyapp.py
var tinyapp []byte

// Python finds an interpreter that has Celery; without one the test is skipped.
// With -short it is too: Celery's seconds are not ours.
func Python(t testing.TB) string {
	t.Helper()
	Long(t)
	name := python()
	if name == "" {
		Missing(t, "this test needs a python3 with the packages celery and redis (Debian: python3-celery, python3-redis)")
	}
	return name
}

var python = sync.OnceValue(func() string {
	for _, name := range []string{"python3", "/usr/bin/python3"} {
		if exec.Command(name, "-c", "import celery, redis").Run() == nil {
			return name
		}
	}
	return ""
})

// CeleryOptions shape a real worker; the zero value takes the default queue of
// the server's database 0, one task at a time.
type CeleryOptions struct {
	Name    string         // "w1@test"
	Broker  string         // URL; "" is the server's
	Dialect string         // "playbook", else deployed
	Channel string         // where it listens; "" is Celery's default
	Conf    map[string]any // settings of the application
	Env     []string       // further environment
	Args    []string       // further arguments of "celery worker"
}

// CeleryWorker is a running worker: a main process and the children of its
// pool in a process group of their own.
type CeleryWorker struct {
	Name string
	cmd  *exec.Cmd
	log  string
	done bool
}

// Celery starts a real worker of a small application and waits until it
// listens; it is killed when the test ends, and its log shown where that
// failed. What its tasks do is told by keys in s (celeryapp/tinyapp.py), and
// every run is noted there, read by c.
func Celery(t testing.TB, s *lab.RedisServer, c *redis.Client, o CeleryOptions) *CeleryWorker {
	t.Helper()
	o.Name, o.Channel = or(o.Name, "w1@test"), or(o.Channel, "/0.celery.pidbox")
	// Workers pass over an empty message, so this counts and does nothing.
	listening := func() int64 { return c.Publish(t.Context(), o.Channel, "").Val() }
	before := listening()
	p := &CeleryWorker{Name: o.Name, log: filepath.Join(t.TempDir(), "worker.log")}
	p.cmd = CeleryCommand(t, s, o, append([]string{"worker", "-c", "1", "-n", o.Name, "--loglevel", "WARNING"}, o.Args...)...)
	logFile, err := os.Create(p.log)
	if err != nil {
		t.Fatal(err)
	}
	p.cmd.Stdout, p.cmd.Stderr = logFile, logFile
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Kill()
		if text, _ := os.ReadFile(p.log); t.Failed() {
			t.Logf("the log of %s:\n%s", p.Name, text)
		}
		_ = logFile.Close()
	})
	Eventually(t, func() bool { return listening() > before })
	return p
}

// CeleryCommand prepares "celery -A tinyapp …".
func CeleryCommand(t testing.TB, s *lab.RedisServer, o CeleryOptions, args ...string) *exec.Cmd {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "tinyapp.py"), tinyapp, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(Python(t), append([]string{"-m", "celery", "-A", "tinyapp"}, args...)...)
	cmd.Dir = dir
	side := "redis://" + s.Options().Addr
	if s.Options().Network == "unix" {
		side = "unix://" + s.Options().Addr
	}
	if o.Conf == nil {
		o.Conf = map[string]any{}
	}
	conf, err := json.Marshal(o.Conf)
	if err != nil {
		t.Fatal(err)
	}
	cmd.Env = append(os.Environ(), "CELERY_BROKER_URL="+or(o.Broker, s.URL()), "SIDE_URL="+side, "DIALECT="+o.Dialect,
		"CELERY_CONF="+string(conf), "C_FORCE_ROOT=1", "PYTHONDONTWRITEBYTECODE=1")
	cmd.Env = append(cmd.Env, o.Env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return cmd
}

// PID is that of the main process.
func (p *CeleryWorker) PID() int { return p.cmd.Process.Pid }

// Signal reaches the main process only.
func (p *CeleryWorker) Signal(sig syscall.Signal) { _ = syscall.Kill(p.PID(), sig) }

// Kill is SIGKILL for the main process and its children, and waits.
func (p *CeleryWorker) Kill() {
	if p.done {
		return
	}
	_ = syscall.Kill(-p.PID(), syscall.SIGKILL)
	p.Wait()
}

// Wait waits until the process has ended by itself.
func (p *CeleryWorker) Wait() {
	p.done = true
	_ = p.cmd.Wait()
}

// Eventually polls a condition of another process, for patience at most.
func Eventually(t testing.TB, done func() bool) {
	t.Helper()
	for start := time.Now(); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Since(start) > patience {
			t.Fatalf("waited %s in vain", patience)
		}
	}
}

func or(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
