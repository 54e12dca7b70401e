package celery

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"gradecockpit/probes"
	"gradecockpit/probes/clean"
	"gradecockpit/probes/internal/lazy"
)

// Said is one worker's answer to a command. Its text is cleaned.
type Said struct {
	Worker string
	OK     string // what it did or will do: "pool will grow"
	Err    string // why it did not; "" when it did
}

// Pong is who answered a ping.
type Pong struct {
	Receivers int      // subscribers of the control channel, whoever was asked
	Answered  []string // node names, sorted, cleaned
}

// ErrSilent is why a command was not sent: a worker that does not answer ping
// would do it later, when it wakes up, whatever has happened until then.
type ErrSilent struct {
	Worker string // "" when it is only known that one is silent
}

// Error names the worker.
func (e *ErrSilent) Error() string {
	if e.Worker == "" {
		return "a worker listens and does not answer ping; it would run the command later: name the workers that are meant"
	}
	return fmt.Sprintf("%s does not answer ping; it would run the command later, so it was not sent", clean.Capped(e.Worker, 100))
}

// ErrUnanswered says that a worker answered ping, was given a command, and did
// not say what became of it.
type ErrUnanswered struct {
	Worker string
	Method string
}

// Error names worker and command.
func (e *ErrUnanswered) Error() string {
	return fmt.Sprintf("%s was sent %s and has not answered; it may have run it", clean.Capped(e.Worker, 100), e.Method)
}

// ErrNoWorker says that no worker listens on the control channel.
var ErrNoWorker = errors.New("no worker listens on the control channel")

// PingWorkers asks the named workers, or every worker, for a sign of life.
// Names that do not answer are missing in Answered; that is no error. It is a
// question, so it is also allowed where nothing may be written.
func (b *Broker) PingWorkers(ctx context.Context, workers ...string) (Pong, error) {
	if err := checkWorkers(workers); err != nil {
		return Pong{}, err
	}
	a, err := b.control.round(ctx, question{method: "ping", to: workers})
	if err != nil {
		return Pong{}, b.describe("ping the workers", err)
	}
	p := Pong{Receivers: a.receivers}
	for _, name := range slices.Sorted(maps.Keys(a.replies["ping"])) {
		p.Answered = append(p.Answered, clean.Capped(name, 100))
	}
	return p, nil
}

// awake refuses with *ErrSilent unless every named worker answers ping now.
func (b *Broker) awake(ctx context.Context, workers []string) error {
	p, err := b.PingWorkers(ctx, workers...)
	if err != nil {
		return err
	}
	for _, w := range workers {
		if !slices.Contains(p.Answered, w) {
			return &ErrSilent{w}
		}
	}
	return nil
}

// everyWorker names all workers, or refuses when one of them is silent.
func (b *Broker) everyWorker(ctx context.Context) ([]string, error) {
	p, err := b.PingWorkers(ctx)
	switch {
	case err != nil:
		return nil, err
	case p.Receivers == 0:
		return nil, ErrNoWorker
	case len(p.Answered) < p.Receivers:
		return nil, &ErrSilent{}
	}
	return p.Answered, nil
}

// command sends one command to the named workers, all of which have just
// answered ping. It always names them: others that listen, awake or frozen,
// pass it over. The replies come in the order of the names; *ErrUnanswered
// comes with those that there are.
func (b *Broker) command(ctx context.Context, q question) ([]Said, error) {
	if len(q.to) == 0 {
		return nil, fmt.Errorf("%s: no worker is named", q.method)
	}
	if err := errors.Join(b.writable(), checkWorkers(q.to)); err != nil {
		return nil, err
	}
	if err := b.awake(ctx, q.to); err != nil {
		return nil, err
	}
	a, err := b.control.round(ctx, q)
	if err != nil {
		return nil, b.maySent(q, err)
	}
	if q.noReply && a.receivers == 0 {
		return nil, ErrNoWorker
	}
	var said []Said
	for _, w := range q.to {
		raw, answered := a.replies[q.method][w]
		switch {
		case answered:
			said = append(said, readSaid(w, raw))
		case !q.noReply:
			err = errors.Join(err, &ErrUnanswered{w, q.method})
		}
	}
	return said, err
}

// maySent is the error of a round that broke. The command goes out before the
// replies come in, so unless the server refused it nobody knows whether it was
// heard.
func (b *Broker) maySent(q question, err error) error {
	err = b.describe("send "+q.method, err)
	var known *probes.Error
	if errors.As(err, &known) && known.Denied {
		return err
	}
	return errors.Join(&ErrUnanswered{q.to[0], q.method}, err)
}

func readSaid(worker string, raw json.RawMessage) Said {
	var reply map[string]any
	if decodeInto(raw, &reply) != nil {
		return Said{Worker: worker, OK: clean.Capped(string(raw), 300)}
	}
	if e, failed := reply["error"]; failed {
		return Said{Worker: worker, Err: orElse(clean.Capped(shown(e), 300), "it gives no reason")}
	}
	return Said{Worker: worker, OK: clean.Capped(shown(reply["ok"]), 300)}
}

func checkWorkers(names []string) error {
	for _, n := range names {
		if !plain(n) {
			return fmt.Errorf("worker name %.80q cannot be addressed", n)
		}
	}
	return nil
}

// one gives the only answer of a command to one worker, with its refusal as an
// error of this program.
func one(said []Said, err error) (Said, error) {
	if len(said) == 0 {
		return Said{}, err
	}
	return said[0], err
}

// maxIDs bounds a revoke: a worker remembers 50,000.
const maxIDs = 10_000

var signalName = lazy.Regexp(`^(SIG)?[A-Z][A-Z0-9]{1,9}$`)

// Revoke makes workers refuse the tasks when their turn comes, and with
// terminate sends a signal ("" is SIGTERM) to the process that runs one. A
// worker forgets it when it restarts. No names mean every worker; then one
// silent worker makes it refuse.
//
// It is destructive: save the messages first. Until their turn they stay
// unacknowledged, and restored under the same id they are refused again.
func (b *Broker) Revoke(ctx context.Context, ids []string, terminate bool, signal string, workers ...string) ([]Said, error) {
	if err := errors.Join(b.writable(), checkIDs(ids)); err != nil {
		return nil, err
	}
	signal = orElse(signal, "SIGTERM")
	if !signalName().MatchString(signal) {
		return nil, fmt.Errorf("revoke: %.20q is not the name of a signal", signal)
	}
	if len(workers) == 0 {
		var err error
		if workers, err = b.everyWorker(ctx); err != nil {
			return nil, err
		}
	}
	args := map[string]any{"task_id": ids, "terminate": terminate, "signal": signal}
	return b.command(ctx, question{method: "revoke", args: args, to: workers})
}

func checkIDs(ids []string) error {
	if len(ids) == 0 || len(ids) > maxIDs {
		return fmt.Errorf("%d task ids: give 1 to %d", len(ids), maxIDs)
	}
	for _, id := range ids {
		if !plain(id) {
			return fmt.Errorf("task id %.80q cannot be addressed", id)
		}
	}
	return nil
}

// maxGrow bounds what one command adds to a pool or takes from it.
const maxGrow = 100

// PoolGrow adds n processes to a worker's pool. Worker.Pool stays as it was
// configured; Worker.Processes shows them.
func (b *Broker) PoolGrow(ctx context.Context, worker string, n int) (Said, error) {
	return b.resize(ctx, "pool_grow", worker, n)
}

// PoolShrink takes n idle processes from a worker's pool.
func (b *Broker) PoolShrink(ctx context.Context, worker string, n int) (Said, error) {
	return b.resize(ctx, "pool_shrink", worker, n)
}

func (b *Broker) resize(ctx context.Context, method, worker string, n int) (Said, error) {
	if n < 1 || n > maxGrow {
		return Said{}, fmt.Errorf("%s: %d is not 1 to %d", method, n, maxGrow)
	}
	return b.tell(ctx, worker, method, map[string]any{"n": n})
}

// AddConsumer makes a worker take a queue, from one second later at most.
func (b *Broker) AddConsumer(ctx context.Context, worker, queue string) (Said, error) {
	return b.consumer(ctx, "add_consumer", worker, queue, map[string]any{
		"queue": queue, "exchange": nil, "exchange_type": "direct", "routing_key": nil,
	})
}

// CancelConsumer makes a worker leave a queue alone. What it holds of it, it
// still runs; a message that comes within a second may be taken and put back.
func (b *Broker) CancelConsumer(ctx context.Context, worker, queue string) (Said, error) {
	return b.consumer(ctx, "cancel_consumer", worker, queue, map[string]any{"queue": queue})
}

func (b *Broker) consumer(ctx context.Context, method, worker, queue string, args map[string]any) (Said, error) {
	if !plain(queue) {
		return Said{}, fmt.Errorf("%s: queue name %.80q cannot be used", method, queue)
	}
	return b.tell(ctx, worker, method, args)
}

var rate = lazy.Regexp(`^\d{1,6}(\.\d{1,3})?(/[smh])?$`)

// RateLimit bounds how often a worker starts a task: "10/m", "2/s", "100/h";
// "" or "0" takes the limit away. It lasts until the worker restarts. Messages
// held back by it are in no answer of the worker.
func (b *Broker) RateLimit(ctx context.Context, worker, task, limit string) (Said, error) {
	var value any = limit
	switch {
	case !isTaskName(task):
		return Said{}, fmt.Errorf("rate_limit: %.80q is not a task name", task)
	case strings.Trim(limit, "0") == "":
		value = 0
	case !rate().MatchString(limit):
		return Said{}, fmt.Errorf("rate_limit: %.20q is not a rate like 10/m", limit)
	}
	return b.tell(ctx, worker, "rate_limit", map[string]any{"task_name": task, "rate_limit": value})
}

// EnableEvents makes a worker send events of its tasks; DisableEvents undoes it.
func (b *Broker) EnableEvents(ctx context.Context, worker string) (Said, error) {
	return b.tell(ctx, worker, "enable_events", nil)
}

// DisableEvents makes a worker send no events of tasks.
func (b *Broker) DisableEvents(ctx context.Context, worker string) (Said, error) {
	return b.tell(ctx, worker, "disable_events", nil)
}

// Shutdown tells a worker to finish its running tasks, give back what it holds
// and end. There is no reply: that it leaves the control channel is the proof.
func (b *Broker) Shutdown(ctx context.Context, worker string) error {
	_, err := b.command(ctx, question{method: "shutdown", to: []string{worker}, noReply: true})
	return err
}

func (b *Broker) tell(ctx context.Context, worker, method string, args map[string]any) (Said, error) {
	return one(b.command(ctx, question{method: method, args: args, to: []string{worker}}))
}

// QueryTask asks the named workers, or all, which of the tasks they hold.
// Running.State is "running", "reserved" or "ready" (scheduled, or just
// finished). *ErrIncomplete says that a worker kept silent. Also allowed where
// nothing may be written.
func (b *Broker) QueryTask(ctx context.Context, ids []string, workers ...string) ([]Running, error) {
	if err := errors.Join(checkIDs(ids), checkWorkers(workers)); err != nil {
		return nil, err
	}
	a, err := b.control.round(ctx, question{method: "query_task", args: map[string]any{"ids": ids}, to: workers})
	if err != nil {
		return nil, b.describe("ask about tasks", err)
	}
	var out []Running
	for _, worker := range slices.Sorted(maps.Keys(a.replies["query_task"])) {
		out = append(out, queried(a.replies["query_task"][worker], clean.Capped(worker, 100))...)
	}
	if n := a.count["query_task"]; n < a.expected {
		return out, &ErrIncomplete{[]string{strconv.Itoa(n) + " of " + strconv.Itoa(a.expected) + " workers answered"}}
	}
	return out, nil
}

// queried reads {id: [state, request]}.
func queried(raw json.RawMessage, worker string) []Running {
	var byID map[string][]json.RawMessage
	if json.Unmarshal(raw, &byID) != nil {
		return nil
	}
	var out []Running
	for _, id := range slices.Sorted(maps.Keys(byID)) {
		var request map[string]json.RawMessage
		if len(byID[id]) != 2 || json.Unmarshal(byID[id][1], &request) != nil {
			continue
		}
		state := strings.Replace(text(byID[id][0]), "active", "running", 1)
		out = append(out, heldTask(request, worker, clean.Capped(state, 20)))
	}
	return out
}
