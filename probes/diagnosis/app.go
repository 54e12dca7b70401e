package diagnosis

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"gradecockpit/probes"
	"gradecockpit/probes/audit"
	"gradecockpit/probes/celery"
	"gradecockpit/probes/grading"
	"gradecockpit/probes/logs"
)

// What the rules have in common.

// compose begins each command for the deployment's containers: there is no
// systemd unit and no supervisor of the playbook's names.
const compose = "docker compose --env-file .env -f infra/docker/docker-compose.prod.yml "

// manyAffected is from how many copies on a feature counts as broken for many
// (8.1) and not for a few.
const manyAffected = 10

func severityOf(copies int) Severity {
	if copies >= manyAffected {
		return P1
	}
	return P2
}

// stuckBy lists the stuck copies of some causes.
func stuckBy(in Input, wanted ...grading.Cause) (out []grading.Stuck) {
	o, ok := current[grading.Overview](in, grading.ID)
	if !ok || !o.Stuck.Here() {
		return nil
	}
	for _, s := range o.Stuck.Value.Rows {
		if slices.Contains(wanted, s.Cause) {
			out = append(out, s)
		}
	}
	return out
}

// stuckNow are the copies that are stuck, by their row id.
func stuckNow(in Input) map[string]grading.Stuck {
	out := map[string]grading.Stuck{}
	o, ok := current[grading.Overview](in, grading.ID)
	if ok && o.Stuck.Here() {
		for _, s := range o.Stuck.Value.Rows {
			out[s.Copy.ID] = s
		}
	}
	return out
}

// locksOf are the rows of the lock table by copy.
func locksOf(in Input) map[string]grading.Lock {
	out := map[string]grading.Lock{}
	o, ok := current[grading.Overview](in, grading.ID)
	if ok && o.Locks.Here() {
		for _, l := range o.Locks.Value.Rows {
			out[l.Copy.ID] = l
		}
	}
	return out
}

// inHand tells whether a teacher corrects the copy of a lock now.
func inHand(l grading.Lock) bool { return l.LockID != "" && !l.Expired && !l.Abandoned }

// namer gives copies their anonymous ids as far as a probe tells them.
func namer(in Input) func(id string) grading.CopyRef {
	known := map[string]grading.CopyRef{}
	if o, ok := current[grading.Overview](in, grading.ID); ok {
		for _, s := range o.Stuck.Value.Rows {
			known[s.Copy.ID] = s.Copy
		}
		for _, l := range o.Locks.Value.Rows {
			known[l.Copy.ID] = l.Copy
		}
		for _, e := range o.Events.Value.Rows {
			known[e.Copy.ID] = e.Copy
		}
	}
	if o, ok := current[audit.Overview](in, audit.ID); ok {
		for _, r := range o.Rows {
			known[r.Copy.ID] = r.Copy
		}
	}
	return func(id string) grading.CopyRef {
		if ref, ok := known[strings.ToLower(id)]; ok {
			return ref
		}
		return grading.CopyRef{ID: id}
	}
}

// named names each copy once, in the order given.
func named(in Input, ids []string) (out []grading.CopyRef) {
	label := namer(in)
	for _, id := range ids {
		if ref := label(id); id != "" && !slices.Contains(out, ref) {
			out = append(out, ref)
		}
	}
	return out
}

// onCopies sets the copies that a finding affects, and their users; nil for
// users nobody knows.
func (f *Finding) onCopies(copies []grading.CopyRef, users map[string]bool) {
	f.CopyCount = len(copies)
	f.Copies = copies[:min(len(copies), MostCopies)]
	if users == nil {
		f.UserCount = -1
		return
	}
	f.Users = slices.Sorted(maps.Keys(users))
	f.UserCount = len(f.Users)
	f.Users = f.Users[:min(len(f.Users), MostCopies)]
}

// holders are those who hold the stuck copies.
func holders(stuck []grading.Stuck) map[string]bool {
	users := map[string]bool{}
	for _, s := range stuck {
		if s.Holder.Name != "" {
			users[s.Holder.Name] = true
		}
	}
	return users
}

func copiesIn(stuck []grading.Stuck) (out []grading.CopyRef) {
	for _, s := range stuck {
		out = append(out, s.Copy)
	}
	return out
}

// firstSince is when the first of the stuck copies came to be so; zero unknown.
func firstSince(stuck []grading.Stuck) (first time.Time) {
	for _, s := range stuck {
		if !s.Guess && !s.Since.IsZero() && (first.IsZero() || s.Since.Before(first)) {
			first = s.Since
		}
	}
	return first
}

// troubleWith gives what the log says of an operation and the causes given; ok
// is false where it tells of none.
func troubleWith(in Input, op logs.Op, causes ...logs.Cause) (sum logs.Trouble, ok bool) {
	o, _ := current[logs.Overview](in, logs.ID)
	for _, t := range o.Troubles {
		if t.Op != op || !slices.Contains(causes, t.Cause) {
			continue
		}
		if sum.N == 0 || t.Last.At.After(sum.Last.At) {
			sum.Last = t.Last
		}
		if sum.First.IsZero() || t.First.Before(sum.First) {
			sum.First = t.First
		}
		sum.Op, sum.Cause, sum.N = op, t.Cause, sum.N+t.N
		sum.Copies = append(sum.Copies, t.Copies...)
	}
	slices.SortStableFunc(sum.Copies, func(a, b logs.CopyTrouble) int { return b.Last.At.Compare(a.Last.At) })
	return sum, sum.N > 0
}

// withoutLog says that a rule which also reads the log could not.
func withoutLog(in Input) string {
	if why := unread(in.Set, []probes.ID{logs.ID}); why != "" {
		return "Without the log only part of it can be judged: " + why
	}
	return ""
}

// saidBy is a log record as evidence. Its words have been cleaned.
func saidBy(l logs.Line, now time.Time) Evidence {
	says := l.Message
	if n := len(l.Trace); n > 0 && !strings.Contains(says, l.Trace[n-1]) {
		says += ": " + l.Trace[n-1]
	}
	e := Evidence{From: logs.ID, Says: says, Kind: "line", ID: l.Place}
	if !l.At.IsZero() {
		e.Says = ago(now.Sub(l.At)) + ": " + says
	}
	return e
}

// seenStuck is a stuck copy as evidence.
func seenStuck(in Input, s grading.Stuck) Evidence {
	o, _ := current[grading.Overview](in, grading.ID)
	says := s.Copy.Label() + ": " + s.Why
	if !strings.HasPrefix(s.Why, s.Status) {
		says = fmt.Sprintf("%s: %s, %s", s.Copy.Label(), s.Status, s.Why)
	}
	if !s.Since.IsZero() {
		says += ", since " + lasted(o.ServerTime.Sub(s.Since))
		if s.Guess {
			says += " or more"
		}
	}
	return Evidence{From: grading.ID, Says: says, Kind: "trace", ID: s.Copy.ID}
}

// most keeps evidence readable.
const mostEvidence = 6

func stuckEvidence(in Input, stuck []grading.Stuck) (out []Evidence) {
	for _, s := range stuck[:min(len(stuck), mostEvidence)] {
		out = append(out, seenStuck(in, s))
	}
	return out
}

// offersFor makes the same offer for the first few copies.
func offersFor(copies []grading.CopyRef, o Offer) (out []Offer) {
	for _, c := range copies[:min(len(copies), 3)] {
		o.Kind, o.ID, o.Label = "copy", c.ID, c.Label()
		out = append(out, o)
	}
	return out
}

// tasked are the copies for which a task waits, runs, or was left behind, by
// the reason why they stand still. An import names its copy by the anonymous id.
func tasked(in Input) map[string]celery.TaskState {
	out := map[string]celery.TaskState{}
	g, _ := current[grading.Overview](in, grading.ID)
	copyOf := func(id, args string) string {
		anon := celery.AnonIn(args)
		for _, s := range g.Stuck.Value.Rows {
			if id == "" && anon != "" && strings.EqualFold(s.Copy.Anon, anon) {
				return s.Copy.ID
			}
		}
		return id
	}
	o, _ := current[celery.Overview](in, celery.ID)
	for _, q := range o.Queues {
		for _, m := range q.Sample {
			out[copyOf(m.CopyID, m.Args)] = celery.TaskWaiting
		}
	}
	t, _ := current[celery.Tasks](in, celery.TasksID)
	for _, r := range t.Rows {
		switch r.State {
		case celery.TaskWaiting, celery.TaskReserved, celery.TaskScheduled, celery.TaskRunning, celery.TaskOrphaned, celery.TaskLost, celery.TaskRetrying:
			out[copyOf(r.CopyID, r.Args)] = r.State
		}
	}
	delete(out, "")
	return out
}

// blamed are the copies of which the log says why an operation on them failed.
func blamed(in Input, op logs.Op) map[string]bool {
	out := map[string]bool{}
	o, _ := current[logs.Overview](in, logs.ID)
	for _, t := range o.Troubles {
		if t.Op == op && t.Cause != logs.CauseUnclear && t.Cause != logs.CauseState && t.Cause != logs.CauseConflict && t.Cause != logs.CauseForbidden {
			for _, c := range t.Copies {
				out[c.CopyID] = true
			}
		}
	}
	return out
}
