package lab

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"
)

// controlRequest is the body of a message on the control channel.
type controlRequest struct {
	Method      string
	Arguments   map[string]json.RawMessage
	Destination []string
	Pattern     *string
	Matcher     *string
	Ticket      *string
	ReplyTo     *struct {
		Exchange   string `json:"exchange"`
		RoutingKey string `json:"routing_key"`
	} `json:"reply_to"`
}

// control answers one message. An empty one is ignored, a malformed one kills.
func (p *workerProcess) control(payload string) {
	if payload == "" {
		return
	}
	_, body, err := openEnvelope([]byte(payload))
	var r controlRequest
	if err == nil {
		err = json.Unmarshal(body, &r)
	}
	if err != nil {
		p.crash()
		return
	}
	if !r.meant(p.cfg.name) {
		return
	}
	value, answers := p.perform(r)
	if answers && r.ReplyTo != nil {
		p.reply(r, value)
	}
}

// meant tells whether a request is for the worker of this name.
func (r controlRequest) meant(name string) bool {
	if r.Destination != nil {
		return slices.Contains(r.Destination, name)
	}
	if r.Pattern == nil || r.Matcher == nil {
		return true
	}
	if *r.Matcher == "pcre" {
		ok, _ := regexp.MatchString(*r.Pattern, name)
		return ok
	}
	ok, _ := path.Match(*r.Pattern, name)
	return ok
}

// reply pushes the answer to the lists that are bound for it; without a
// binding it is dropped, as kombu does.
func (p *workerProcess) reply(r controlRequest, value any) {
	lists := []string{r.ReplyTo.RoutingKey}
	if r.ReplyTo.Exchange != "" {
		lists = p.boundTo(r.ReplyTo.Exchange, r.ReplyTo.RoutingKey)
	}
	ticket := ""
	if r.Ticket != nil {
		ticket = *r.Ticket
	}
	raw := p.seal(object{{p.cfg.name, value}}, object{{"ticket", ticket}, {"clock", p.tick()}}, r.ReplyTo.Exchange, r.ReplyTo.RoutingKey)
	for _, list := range lists {
		_ = p.rdb.LPush(p.ctx, list, raw).Err()
	}
}

func (p *workerProcess) boundTo(exchange, routingKey string) []string {
	var lists []string
	members, _ := p.rdb.SMembers(p.ctx, "_kombu.binding."+exchange).Result()
	for _, member := range members {
		parts := strings.Split(member, sep)
		if len(parts) == 3 && parts[0] == routingKey {
			lists = append(lists, parts[2])
		}
	}
	return lists
}

func (p *workerProcess) seal(body, headers object, exchange, routingKey string) string {
	return pyJSON(object{
		{"body", base64.StdEncoding.EncodeToString([]byte(pyJSON(body)))},
		{"content-encoding", "utf-8"}, {"content-type", "application/json"}, {"headers", headers},
		{"properties", object{
			{"delivery_mode", 1},
			{"delivery_info", object{{"exchange", exchange}, {"routing_key", routingKey}}},
			{"priority", 0}, {"body_encoding", "base64"}, {"delivery_tag", uuid.NewString()},
		}},
	})
}

func (p *workerProcess) tick() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clock++
	return p.clock
}

// perform does what a request asks; answers is false for a shutdown.
func (p *workerProcess) perform(r controlRequest) (value any, answers bool) {
	switch r.Method {
	case "shutdown":
		p.crash()
		return nil, false
	case "ping":
		return object{{"ok", "pong"}}, true
	case "active":
		return p.requests(isRunning), true
	case "reserved":
		return p.requests(isReserved), true
	case "scheduled":
		return p.scheduled(), true
	case "query_task":
		return p.queryTask(stringList(r.Arguments["ids"])), true
	case "revoke":
		return p.revoke(r), true
	}
	if value, known := p.command(r); known {
		return value, true
	}
	return p.describe(r.Method), true
}

// revoke marks tasks so that they never start, and ends running ones when told
// to.
func (p *workerProcess) revoke(r controlRequest) any {
	ids := stringList(r.Arguments["task_id"])
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, id := range ids {
		p.revoked[id] = true
	}
	var terminate bool
	_ = json.Unmarshal(r.Arguments["terminate"], &terminate)
	if !terminate {
		return object{{"ok", fmt.Sprintf("tasks %s flagged as revoked", strings.Join(ids, ", "))}}
	}
	var ended []string
	for _, j := range p.jobs {
		if slices.Contains(ids, j.id) && j.cancel != nil {
			j.revoked = true
			j.cancel()
			ended = append(ended, j.id)
		}
	}
	if len(ended) == 0 {
		return object{{"ok", "terminate: tasks unknown"}}
	}
	return object{{"ok", "terminate: " + strings.Join(ended, ", ")}}
}

// stringList reads a string or a list of strings.
func stringList(raw json.RawMessage) []string {
	var one string
	if json.Unmarshal(raw, &one) == nil {
		return []string{one}
	}
	var many []string
	_ = json.Unmarshal(raw, &many)
	return many
}

// beat sends the heartbeat event every two seconds.
func (p *workerProcess) beat() {
	p.event(p.ctx, "worker-online")
	tick := time.NewTicker(2 * time.Second)
	defer tick.Stop()
	ears := p.ears.Done()
	for {
		select {
		case <-p.ctx.Done():
			return
		case <-ears:
			if p.isStopping() {
				return
			}
			ears = nil // deaf, and it beats on
		case <-tick.C:
			if p.gate.wait(p.ctx) != nil {
				return
			}
			p.event(p.ctx, "worker-heartbeat")
		}
	}
}

func (p *workerProcess) event(ctx context.Context, kind string) {
	key := strings.Replace(kind, "-", ".", 1)
	processed := 0
	p.mu.Lock()
	for _, n := range p.total {
		processed += n
	}
	p.mu.Unlock()
	running := len(p.list(isRunning))
	body := object{
		{"hostname", p.cfg.name}, {"utcoffset", 0}, {"pid", p.pid}, {"clock", p.tick()}, {"freq", 2.0},
		{"active", running}, {"processed", max(0, processed-running)}, {"loadavg", []any{0.42, 0.31, 0.15}},
		{"sw_ident", "py-celery"}, {"sw_ver", celeryVersion}, {"sw_sys", "Linux"},
		{"timestamp", unixSeconds(time.Now())}, {"type", kind},
	}
	raw := p.seal(body, object{{"hostname", p.cfg.name}}, "celeryev", key)
	_ = p.rdb.Publish(ctx, "/0.celeryev/"+key, raw).Err()
}

// brokerAddress is what conf and stats say of the broker.
func brokerAddress(o *redis.Options) string {
	if o.Network == "unix" {
		return "redis+socket://" + o.Addr
	}
	return "redis://" + o.Addr + "/0"
}
