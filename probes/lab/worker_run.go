package lab

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// child is one process of the pool: it runs one task after the other.
func (p *workerProcess) child(pid int) {
	for {
		select {
		case <-p.ctx.Done():
			return
		case <-p.tuning.leave:
			return
		case j, ok := <-p.work:
			if !ok || p.gate.wait(p.ctx) != nil {
				return
			}
			p.execute(j, pid)
		}
	}
}

// execute acknowledges early, as the application's settings have it, and runs.
func (p *workerProcess) execute(j *job, pid int) {
	if p.isStopping() {
		return // a warm stop puts it back
	}
	ctx, cancel := context.WithCancel(p.ctx)
	defer cancel()
	p.ack(j)
	defer p.forget(j)
	if p.begin(j, cancel) {
		p.result(j.id, "REVOKED", taskRevoked("revoked"), nil)
		return
	}
	p.result(j.id, "STARTED", object{{"pid", pid}, {"hostname", p.cfg.name}}, nil)
	value, failure := p.cfg.tasks.run(p.gate.gated(ctx), j)
	switch {
	case p.ctx.Err() != nil: // killed: nobody writes a result any more
	case p.wasRevoked(j):
		p.result(j.id, "REVOKED", taskRevoked("terminated"), nil)
	case failure != nil:
		p.result(j.id, "FAILURE", failure.object(), failure.traceback())
	default:
		p.result(j.id, "SUCCESS", value, nil)
	}
}

// begin marks the job as running and tells whether it was revoked before.
func (p *workerProcess) begin(j *job, cancel func()) (revoked bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	j.started, j.cancel = time.Now(), cancel
	if !p.revoked[j.id] {
		p.total[j.task]++
	}
	return p.revoked[j.id]
}

// backdate has what runs have begun earlier.
func (p *workerProcess) backdate(ago time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, j := range p.jobs {
		if isRunning(j) {
			j.started = j.started.Add(-ago)
		}
	}
}

func (p *workerProcess) wasRevoked(j *job) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return j.revoked
}

func (p *workerProcess) forget(j *job) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.jobs = slices.DeleteFunc(p.jobs, func(o *job) bool { return o == j })
}

func (p *workerProcess) isStopping() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stopping
}

func isRunning(j *job) bool   { return !j.started.IsZero() }
func isReserved(j *job) bool  { return j.started.IsZero() && !j.waitsForETA() }
func isScheduled(j *job) bool { return j.waitsForETA() }

// list gives copies of the jobs that fit, in order of arrival.
func (p *workerProcess) list(fits func(*job) bool) []job {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []job
	for _, j := range p.jobs {
		if fits(j) {
			out = append(out, *j)
		}
	}
	return out
}

// result writes a state change and announces it, in one transaction.
func (p *workerProcess) result(id, status string, value, trace any) {
	writeResult(p.ctx, p.rdb, id, status, value, trace)
}

func writeResult(ctx context.Context, rdb *redis.Client, id, status string, value, trace any) {
	var done any
	if status != "STARTED" {
		done = time.Now().UTC().Format("2006-01-02T15:04:05.000000")
	}
	meta := pyJSON(object{
		{"status", status}, {"result", value}, {"traceback", trace}, {"children", []any{}},
		{"date_done", done}, {"task_id", id},
	})
	key := "celery-task-meta-" + id
	_, _ = rdb.TxPipelined(ctx, func(pipe redis.Pipeliner) error {
		pipe.SetEx(ctx, key, meta, 24*time.Hour)
		pipe.Publish(ctx, key, meta)
		return nil
	})
}

func taskRevoked(why string) object {
	return object{{"exc_type", "TaskRevokedError"}, {"exc_message", []string{why}}, {"exc_module", "celery.exceptions"}}
}

// stop is the warm shutdown: off the control channel at once, running tasks to
// their end, the rest back into its lists with the oldest next in turn.
func (p *workerProcess) stop(ctx context.Context) error {
	p.mu.Lock()
	p.stopping = true
	p.mu.Unlock()
	p.resume()
	p.leave()
	p.event(ctx, "worker-offline")
	_ = p.rdb.SRem(ctx, "_kombu.binding.celery.pidbox", sep+sep+p.cfg.name+".celery.pidbox").Err()
	err := p.awaitIdle(ctx)
	p.cancel()
	p.pool.Wait()
	p.giveBack(ctx)
	p.kill()
	return err
}

func (p *workerProcess) awaitIdle(ctx context.Context) error {
	for len(p.list(isRunning)) > 0 {
		select {
		case <-ctx.Done():
			return fmt.Errorf("warm stop: %w", ctx.Err())
		case <-time.After(10 * time.Millisecond):
		}
	}
	return nil
}

// giveBack returns held messages, newest first, so that the oldest is next.
func (p *workerProcess) giveBack(ctx context.Context) {
	held := p.list(func(j *job) bool { return !j.acked })
	slices.Reverse(held)
	for _, j := range held {
		_ = restore(ctx, p.rdb, j.tag, j.queue, j.raw)
	}
}

// restoreExpired is the sweep at start: messages whose holder let them lie for
// longer than the visibility timeout.
func (p *workerProcess) restoreExpired(ctx context.Context) {
	limit := fmt.Sprintf("%f", unixSeconds(time.Now().Add(-visibilityTimeout)))
	tags, _ := p.rdb.ZRangeArgs(ctx, redis.ZRangeArgs{
		Key: "unacked_index", Start: "0", Stop: limit, ByScore: true, Rev: true,
	}).Result()
	for _, tag := range tags {
		held, err := p.rdb.HGet(ctx, "unacked", tag).Bytes()
		if err != nil {
			continue
		}
		var parts []json.RawMessage
		var queue string
		if json.Unmarshal(held, &parts) == nil && len(parts) == 3 && json.Unmarshal(parts[2], &queue) == nil {
			_ = restore(ctx, p.rdb, tag, queue, parts[0])
		}
	}
}

// restore moves a held message back into its list, to be the next.
func restore(ctx context.Context, rdb *redis.Client, tag, queue string, raw []byte) error {
	_, err := rdb.TxPipelined(ctx, func(pipe redis.Pipeliner) error {
		pipe.ZRem(ctx, "unacked_index", tag)
		pipe.HDel(ctx, "unacked", tag)
		pipe.RPush(ctx, queue, redelivered(raw))
		return nil
	})
	return err
}

// gate stops a frozen process between two steps. The zero gate is open.
type gate struct {
	mu   sync.Mutex
	shut chan struct{} // nil when open; closed to open
}

func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shut == nil {
		g.shut = make(chan struct{})
	}
}

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shut != nil {
		close(g.shut)
		g.shut = nil
	}
}

// gateKey finds the gate of the process that a context belongs to.
type gateKey struct{}

func (g *gate) gated(ctx context.Context) context.Context {
	return context.WithValue(ctx, gateKey{}, g)
}

// nap is time that passes in the application: it stands still while its
// process is frozen.
func nap(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
	}
	if g, ok := ctx.Value(gateKey{}).(*gate); ok {
		return g.wait(ctx)
	}
	return nil
}

// wait passes when the gate is open, or fails when ctx ends.
func (g *gate) wait(ctx context.Context) error {
	g.mu.Lock()
	shut := g.shut
	g.mu.Unlock()
	if shut != nil {
		select {
		case <-ctx.Done():
		case <-shut:
		}
	}
	return ctx.Err()
}
