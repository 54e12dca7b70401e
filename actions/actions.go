// Package actions is the writing half of the cockpit: what an action is, and
// the one mechanism through which every write goes.
//
//	plan → confirm → journal the intent, fsync → execute if unchanged → verify → journal the outcome
//
// An Action only knows how to plan, execute and verify; the [Runner] owns the
// order of steps, the confirmation rules and the journal, and is shared by the
// screen and the command line. If the journal cannot be written, nothing runs.
package actions

import (
	"context"
	"fmt"
	"strings"
	"time"

	"gradecockpit/probes"
)

// Risk decides how a plan is confirmed.
type Risk int

// Low is confirmed by the single key y. High needs a typed word and a reason.
const (
	Low Risk = iota
	High
)

// String gives the word the screen shows.
func (r Risk) String() string { return [...]string{"low", "DANGER"}[r] }

// TargetKind says what an action is aimed at.
type TargetKind string

// The kinds of target.
const (
	OnCopy       TargetKind = "copy"       // one copy or several
	OnLocks      TargetKind = "locks"      // all expired locks, as seen
	OnQueue      TargetKind = "queue"      // one Celery queue
	OnQuarantine TargetKind = "quarantine" // a purged queue
	OnRecord     TargetKind = "record"     // a journal record, for undo
	OnWorker     TargetKind = "worker"     // one Celery worker, by its node name
	OnTask       TargetKind = "task"       // one Celery task, by its id
	OnSession    TargetKind = "session"    // one PostgreSQL backend, by pid and start: "4711/1764302400123456" (µs since 1970)
	OnStatement  TargetKind = "statement"  // one statement, by its queryid in pg_stat_statements
)

// Target is what an action is aimed at. It names things by key, never by row.
type Target struct {
	Kind  TargetKind
	ID    string // copy id, queue name, quarantine id, journal record id, worker name, task id
	Label string // what the screen calls it: the anonymous id
	// More are further targets of the same kind, when several rows are marked.
	More []Target
}

// Step is one write that a plan would make.
type Step struct {
	Verb   string // "delete", "insert", "update", "move", "publish"
	Object string // "grading_copylock", "celery → quarantine"
	Detail string // the row in words, no secret
	// Statement and Args are what runs, for the journal. Secrets in Args are
	// cut to a prefix.
	Statement string
	Args      []string
}

// Plan is what an action would do to what it saw. Nothing has been written.
type Plan struct {
	ID         string // action id: made before anything is sent, repeat-safe
	Action     string // Action.ID
	Title      string // "Force-unlock A3F2-0019"
	Target     Target
	Risk       Risk
	Says       []string // what the situation is and what follows, sentences
	Warnings   []string // what can be lost
	Steps      []Step
	StopsIf    string // "Stops if the lock has changed since you looked."
	Undo       string // how to take it back, or why that cannot be done
	Word       string // what must be typed when Risk is High
	Choices    []Choice
	Choice     string // the ID of the choice in force
	MadeAt     time.Time
	ValidUntil time.Time
	// Seen is what the action observed and will check again, by name, as it
	// goes to the journal. Secrets in it are cut; the full values stay in Private.
	Seen    map[string]string
	Private any // the action's own; not journaled, not shown
}

// Choice is a variant of a plan that the operator can pick, such as "unlock
// and give back" or "unlock, then retry".
type Choice struct {
	ID, Title string
}

// Request asks an action for a plan.
type Request struct {
	Target Target
	Choice string // "" for the default
	Reason string
	Actor  Actor
	Set    probes.Set // as seen when the plan was asked for; empty for Execute
	// Record is what the journal holds of the action that an OnRecord target
	// names; nil for other targets.
	Record *Record
}

// Actor is who acts. UserID signs events in the application's audit trail.
type Actor struct {
	Name   string // the operator: --as, config, SUDO_USER, USER
	Host   string
	UserID int64 // auth_user.id; 0 when no such user exists
	// Unsigned allows acting without an auth_user row; the audit trail then
	// gets a gap, which the plan says.
	Unsigned bool
}

// Effect is what Execute did.
type Effect struct {
	Did    []string          // sentences: "deleted the lock of jmartin"
	Skip   []string          // what was left alone and why: "A3F2-0019: renewed meanwhile"
	Values map[string]string // for Verify and the journal: task id, quarantine key, event id
	// Undo is the action and data that takes this back; empty Action: none.
	Undo Undo
}

// Undo is how to take an effect back. Data may hold secrets; it is kept in the
// journal file, which only its owner can read, and nowhere else.
type Undo struct {
	Action string
	Target Target
	Data   map[string]string
}

// VerdictKind is how an action ended.
type VerdictKind string

// The ends of an action. Unknown is a legal one: it says that nobody knows.
const (
	Fixed     VerdictKind = "fixed"
	NotFixed  VerdictKind = "not fixed"
	Unverdict VerdictKind = "unknown"
	WasRefuse VerdictKind = "refused"
	Changed   VerdictKind = "target changed"
	Failed    VerdictKind = "failed"
	Cancelled VerdictKind = "cancelled"
)

// Verdict is the end of an action with the evidence for it.
type Verdict struct {
	Kind     VerdictKind
	Says     string   // one sentence for the screen
	Evidence []string // what was read to know it
	Next     string   // what to do now; may be empty
}

// Action is one thing the cockpit can put right.
type Action interface {
	// ID is the word for the command line and the journal: "force-unlock".
	ID() string
	// Title is what the menu shows: "Force-unlock".
	Title() string
	// Kinds are the targets it takes.
	Kinds() []TargetKind
	// Disabled says why it is not possible now, in a sentence, judged from the
	// probes alone; "" when it may be planned.
	Disabled(set probes.Set, t Target) string
	// Plan reads the target and states every write. It refuses with *Refusal.
	Plan(ctx context.Context, r Request) (Plan, error)
	// Execute writes, in one transaction or one script that checks again what
	// the plan saw. It gives *Moved when anything did, and then wrote nothing.
	Execute(ctx context.Context, p Plan, r Request) (Effect, error)
	// Verify watches until the outcome is known or ctx ends. say reports
	// progress for the screen and may be called many times.
	Verify(ctx context.Context, p Plan, e Effect, say func(string)) Verdict
}

// Settler is an action that can find out, from its journal record alone, what
// became of an execution whose end nobody saw.
type Settler interface {
	Settle(ctx context.Context, r Record) Verdict
}

// Watcher is an action whose Verify needs another deadline than [WatchFor].
type Watcher interface {
	Watch() time.Duration
}

// Lasting is an action whose Execute needs another deadline than [ExecuteFor].
type Lasting interface {
	Lasts() time.Duration
}

// Unsure is the error of an Execute that cannot say whether it wrote: the
// answer to its last message never came.
type Unsure struct{ Err error }

// Error gives the cause.
func (u *Unsure) Error() string { return "it is not known whether this was done: " + u.Err.Error() }

// Unwrap gives the cause.
func (u *Unsure) Unwrap() error { return u.Err }

// Refusal is a plan that is not made, because it would make things worse or
// cannot work.
type Refusal struct {
	Why  string
	Next string
}

// Error gives both sentences.
func (r *Refusal) Error() string { return strings.TrimSpace(r.Why + " " + r.Next) }

// Diff is one value that is not what the plan saw.
type Diff struct {
	Name, Was, Is string
}

// Moved says that the target changed between plan and execution. Nothing was
// written.
type Moved struct {
	Says  string
	Diffs []Diff
}

// Error names every difference.
func (m *Moved) Error() string {
	var b strings.Builder
	b.WriteString(m.Says)
	for _, d := range m.Diffs {
		fmt.Fprintf(&b, " %s was %s, is %s.", d.Name, d.Was, d.Is)
	}
	return b.String()
}
