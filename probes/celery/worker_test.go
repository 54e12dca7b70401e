package celery_test

import (
	"os/exec"
	"syscall"
	"testing"

	"github.com/redis/go-redis/v9"

	"gradecockpit/probes/lab"
	"gradecockpit/probes/lab/labtest"
)

func python(t testing.TB) string { return labtest.Python(t) }

// workerOptions shape a real worker; the zero value takes the default queue of
// the server's database 0, one task at a time.
type workerOptions struct {
	name    string         // "w1@test"
	broker  string         // URL; "" is the server's
	dialect string         // "playbook", else deployed
	channel string         // where it listens
	conf    map[string]any // settings of the application
	env     []string       // further environment
	args    []string       // further arguments of "celery worker"
}

func (o workerOptions) real() labtest.CeleryOptions {
	return labtest.CeleryOptions{Name: o.name, Broker: o.broker, Dialect: o.dialect, Channel: o.channel, Conf: o.conf, Env: o.env, Args: o.args}
}

type realProcess struct{ *labtest.CeleryWorker }

// realWorker starts a worker with all defaults and waits until it listens.
func realWorker(t testing.TB, s *lab.RedisServer, c *redis.Client) {
	t.Helper()
	startWorker(t, s, c, workerOptions{})
}

// startWorker starts a worker and waits until it listens. Its behaviour keys
// and the notes of its runs are in s, read by c.
func startWorker(t testing.TB, s *lab.RedisServer, c *redis.Client, o workerOptions) *realProcess {
	t.Helper()
	return &realProcess{labtest.Celery(t, s, c, o.real())}
}

// workerCommand prepares "celery -A tinyapp …", also for inspect.
func workerCommand(t testing.TB, s *lab.RedisServer, o workerOptions, args ...string) *exec.Cmd {
	t.Helper()
	return labtest.CeleryCommand(t, s, o.real(), args...)
}

func (p *realProcess) signal(sig syscall.Signal) { p.Signal(sig) }
func (p *realProcess) kill()                     { p.Kill() }
func (p *realProcess) wait()                     { p.Wait() }
