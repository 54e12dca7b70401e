package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"
)

// visibilityTimeout is after how long a message held by nobody comes back.
const visibilityTimeout = time.Hour

// workerProcess is one run of the worker: a main loop that fetches, a pool
// that executes, and a listener for control messages.
type workerProcess struct {
	cfg     workerConfig
	pid     int
	rdb     *redis.Client
	started time.Time
	onCrash func(*workerProcess)

	ctx    context.Context
	cancel context.CancelFunc
	ears   context.Context // ends before ctx in a warm stop: it listens no more
	leave  context.CancelFunc
	wg     sync.WaitGroup // everything
	pool   sync.WaitGroup // the children only
	gate   gate

	work    chan *job
	changed chan struct{} // one slot: a message was let go

	mu       sync.Mutex
	queues   []string
	jobs     []*job // held or running, in order of arrival
	revoked  map[string]bool
	total    map[string]int
	clock    int
	stopping bool
	tuning   tuning
}

func startWorkerProcess(ctx context.Context, cfg workerConfig, pid int, queues []string, onCrash func(*workerProcess)) (*workerProcess, error) {
	opts := *cfg.redis
	opts.DisableIdentity = true
	p := &workerProcess{
		cfg: cfg, pid: pid, rdb: redis.NewClient(&opts), started: time.Now(), onCrash: onCrash,
		work: make(chan *job, 1000), changed: make(chan struct{}, 1),
		queues: slices.Clone(queues), revoked: map[string]bool{}, total: map[string]int{}, tuning: newTuning(cfg),
	}
	// The process outlives the call that starts it; its end is kill or stop.
	p.ctx, p.cancel = context.WithCancel(context.WithoutCancel(ctx))
	p.ears, p.leave = context.WithCancel(p.ctx)
	if err := p.boot(ctx); err != nil {
		p.kill()
		return nil, err
	}
	return p, nil
}

// boot declares the queues, listens, and only then begins to fetch, so that a
// caller who starts a worker finds it in the next census.
func (p *workerProcess) boot(ctx context.Context) error {
	if err := p.declare(ctx); err != nil {
		return err
	}
	control, err := p.subscribe(ctx, "/0.celery.pidbox")
	if err != nil {
		return err
	}
	gossip, err := p.subscribe(ctx, "/0.celeryev/worker.*")
	if err != nil {
		control.Close()
		return err
	}
	p.restoreExpired(ctx)
	p.wg.Go(func() { p.listen(control, p.control) })
	p.wg.Go(func() { p.listen(gossip, func(string) {}) })
	p.wg.Go(p.fetch)
	p.wg.Go(p.wakeScheduled)
	p.wg.Go(p.beat)
	p.grow(p.cfg.concurrency)
	return nil
}

func (p *workerProcess) declare(ctx context.Context) error {
	_, err := p.rdb.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for _, q := range p.queues {
			pipe.SAdd(ctx, "_kombu.binding."+q, q+sep+sep+q)
		}
		pipe.SAdd(ctx, "_kombu.binding.celery.pidbox", sep+sep+p.cfg.name+".celery.pidbox")
		pipe.SAdd(ctx, "_kombu.binding.celeryev", "worker.#"+sep+sep+"celeryev."+uuid.NewString())
		return nil
	})
	return err
}

func (p *workerProcess) subscribe(ctx context.Context, pattern string) (*redis.PubSub, error) {
	sub := p.rdb.PSubscribe(ctx, pattern)
	if _, err := sub.Receive(ctx); err != nil {
		sub.Close()
		return nil, fmt.Errorf("listen on %s: %w", pattern, err)
	}
	return sub, nil
}

func (p *workerProcess) listen(sub *redis.PubSub, handle func(payload string)) {
	defer sub.Close()
	messages := sub.Channel()
	for {
		select {
		case <-p.ears.Done():
			return
		case m, ok := <-messages:
			if !ok {
				return
			}
			if p.gate.wait(p.ctx) != nil {
				return
			}
			handle(m.Payload)
		}
	}
}

// fetch pops the next message as long as there is room for it.
func (p *workerProcess) fetch() {
	for p.gate.wait(p.ctx) == nil {
		if p.full() {
			p.awaitRoom()
			continue
		}
		got, err := p.rdb.BRPop(p.ctx, time.Second, p.keys()...).Result()
		if err != nil {
			p.fetchFailed(err)
			continue
		}
		if p.gate.wait(p.ctx) != nil {
			return // killed while frozen: the message is lost, as with a real one
		}
		if len(p.keys()) == 0 { // deaf meanwhile: the one it stands for pops nothing
			_ = p.rdb.RPush(p.ctx, got[0], got[1]).Err()
			continue
		}
		p.receive([]byte(got[1]))
	}
}

// fetchFailed waits out a broker that is away.
func (p *workerProcess) fetchFailed(err error) {
	if errors.Is(err, redis.Nil) {
		return
	}
	select {
	case <-p.ctx.Done():
	case <-time.After(200 * time.Millisecond):
	}
}

// keys are the lists to pop from: by priority first, then by queue.
func (p *workerProcess) keys() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var keys []string
	for _, step := range prioritySteps {
		for _, q := range p.queues {
			keys = append(keys, q+step)
		}
	}
	return keys
}

// full tells whether as many messages are held as may be; scheduled ones do
// not count, and without queues there is nothing to pop.
func (p *workerProcess) full() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	held := 0
	for _, j := range p.jobs {
		if !j.acked && !j.waitsForETA() {
			held++
		}
	}
	return p.stopping || len(p.queues) == 0 || held >= p.cfg.prefetch
}

func (p *workerProcess) awaitRoom() {
	select {
	case <-p.ctx.Done():
	case <-p.changed:
	case <-time.After(500 * time.Millisecond): // add_consumer, a due ETA
	}
}

// receive takes over one message: the safety copy first, then the pool.
func (p *workerProcess) receive(raw []byte) {
	j, err := openTask(raw)
	switch {
	case errors.Is(err, errLost):
		p.crash()
		return
	case errors.Is(err, errRestored):
		// It dies with the message unacknowledged, and puts it back on exit.
		_ = p.rdb.RPush(p.ctx, j.queue, raw).Err()
		p.crash()
		return
	case err != nil:
		return // dropped with a warning on the console
	}
	if _, ok := p.cfg.tasks[j.task]; !ok {
		failure := notRegistered(j.task)
		p.result(j.id, "FAILURE", failure.object(), failure.traceback())
		return
	}
	p.hold(j)
	later := j.waitsForETA()
	p.mu.Lock()
	p.jobs = append(p.jobs, j)
	p.mu.Unlock()
	if !later {
		p.dispatch(j)
	}
}

func (p *workerProcess) dispatch(j *job) {
	select {
	case p.work <- j:
	case <-p.ctx.Done():
	}
}

func (p *workerProcess) hold(j *job) {
	copyOf := pyJSON([]any{json.RawMessage(j.raw), "", j.queue})
	_, _ = p.rdb.TxPipelined(p.ctx, func(pipe redis.Pipeliner) error {
		pipe.ZAdd(p.ctx, "unacked_index", redis.Z{Score: unixSeconds(time.Now()), Member: j.tag})
		pipe.HSet(p.ctx, "unacked", j.tag, copyOf)
		return nil
	})
}

func (p *workerProcess) ack(j *job) {
	_, _ = p.rdb.TxPipelined(p.ctx, func(pipe redis.Pipeliner) error {
		pipe.ZRem(p.ctx, "unacked_index", j.tag)
		pipe.HDel(p.ctx, "unacked", j.tag)
		return nil
	})
	p.mu.Lock()
	j.acked = true
	p.mu.Unlock()
	select {
	case p.changed <- struct{}{}:
	default:
	}
}

// wakeScheduled hands due ETA tasks to the pool.
func (p *workerProcess) wakeScheduled() {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-p.ctx.Done():
			return
		case now := <-tick.C:
			for _, j := range p.due(now) {
				p.dispatch(j)
			}
		}
	}
}

func (p *workerProcess) due(now time.Time) []*job {
	p.mu.Lock()
	defer p.mu.Unlock()
	var due []*job
	for _, j := range p.jobs {
		if j.waitsForETA() && !now.Before(j.eta) {
			j.eta = time.Time{}
			due = append(due, j)
		}
	}
	return due
}

// waitsForETA: due clears the time when it hands the job over.
func (j *job) waitsForETA() bool { return !j.eta.IsZero() && !j.acked }

func (p *workerProcess) deafen() {
	p.mu.Lock()
	p.queues = nil
	p.mu.Unlock()
	p.leave()
}

func (p *workerProcess) pause() { p.gate.close() }

func (p *workerProcess) resume() { p.gate.open() }

// crash ends the process as an unrecoverable error does.
func (p *workerProcess) crash() {
	p.cancel()
	p.onCrash(p)
}

// kill ends everything at once and waits for it.
func (p *workerProcess) kill() {
	p.cancel()
	_ = p.rdb.Close() // a blocked BRPOP looks at no context
	p.wg.Wait()
	p.pool.Wait()
}
