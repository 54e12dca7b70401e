package actions

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"gradecockpit/probes"
)

// The Runner's bounds. An action finishes its statement in flight even when
// the screen goes away, so Execute has a deadline of its own.
const (
	PlanFor    = 10 * time.Second // a plan reads the target
	ExecuteFor = 10 * time.Second
	WatchFor   = 10 * time.Second // Verify, where the action says nothing else
	ValidFor   = 2 * time.Minute  // a plan shown for longer describes the past
)

// Phase is where a run is.
type Phase string

// The phases that a run reports, in order.
const (
	Confirmed Phase = "confirmed"
	Executing Phase = "executing"
	Verifying Phase = "verifying"
	Done      Phase = "done"
)

// Progress is reported while an action runs. Progress is never dropped.
type Progress struct {
	Phase Phase
	Says  string
}

// Confirmation is what the operator gave. For Low risk Yes is enough; for High
// the Word must match the plan's and Reason must not be blank.
type Confirmation struct {
	Yes    bool
	Word   string
	Reason string
}

// Result is the end of a run.
type Result struct {
	Plan    Plan
	Effect  Effect
	Verdict Verdict
}

// Config is what a Runner needs.
type Config struct {
	Actions []Action
	Journal Journal
	Actor   Actor
	// Identify finds the auth_user.id that signs for the operator; 0 when there
	// is none. It is asked when a plan is made, until it is known: at the start
	// the database may not answer yet. nil leaves Actor as it is.
	Identify func(ctx context.Context, name string) (int64, error)
	ReadOnly string // why nothing may be written: "--read-only"; "" when it may
	Env      string // names the environment in the journal, which several may share
}

// Runner owns the order of steps for every action. It is safe for concurrent
// use.
type Runner struct {
	cfg     Config
	session string

	mu    sync.Mutex
	actor Actor
	used  map[string]bool // IDs of the plans that were run
	live  map[string]bool // those that run now
}

// NewRunner makes a runner.
func NewRunner(cfg Config) *Runner {
	return &Runner{cfg: cfg, actor: cfg.Actor, session: session(), used: map[string]bool{}, live: map[string]bool{}}
}

// Actions lists all actions in menu order.
func (r *Runner) Actions() []Action { return r.cfg.Actions }

// Find gives an action by its ID.
func (r *Runner) Find(id string) (Action, bool) {
	for _, a := range r.cfg.Actions {
		if a.ID() == id {
			return a, true
		}
	}
	return nil, false
}

// Actor is who acts, with the user ID once it is known.
func (r *Runner) Actor() Actor {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.actor
}

// identify finds out whose ID signs for the operator. A database that does not
// answer leaves it unknown; the action that needs it says so.
func (r *Runner) identify(ctx context.Context) Actor {
	a := r.Actor()
	if a.UserID != 0 || r.cfg.Identify == nil {
		return a
	}
	id, err := r.cfg.Identify(ctx, a.Name)
	if err != nil || id == 0 {
		return a
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.actor.UserID = id
	return r.actor
}

// ReadOnly says why nothing may be written; "" when it may.
func (r *Runner) ReadOnly() string { return r.cfg.ReadOnly }

// Disabled says why an action cannot be planned now; "" when it can. Read-only
// comes first, then what the action cannot be aimed at, then its own reason.
func (r *Runner) Disabled(set probes.Set, actionID string, t Target) (why string) {
	defer func() {
		if p := recover(); p != nil {
			why = broke("judge "+actionID, p).Error()
		}
	}()
	a, ok := r.Find(actionID)
	switch {
	case r.cfg.ReadOnly != "":
		return "Nothing may be written: " + r.cfg.ReadOnly + "."
	case !ok:
		return "There is no action called " + actionID + "."
	case !slices.Contains(a.Kinds(), t.Kind):
		return a.Title() + " works on " + kinds(a.Kinds()) + "."
	}
	return a.Disabled(set, t)
}

func kinds(ks []TargetKind) string {
	words := map[TargetKind]string{
		OnCopy: "a copy", OnLocks: "the locks", OnQueue: "a queue",
		OnQuarantine: "a purged queue", OnRecord: "an action of the journal", OnWorker: "a worker", OnTask: "a task",
		OnSession: "a database session", OnStatement: "a statement",
	}
	var s []string
	for _, k := range ks {
		s = append(s, words[k])
	}
	return strings.Join(s, " or ")
}

// Plan asks an action for a plan. choice "" takes the default. A *Refusal is
// journaled; a target that has moved already while planning is one too.
func (r *Runner) Plan(ctx context.Context, set probes.Set, actionID string, t Target, choice string) (Plan, error) {
	p, err := r.plan(ctx, set, actionID, t, choice)
	var no *Refusal
	if errors.As(err, &no) {
		rec := r.record(Refused, Plan{ID: newID(time.Now()), Action: actionID, Target: t, Choice: choice})
		rec.Verdict, rec.Says = WasRefuse, no.Error()
		r.cfg.Journal.Append(rec) // nothing was written, so an unwritten line is no reason to fail
	}
	return p, err
}

func (r *Runner) plan(ctx context.Context, set probes.Set, actionID string, t Target, choice string) (p Plan, err error) {
	if why := r.Disabled(set, actionID, t); why != "" {
		return Plan{}, &Refusal{Why: why}
	}
	a, _ := r.Find(actionID)
	q := Request{Target: t, Choice: choice, Set: set}
	if q.Record, err = r.named(t); err != nil {
		return Plan{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, PlanFor)
	defer cancel()
	q.Actor = r.identify(ctx)
	defer func() {
		if v := recover(); v != nil {
			err = broke("plan "+actionID, v)
		}
	}()
	return a.Plan(ctx, q)
}

// NewPlan starts a plan of an action: its ID, and how long it is good for.
// The ID sorts by time and is unique, so that what is named after it (a task,
// a quarantine) is made once however often it is sent.
func NewPlan(a Action, q Request) Plan {
	now := time.Now()
	return Plan{
		ID: newID(now), Action: a.ID(), Target: q.Target, Choice: q.Choice,
		MadeAt: now, ValidUntil: now.Add(ValidFor), Seen: map[string]string{},
	}
}

// Cancel journals that a plan was shown and not confirmed.
func (r *Runner) Cancel(p Plan) {
	rec := r.record(Cancel, p)
	rec.Verdict = Cancelled
	r.cfg.Journal.Append(rec) // nothing was written; nobody to tell
}

// record is a journal line about a plan.
func (r *Runner) record(kind RecordKind, p Plan) Record {
	return Record{
		Kind: kind, ActionID: p.ID, Action: p.Action, Title: p.Title, At: time.Now().UTC(),
		Actor: r.Actor().Name, Host: r.Actor().Host, UserID: r.Actor().UserID,
		Env: r.cfg.Env, Target: p.Target, Choice: p.Choice, Seen: p.Seen, Session: r.session,
	}
}

// broke turns a panic of an action into an error, with the place it came from.
func broke(op string, v any) error {
	return fmt.Errorf("%s: the action broke off: %v (%s)", op, v, origin())
}
