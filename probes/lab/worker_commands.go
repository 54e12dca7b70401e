package lab

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// tuning is what commands change in a running process.
type tuning struct {
	children []int             // pids of the pool
	leave    chan struct{}     // one token ends one idle child
	rates    map[string]string // rate limits by task; "" none. They are shown and not kept
	events   bool              // task events are on
}

func newTuning(cfg workerConfig) tuning {
	t := tuning{leave: make(chan struct{}, 1000), rates: maps.Clone(cfg.rateLimits)}
	if t.rates == nil {
		t.rates = map[string]string{}
	}
	return t
}

// command does what changes the process; known is false for other methods.
func (p *workerProcess) command(r controlRequest) (value any, known bool) {
	switch r.Method {
	case "add_consumer", "cancel_consumer":
		return p.consume(r), true
	case "pool_grow":
		return p.grow(count(r)), true
	case "pool_shrink":
		return p.shrink(count(r)), true
	case "rate_limit":
		return p.limit(r), true
	case "enable_events", "disable_events":
		return p.switchEvents(r.Method == "enable_events"), true
	}
	return nil, false
}

func count(r controlRequest) int {
	n := 1
	_ = json.Unmarshal(r.Arguments["n"], &n)
	return n
}

func (p *workerProcess) grow(n int) any {
	p.mu.Lock()
	defer p.mu.Unlock()
	for range n {
		pid := p.pid + 1
		if len(p.tuning.children) > 0 {
			pid = slices.Max(p.tuning.children) + 1
		}
		p.tuning.children = append(p.tuning.children, pid)
		p.pool.Go(func() { p.child(pid) })
	}
	return object{{"ok", "pool will grow"}}
}

// free tells whether a child has nothing to do.
func (p *workerProcess) free() bool {
	busy := len(p.list(isRunning))
	p.mu.Lock()
	defer p.mu.Unlock()
	return busy < len(p.tuning.children)
}

// shrink ends idle children only.
func (p *workerProcess) shrink(n int) any {
	busy := len(p.list(isRunning))
	p.mu.Lock()
	defer p.mu.Unlock()
	if n > len(p.tuning.children)-busy {
		return object{{"error", `ValueError("Can't shrink pool. All processes busy!")`}}
	}
	for range n {
		p.tuning.children = p.tuning.children[:len(p.tuning.children)-1]
		p.tuning.leave <- struct{}{}
	}
	return object{{"ok", "pool will shrink"}}
}

func (p *workerProcess) limit(r controlRequest) any {
	var task string
	_ = json.Unmarshal(r.Arguments["task_name"], &task)
	if _, ok := p.cfg.tasks[task]; !ok {
		return object{{"error", "unknown task"}}
	}
	rate := strings.Trim(string(r.Arguments["rate_limit"]), `"`)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tuning.rates[task] = rate
	if rate == "0" {
		return object{{"ok", "rate limit disabled successfully"}}
	}
	return object{{"ok", "new rate limit set successfully"}}
}

func (p *workerProcess) switchEvents(on bool) any {
	p.mu.Lock()
	defer p.mu.Unlock()
	word := map[bool]string{true: "enabled", false: "disabled"}[on]
	if p.tuning.events == on {
		return object{{"ok", "task events already " + word}}
	}
	p.tuning.events = on
	return object{{"ok", "task events " + word}}
}

func (p *workerProcess) consume(r controlRequest) any {
	var queue string
	_ = json.Unmarshal(r.Arguments["queue"], &queue)
	p.mu.Lock()
	defer p.mu.Unlock()
	if r.Method == "cancel_consumer" {
		p.queues = slices.DeleteFunc(p.queues, func(q string) bool { return q == queue })
		return object{{"ok", "no longer consuming from " + queue}}
	}
	if !slices.Contains(p.queues, queue) {
		p.queues = append(p.queues, queue)
	}
	return object{{"ok", "add consumer " + queue}}
}
