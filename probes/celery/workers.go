package celery

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"time"

	"gradecockpit/probes/clean"
)

// census is what the workers said of themselves.
type census struct {
	workers   []Worker
	receivers int
	all       bool // every receiver said which queues it takes
}

// census asks every worker what it runs, takes and is.
func (b *Broker) census(ctx context.Context) (census, error) {
	a, err := b.control.round(ctx, question{method: "active"}, question{method: "active_queues"}, question{method: "stats"})
	if err != nil {
		return census{}, b.describe("ask the workers", err)
	}
	c := census{receivers: a.receivers, all: a.complete("active_queues")}
	names := map[string]bool{}
	for _, byWorker := range a.replies {
		for name := range byWorker {
			names[name] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		w := Worker{Name: clean.Capped(name, 100)}
		w.Running = held(a.replies["active"][name], w.Name, "running")
		w.Queues = queueNames(a.replies["active_queues"][name])
		w.stats(a.replies["stats"][name])
		c.workers = append(c.workers, w)
	}
	return c, nil
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

func (w *Worker) stats(raw json.RawMessage) {
	var s, pool map[string]json.RawMessage
	w.Pool = -1
	if json.Unmarshal(raw, &s) != nil {
		return
	}
	w.PID = whole(s["pid"])
	w.Uptime = time.Duration(whole(s["uptime"])) * time.Second
	if json.Unmarshal(s["pool"], &pool) == nil && pool["max-concurrency"] != nil {
		w.Pool = whole(pool["max-concurrency"])
	}
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

var uuidWithin = regexp.MustCompile(`(?i)\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b`)

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
		said := text(m["args"]) + " " + text(m["kwargs"])
		r.CopyID = NormalCopyID(uuidWithin.FindString(said))
		r.Args = clean.Capped(uuidWithin.ReplaceAllStringFunc(said, func(id string) string {
			if NormalCopyID(id) == r.CopyID {
				return id
			}
			return cutSecret(id)
		}), maxShortArgs)
	}
	return r
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
