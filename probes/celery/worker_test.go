package celery_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/redis/go-redis/v9"

	"gradecockpit/probes/celery"
	"gradecockpit/probes/lab"
	"gradecockpit/probes/lab/labtest"
)

// python finds an interpreter that has Celery.
func python(t testing.TB) string {
	t.Helper()
	for _, name := range []string{"python3", "/usr/bin/python3"} {
		if exec.Command(name, "-c", "import celery, redis").Run() == nil {
			return name
		}
	}
	labtest.Missing(t, "this test needs a python3 with the packages celery and redis (Debian: python3-celery, python3-redis)")
	return ""
}

// workerOptions shape a worker of testdata/tinyapp.py; the zero value takes
// the default queue of the server's database 0, one task at a time.
type workerOptions struct {
	name    string         // "w1@test"
	broker  string         // URL; "" is the server's
	dialect string         // "playbook", else deployed
	channel string         // where it listens
	conf    map[string]any // settings of the application
	env     []string       // further environment
	args    []string       // further arguments of "celery worker"
}

// realProcess is a running worker: a main process and the children of its pool
// in a process group of their own.
type realProcess struct {
	name string
	cmd  *exec.Cmd
	log  string
	done bool
}

// realWorker starts a worker with all defaults and waits until it listens.
func realWorker(t testing.TB, s *lab.RedisServer, c *redis.Client) {
	t.Helper()
	startWorker(t, s, c, workerOptions{})
}

// startWorker starts a worker and waits until it listens. Its behaviour keys
// and the notes of its runs are in s, read by c.
func startWorker(t testing.TB, s *lab.RedisServer, c *redis.Client, o workerOptions) *realProcess {
	t.Helper()
	o.name = or(o.name, "w1@test")
	o.channel = or(o.channel, celery.Names{}.ControlChannel())
	before := c.Publish(t.Context(), o.channel, "").Val()
	p := &realProcess{name: o.name, log: filepath.Join(t.TempDir(), "worker.log")}
	p.cmd = workerCommand(t, s, o, "worker", "-c", "1", "-n", o.name, "--loglevel", "WARNING")
	p.cmd.Args = append(p.cmd.Args, o.args...)
	logFile, err := os.Create(p.log)
	if err != nil {
		t.Fatal(err)
	}
	p.cmd.Stdout, p.cmd.Stderr = logFile, logFile
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.kill()
		if text, _ := os.ReadFile(p.log); t.Failed() {
			t.Logf("the log of %s:\n%s", p.name, text)
		}
		_ = logFile.Close()
	})
	// Workers pass over an empty message, so this counts and does nothing.
	eventually(t, func() bool { return c.Publish(t.Context(), o.channel, "").Val() > before })
	return p
}

// workerCommand prepares "celery -A tinyapp …", also for inspect.
func workerCommand(t testing.TB, s *lab.RedisServer, o workerOptions, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(python(t), append([]string{"-m", "celery", "-A", "tinyapp"}, args...)...)
	cmd.Dir = "testdata"
	side := "redis://" + s.Options().Addr
	if s.Options().Network == "unix" {
		side = "unix://" + s.Options().Addr
	}
	if o.conf == nil {
		o.conf = map[string]any{}
	}
	conf, err := json.Marshal(o.conf)
	if err != nil {
		t.Fatal(err)
	}
	cmd.Env = append(os.Environ(), "CELERY_BROKER_URL="+or(o.broker, s.URL()), "SIDE_URL="+side, "DIALECT="+o.dialect,
		"CELERY_CONF="+string(conf), "C_FORCE_ROOT=1", "PYTHONDONTWRITEBYTECODE=1")
	cmd.Env = append(cmd.Env, o.env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return cmd
}

func or(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// signal reaches the main process only.
func (p *realProcess) signal(sig syscall.Signal) { _ = syscall.Kill(p.cmd.Process.Pid, sig) }

// kill is SIGKILL for the main process and its children, and waits.
func (p *realProcess) kill() {
	if p.done {
		return
	}
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	p.wait()
}

// wait until the process has ended by itself.
func (p *realProcess) wait() {
	p.done = true
	_ = p.cmd.Wait()
}
