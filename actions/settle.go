package actions

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Unsettled is an intent of an earlier session without an outcome.
type Unsettled struct {
	Record  Record
	Verdict Verdict // what settling found
}

// runsAtMost is longer than any run can take; an intent older than that is left
// over whoever wrote it.
const runsAtMost = 5 * time.Minute

// askAgainFor is how long an intent stays open whose outcome nobody could tell.
// Messages and results are gone after a day, so later looks would tell no more.
const askAgainFor = 24 * time.Hour

// Settle looks at the intents that an earlier session left without outcome,
// finds out what became of them, journals that and returns them. An intent of
// a session that still runs beside this one is left to it.
func (r *Runner) Settle(ctx context.Context) ([]Unsettled, error) {
	records, err := r.cfg.Journal.Records()
	if err != nil {
		return nil, fmt.Errorf("settle what was left over: %w", err)
	}
	var found []Unsettled
	for _, rec := range open(records, r.cfg.Env) {
		if r.running(rec) {
			continue
		}
		u := Unsettled{rec, r.settle(ctx, rec)}
		found = append(found, u)
		if ctx.Err() != nil {
			return found, ctx.Err()
		}
		if u.Verdict.Kind == Unverdict && time.Since(rec.At) < askAgainFor {
			continue // a source may be out of reach now: the next start asks again
		}
		if err := r.cfg.Journal.Append(settled(rec, u.Verdict)); err != nil {
			return found, fmt.Errorf("journal the outcome of %s: %w", rec.Title, err)
		}
	}
	return found, nil
}

// settle asks the action itself, if it can tell.
func (r *Runner) settle(ctx context.Context, rec Record) (v Verdict) {
	defer func() {
		if p := recover(); p != nil {
			v = Verdict{Kind: Unverdict, Says: "It is not known whether this was done.",
				Evidence: []string{broke("settle", p).Error()}}
		}
	}()
	a, _ := r.Find(rec.Action)
	s, ok := a.(Settler)
	if !ok {
		return Verdict{Kind: Unverdict, Says: "It is not known whether this was done, and nothing can tell."}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), PlanFor)
	defer cancel()
	return s.Settle(ctx, rec)
}

// open gives the intents of an environment that have no outcome, each with
// what was journaled of its execution.
func open(records []Record, env string) []Record {
	byID := map[string]*Record{}
	var order []string
	for _, rec := range records {
		switch {
		case rec.Env != env:
		case rec.Kind == Intent:
			byID[rec.ActionID] = &rec
			order = append(order, rec.ActionID)
		case rec.Kind == Executed && byID[rec.ActionID] != nil:
			i := byID[rec.ActionID]
			i.Did, i.Skip, i.Values, i.Undo = rec.Did, rec.Skip, rec.Values, rec.Undo
		case rec.Kind == Outcome:
			delete(byID, rec.ActionID)
		}
	}
	var left []Record
	for _, id := range order {
		if rec := byID[id]; rec != nil {
			left = append(left, *rec)
			delete(byID, id)
		}
	}
	return left
}

// settled is the outcome of a left-over intent. It stays the act of who meant
// it; only its time is ours.
func settled(rec Record, v Verdict) Record {
	rec.Kind, rec.At = Outcome, time.Now().UTC()
	rec.Seen, rec.Steps = nil, nil
	rec.Verdict, rec.Evidence = v.Kind, v.Evidence
	rec.Says = "Settled after the session had ended: " + v.Says
	return rec
}

// running tells whether the session that wrote an intent may still be at it.
func (r *Runner) running(rec Record) bool {
	if rec.Session == r.session {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.live[rec.ActionID]
	}
	if time.Since(rec.At) > runsAtMost {
		return false
	}
	return alive(rec.Session)
}

// session names this process in the journal.
func session() string {
	host, _ := os.Hostname() // a nameless host still has pids
	return host + "/" + strconv.Itoa(os.Getpid())
}

// alive tells whether a process exists. Of another host's nothing is known, so
// it counts as alive until its time is up.
func alive(session string) bool {
	host, id, ok := strings.Cut(session, "/")
	pid, err := strconv.Atoi(id)
	if !ok || err != nil || pid <= 0 {
		return false
	}
	if here, _ := os.Hostname(); here != host {
		return true
	}
	return syscall.Kill(pid, 0) != syscall.ESRCH
}

// newID is a plan's ID, such as 20260201T143012Z-9f3a61c0.
func newID(now time.Time) string {
	var b [4]byte
	rand.Read(b[:]) // never fails
	return now.UTC().Format("20060102T150405Z") + "-" + hex.EncodeToString(b[:])
}
