package lab

import (
	"fmt"
	"slices"
	"strconv"
	"time"
)

// The versions that the deployed image has.
const (
	celeryVersion = "5.4.0"
	kombuVersion  = "5.4.2"
)

// describe answers the methods that only tell.
func (p *workerProcess) describe(method string) any {
	switch method {
	case "registered":
		return p.registered()
	case "active_queues":
		return p.activeQueues()
	case "stats":
		return p.stats()
	case "conf":
		return p.conf()
	case "report":
		return object{{"ok", fmt.Sprintf("\nsoftware -> celery:%s (opalescent) kombu:%s py:3.11.9\n"+
			"            billiard:4.2.1 redis:5.0.8\nplatform -> system:Linux arch:64bit, ELF\n"+
			"loader   -> celery.loaders.app.AppLoader\nsettings -> transport:redis results:redis\n", celeryVersion, kombuVersion)}}
	case "revoked":
		p.mu.Lock()
		defer p.mu.Unlock()
		ids := []string{}
		for id := range p.revoked {
			ids = append(ids, id)
		}
		return ids
	case "clock":
		return object{{"clock", p.tick()}}
	case "heartbeat":
		p.event(p.ctx, "worker-heartbeat")
		return nil
	}
	return object{{"error", fmt.Sprintf("KeyError('%s')", method)}}
}

func (p *workerProcess) requests(fits func(*job) bool) []object {
	out := []object{}
	for _, j := range p.list(fits) {
		out = append(out, p.request(j))
	}
	return out
}

// request is one task as inspect shows it; the arguments are real JSON.
func (p *workerProcess) request(j job) object {
	args := []any{}
	for _, raw := range j.args {
		args = append(args, raw)
	}
	kwargs := object{}
	for _, name := range p.cfg.tasks[j.task].params {
		if raw, ok := j.kwargs[name]; ok {
			kwargs = append(kwargs, field{name, raw})
		}
	}
	var started, pid any
	if !j.started.IsZero() {
		started, pid = unixSeconds(j.started), p.pid+1
	}
	return object{
		{"id", j.id}, {"name", j.task}, {"args", args}, {"kwargs", kwargs}, {"type", j.task},
		{"hostname", p.cfg.name}, {"time_start", started}, {"acknowledged", j.acked},
		{"delivery_info", object{
			{"exchange", ""}, {"routing_key", j.queue}, {"priority", j.priority}, {"redelivered", j.redelivered},
		}},
		{"worker_pid", pid},
	}
}

func (p *workerProcess) scheduled() []object {
	out := []object{}
	for _, j := range p.list(isScheduled) {
		out = append(out, object{
			{"eta", j.eta.Format(time.RFC3339Nano)}, {"priority", 6}, {"request", p.request(j)},
		})
	}
	return out
}

func (p *workerProcess) queryTask(ids []string) object {
	out := object{}
	for _, id := range ids {
		for _, j := range p.list(func(j *job) bool { return j.id == id }) {
			state := "reserved"
			if isRunning(&j) {
				state = "active"
			}
			out = append(out, field{id, []any{state, p.request(j)}})
		}
	}
	return out
}

func (p *workerProcess) registered() []string {
	names := p.cfg.tasks.names()
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, name := range names {
		if rate := p.tuning.rates[name]; rate != "" {
			names[i] = name + " [rate_limit=" + rate + "]"
		}
	}
	return names
}

func (p *workerProcess) activeQueues() []object {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := []object{}
	for _, q := range p.queues {
		out = append(out, object{
			{"name", q},
			{"exchange", object{
				{"name", q}, {"type", "direct"}, {"arguments", nil}, {"durable", true}, {"passive", false},
				{"auto_delete", false}, {"delivery_mode", nil}, {"no_declare", false},
			}},
			{"routing_key", q}, {"queue_arguments", nil}, {"binding_arguments", nil}, {"consumer_arguments", nil},
			{"durable", true}, {"exclusive", false}, {"auto_delete", false}, {"no_ack", false}, {"alias", nil},
			{"bindings", []any{}}, {"no_declare", nil}, {"expires", nil}, {"message_ttl", nil}, {"max_length", nil},
			{"max_length_bytes", nil}, {"max_priority", nil},
		})
	}
	return out
}

func (p *workerProcess) stats() object {
	p.mu.Lock()
	total, clock := object{}, p.clock
	for _, name := range p.cfg.tasks.names() {
		if n := p.total[name]; n > 0 {
			total = append(total, field{name, n})
		}
	}
	children := slices.Clone(p.tuning.children)
	p.mu.Unlock()
	return object{
		{"total", total}, {"pid", p.pid}, {"clock", strconv.Itoa(clock)}, {"uptime", int(time.Since(p.started).Seconds())},
		{"pool", object{
			{"implementation", "celery.concurrency.prefork:TaskPool"}, {"max-concurrency", p.cfg.concurrency},
			{"processes", children}, {"max-tasks-per-child", "N/A"}, {"put-guarded-by-semaphore", false},
			{"timeouts", []int{270, 300}},
			{"writes", object{
				{"total", len(p.list(isRunning))}, {"avg", "0.00"}, {"all", ""}, {"raw", ""}, {"strategy", "fair"},
				{"inqueues", object{{"total", p.cfg.concurrency}, {"active", len(p.list(isRunning))}}},
			}},
		}},
		{"broker", object{
			{"hostname", p.cfg.redis.Addr}, {"userid", nil}, {"virtual_host", "0"}, {"port", 6379}, {"insist", false},
			{"ssl", false}, {"transport", "redis"}, {"connect_timeout", 4}, {"transport_options", object{}},
			{"login_method", nil}, {"uri_prefix", nil}, {"heartbeat", 0},
			{"failover_strategy", "round-robin"}, {"alternates", []any{}},
		}},
		{"prefetch_count", p.cfg.prefetch},
		{"rusage", object{{"utime", 1.25}, {"stime", 0.21}, {"maxrss", 61440}, {"nswap", 0}}},
	}
}

func (p *workerProcess) conf() object {
	address := brokerAddress(p.cfg.redis)
	o := object{
		{"broker_url", address}, {"result_backend", address}, {"accept_content", []string{"json"}},
		{"task_serializer", "json"}, {"result_serializer", "json"}, {"task_track_started", true},
		{"task_time_limit", 300}, {"task_soft_time_limit", 270}, {"task_default_queue", "celery"},
		{"worker_prefetch_multiplier", p.cfg.prefetch / p.cfg.concurrency}, {"timezone", "UTC"},
	}
	if p.cfg.routes != nil {
		o = append(o, field{"task_routes", p.cfg.routes})
	}
	return o
}
