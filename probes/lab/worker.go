package lab

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// Worker is the compose service that runs the application's tasks: at most one
// process at a time, which can be killed, frozen and started on other queues.
type Worker struct {
	cfg workerConfig

	mu      sync.Mutex
	process *workerProcess
	nextPID int
	restart *time.Timer // the pending restart after a crash
	closed  bool
	wg      sync.WaitGroup
}

// workerConfig is what stays the same over restarts.
type workerConfig struct {
	name        string // "celery@app1"
	concurrency int
	prefetch    int // messages held unacknowledged, beyond those that run
	redis       *redis.Options
	tasks       taskTable
	rateLimits  map[string]string // shown by registered; "" none
	routes      object            // shown by conf; nil none
	crashDelay  time.Duration     // how long the restart policy waits
}

func newWorker(cfg workerConfig) *Worker { return &Worker{cfg: cfg, nextPID: 7} }

// Name is the node name, "celery@app1".
func (w *Worker) Name() string { return w.cfg.name }

// Start runs a new process that takes the given queues; no names means
// Celery's default queue. A process that runs already is killed first.
func (w *Worker) Start(ctx context.Context, queues ...string) error {
	if len(queues) == 0 {
		queues = []string{"celery"}
	}
	w.Kill()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return fmt.Errorf("start the worker: the world is closed")
	}
	p, err := startWorkerProcess(ctx, w.cfg, w.nextPID, queues, func(p *workerProcess) { w.crashed(p, queues) })
	if err != nil {
		return fmt.Errorf("start the worker: %w", err)
	}
	w.nextPID += w.cfg.concurrency + 5
	w.process = p
	return nil
}

// Kill is SIGKILL and an end to restarts: what the process held stays in
// unacked, what it ran is lost, and its result says STARTED for ever.
func (w *Worker) Kill() {
	if p := w.take(); p != nil {
		p.kill()
	}
}

// Stop is SIGTERM: running tasks end, held messages go back to their queues.
func (w *Worker) Stop(ctx context.Context) error {
	if p := w.take(); p != nil {
		return p.stop(ctx)
	}
	return nil
}

func (w *Worker) take() *workerProcess {
	w.mu.Lock()
	defer w.mu.Unlock()
	p := w.process
	w.process = nil
	if w.restart != nil {
		w.restart.Stop()
		w.restart = nil
	}
	return p
}

// Pause is SIGSTOP: connections stay, nothing is answered, nothing runs on.
func (w *Worker) Pause() { w.each((*workerProcess).pause) }

// Resume is SIGCONT; what arrived meanwhile is answered now.
func (w *Worker) Resume() { w.each((*workerProcess).resume) }

// deafen has the process listen and fetch no more, while it stays connected and
// sends heartbeats: what an old kombu does when Redis restarts.
func (w *Worker) deafen() { w.each((*workerProcess).deafen) }

// Alive tells whether a process runs, frozen or not.
func (w *Worker) Alive() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.process != nil
}

// Busy is the number of tasks that run now.
func (w *Worker) Busy() int {
	n := 0
	w.each(func(p *workerProcess) { n = len(p.list(isRunning)) })
	return n
}

func (w *Worker) each(do func(*workerProcess)) {
	w.mu.Lock()
	p := w.process
	w.mu.Unlock()
	if p != nil {
		do(p)
	}
}

// crashed is called by a process that met a poison message. The container's
// restart policy starts the next one, which may meet it again.
func (w *Worker) crashed(p *workerProcess, queues []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.process != p || w.closed {
		return
	}
	w.process = nil
	w.wg.Go(p.kill)
	w.restart = time.AfterFunc(w.cfg.crashDelay, func() { w.revive(queues) })
}

func (w *Worker) revive(queues []string) {
	w.mu.Lock()
	due := w.restart != nil && !w.closed
	w.mu.Unlock()
	if !due {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_ = w.Start(ctx, queues...) // a world that closes meanwhile refuses
}

// close kills the process for good.
func (w *Worker) close() {
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	w.Kill()
	w.wg.Wait()
}
