package celery

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"gradecockpit/probes/clean"
	"gradecockpit/probes/internal/lazy"
)

// census is what the workers said of themselves.
type census struct {
	answers   []answer
	receivers int
	replies   int             // workers that answered; more than answers when names are shared
	all       bool            // every receiver said which queues it takes
	held      []TaskRow       // what they run, have reserved and have scheduled
	allHeld   bool            // every receiver said what it holds
	tooMany   bool            // so much is held that they were not asked
	limited   map[string]bool // tasks that some worker limits the rate of; asked when something is held
}

// maxHeld is up to how many unacknowledged messages workers are asked for what
// they hold: their answers grow with it.
const maxHeld = 1000

// census asks every worker what it runs, holds, takes and is, and if wanted of
// which version.
func (b *Broker) census(ctx context.Context, versions bool) (census, error) {
	questions := []question{{method: "active"}, {method: "active_queues"}, {method: "stats"}}
	held, _ := b.rdb.HLen(ctx, b.Unacked()).Result()
	if held <= maxHeld {
		questions = append(questions, question{method: "reserved"}, question{method: "scheduled"})
	}
	if held > 0 {
		questions = append(questions, question{method: "registered"})
	}
	if versions {
		questions = append(questions, question{method: "report"})
	}
	a, err := b.control.round(ctx, questions...)
	if err != nil {
		return census{}, b.describe("ask the workers", err)
	}
	c := census{receivers: a.receivers, all: a.complete("active_queues"), tooMany: held > maxHeld}
	c.allHeld = a.complete("active") && a.complete("reserved") && a.complete("scheduled")
	limits := claims{limited: map[string]bool{}}
	for _, value := range a.replies["registered"] {
		limits.limit(value)
	}
	c.limited = limits.limited
	for _, n := range a.count {
		c.replies = max(c.replies, n)
	}
	names := map[string]bool{}
	for _, byWorker := range a.replies {
		for name := range byWorker {
			names[name] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		worker, rows := a.worker(name)
		c.answers, c.held = append(c.answers, worker), append(c.held, rows...)
	}
	return c, nil
}

// worker puts together what one worker said.
func (a answers) worker(name string) (answer, []TaskRow) {
	w := answer{Worker: Worker{Name: clean.Capped(name, 100), Reserved: -1, Scheduled: -1}}
	w.Running = held(a.replies["active"][name], w.Name, "running")
	w.Queues = queueNames(a.replies["active_queues"][name])
	w.Version = reported(a.replies["report"][name])
	w.kept = unacknowledged(a.replies["active"][name])
	w.stats(a.replies["stats"][name])
	w.solo, w.limit = poolTraits(a.replies["stats"][name])
	rows := heldRows(a.replies["active"][name], w.Name, TaskRunning)
	if raw := a.replies["reserved"][name]; raw != nil {
		reserved := heldRows(raw, w.Name, TaskReserved)
		w.Reserved, rows = len(reserved), append(rows, reserved...)
	}
	if raw := a.replies["scheduled"][name]; raw != nil {
		scheduled := heldRows(raw, w.Name, TaskScheduled)
		w.Scheduled, rows = len(scheduled), append(rows, scheduled...)
	}
	return w, rows
}

// Taken says which queues some worker takes. known is false when no worker
// listens, or one that listens did not answer: then a queue that is not in the
// map may be taken all the same.
func (b *Broker) Taken(ctx context.Context) (queues map[string]bool, known bool, err error) {
	a, err := b.control.round(ctx, question{method: "active_queues"})
	if err != nil {
		return nil, false, b.describe("ask which queues are taken", err)
	}
	queues = map[string]bool{}
	for _, value := range a.replies["active_queues"] {
		for _, name := range queueNames(value) {
			queues[name] = true
		}
	}
	return queues, a.receivers > 0 && a.complete("active_queues"), nil
}

func queueNames(raw json.RawMessage) []string {
	var queues []map[string]json.RawMessage
	if json.Unmarshal(raw, &queues) != nil {
		return nil
	}
	var names []string
	for _, q := range queues {
		if name := text(q["name"]); name != "" {
			names = append(names, clean.Capped(name, 200))
		}
	}
	return names
}

// stats reads the answer to stats: the process, its pool, what it has done.
func (w *Worker) stats(raw json.RawMessage) {
	var s, pool map[string]json.RawMessage
	w.Pool, w.Prefetch = -1, -1
	if json.Unmarshal(raw, &s) != nil {
		return
	}
	w.PID = whole(s["pid"])
	w.Uptime = time.Duration(whole(s["uptime"])) * time.Second
	w.Totals = totals(s["total"])
	if s["prefetch_count"] != nil {
		w.Prefetch = whole(s["prefetch_count"])
	}
	if json.Unmarshal(s["pool"], &pool) == nil && pool["max-concurrency"] != nil {
		w.Pool = whole(pool["max-concurrency"])
	}
	_ = json.Unmarshal(pool["processes"], &w.Processes)
}

// poolTraits reads what the judge needs to know of a pool from stats.
func poolTraits(raw json.RawMessage) (solo bool, limit time.Duration) {
	var s struct {
		Pool map[string]json.RawMessage `json:"pool"`
	}
	_ = json.Unmarshal(raw, &s)
	var limits []float64 // soft, hard
	if json.Unmarshal(s.Pool["timeouts"], &limits) == nil && len(limits) == 2 {
		limit = time.Duration(limits[1] * float64(time.Second))
	}
	return strings.Contains(text(s.Pool["implementation"]), "solo"), limit
}

func totals(raw json.RawMessage) []TaskCount {
	var byTask map[string]int
	if json.Unmarshal(raw, &byTask) != nil || len(byTask) == 0 {
		return nil
	}
	counts := map[string]int{}
	for task, n := range byTask {
		counts[clean.Capped(task, 200)] += n
	}
	return sortedCounts(counts)
}

var celeryVersion = lazy.Regexp(`celery:(\S{1,40})`)

// reported finds the version in the answer to report.
func reported(raw json.RawMessage) string {
	var said map[string]json.RawMessage
	if json.Unmarshal(raw, &said) != nil {
		return ""
	}
	if found := celeryVersion().FindStringSubmatch(text(said["ok"])); found != nil {
		return "celery " + clean.Text(found[1])
	}
	return ""
}

// unacknowledged counts the running tasks that stay in unacked until they end.
func unacknowledged(raw json.RawMessage) int {
	var items []map[string]json.RawMessage
	_ = json.Unmarshal(raw, &items)
	n := 0
	for _, m := range items {
		if string(m["acknowledged"]) == "false" {
			n++
		}
	}
	return n
}

// held reads the answer to active, reserved or scheduled. The last wraps each
// request in an object with its eta.
func held(raw json.RawMessage, worker, state string) []Running {
	var items []map[string]json.RawMessage
	if json.Unmarshal(raw, &items) != nil {
		return nil
	}
	var tasks []Running
	for _, m := range items {
		var request map[string]json.RawMessage
		if json.Unmarshal(m["request"], &request) == nil && request != nil {
			m = request
		}
		tasks = append(tasks, heldTask(m, worker, state))
	}
	slices.SortStableFunc(tasks, func(a, b Running) int { return cmp.Or(a.Started.Compare(b.Started), cmp.Compare(a.ID, b.ID)) })
	return tasks
}

// heldRows reads the same answers as rows of tasks.
func heldRows(raw json.RawMessage, worker string, state TaskState) []TaskRow {
	etas := etas(raw)
	var rows []TaskRow
	for _, r := range held(raw, worker, "") {
		rows = append(rows, TaskRow{
			ID: r.ID, Task: r.Task, CopyID: r.CopyID, Args: r.Args, State: state,
			Worker: worker, Queue: r.Queue, Since: r.Started, ETA: etas[r.ID],
		})
	}
	return rows
}

// etas reads when scheduled tasks are due, by task id.
func etas(raw json.RawMessage) map[string]time.Time {
	var items []struct {
		ETA     json.RawMessage            `json:"eta"`
		Request map[string]json.RawMessage `json:"request"`
	}
	_ = json.Unmarshal(raw, &items)
	out := map[string]time.Time{}
	for _, item := range items {
		if at := parseTime(text(item.ETA)); !at.IsZero() {
			out[clean.Capped(text(item.Request["id"]), 80)] = at
		}
	}
	return out
}

var uuidWithin = lazy.Regexp(`(?i)\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b`)

func heldTask(m map[string]json.RawMessage, worker, state string) Running {
	r := Running{
		ID: clean.Capped(text(m["id"]), 80), Task: clean.Capped(text(m["name"]), 200),
		Worker: worker, State: state, Started: unixTime(m["time_start"]),
	}
	var delivery map[string]json.RawMessage
	if json.Unmarshal(m["delivery_info"], &delivery) == nil {
		r.Queue = clean.Capped(text(delivery["routing_key"]), 200)
	}
	var args []any
	var kwargs map[string]any
	errArgs, errKwargs := decodeInto(m["args"], &args), decodeInto(m["kwargs"], &kwargs)
	r.CopyID = copyID(args, kwargs)
	r.Args = shortArgs(args, kwargs, r.CopyID)
	if errArgs != nil || errKwargs != nil { // Python's own notation, as text
		r.CopyID, r.Args = printedArgs(text(m["args"]) + " " + text(m["kwargs"]))
	}
	return r
}

// printedArgs finds the copy in arguments that Python has printed, and gives
// them with every other id cut.
func printedArgs(said string) (copyID, args string) {
	copyID = NormalCopyID(uuidWithin().FindString(said))
	args = clean.Capped(opaque().ReplaceAllStringFunc(said, func(id string) string {
		if copyID != "" && NormalCopyID(id) == copyID {
			return id
		}
		return cutSecret(id)
	}), maxShortArgs)
	return copyID, args
}

// unixTime reads seconds since 1970. Small numbers are a worker's own clock
// since its start, which says nothing here.
func unixTime(raw json.RawMessage) time.Time {
	var s float64
	if json.Unmarshal(raw, &s) != nil || s < 1e9 || s > 1e11 {
		return time.Time{}
	}
	return time.UnixMicro(int64(s * 1e6)).UTC()
}
