// Package tasks holds the action that sends a copy's Celery task again, and
// those that revoke or terminate one task. A retry of a finalization is no
// retry: it grades the copy as it is, and there is no way back. So the package
// spends its effort on deciding whether, for whom and where to send, and on
// finding out what became of it: the tasks return their errors inside a SUCCESS.
package tasks

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"gradecockpit/actions"
	"gradecockpit/actions/rows"
	"gradecockpit/probes"
	"gradecockpit/probes/celery"
	"gradecockpit/probes/grading"
	"gradecockpit/probes/postgres"
)

// Deps is what these actions need.
type Deps struct {
	Writer  *postgres.Writer
	Grading *grading.Probe
	Broker  *celery.Broker
	Journal actions.Journal // counts earlier attempts; nil knows of none
	SaveDir string          // the folder for revoked messages
	Timings Timings
}

// Timings bound the watching. Zero values take the defaults.
type Timings struct {
	Watch time.Duration // how long the outcome is awaited: 60 s
	Poll  time.Duration // between two looks: 500 ms
}

// All gives the actions of this package in menu order.
func All(d Deps) []actions.Action {
	if d.Timings.Watch <= 0 {
		d.Timings.Watch = time.Minute
	}
	if d.Timings.Poll <= 0 {
		d.Timings.Poll = 500 * time.Millisecond
	}
	return []actions.Action{retry{d}, revoke{single{d}}, terminate{single{d}}}
}

// retry sends the task of a copy again.
type retry struct{ Deps }

func (retry) ID() string                  { return "retry" }
func (retry) Title() string               { return "Retry" }
func (retry) Kinds() []actions.TargetKind { return []actions.TargetKind{actions.OnCopy} }

// Watch is the bound of Verify.
func (a retry) Watch() time.Duration { return a.Timings.Watch }

// Impossible says why no retry can work here at all.
func (a retry) Impossible(set probes.Set) string {
	ov, snap, ok := probes.Of[grading.Overview](set, grading.ID)
	switch {
	case a.Broker == nil:
		return "No broker is configured: set CELERY_BROKER_URL."
	case !ok && snap.Err != nil:
		return "The database cannot be read: " + snap.Err.Error() + "."
	case !ok || ov.Schema == nil:
		return "The database has not been read yet."
	}
	return possible(rows.Tables{Schema: ov.Schema})
}

func (a retry) Disabled(set probes.Set, t actions.Target) string {
	if why := a.Impossible(set); why != "" {
		return why
	}
	if len(t.More) > 0 {
		return "A retry is for one copy at a time: it cannot be taken back."
	}
	ov, _, _ := probes.Of[grading.Overview](set, grading.ID)
	for _, s := range ov.Stuck.Value.Rows {
		if s.Copy.ID == t.ID {
			return hopeless(s, ov.Schema.Dialect)
		}
	}
	return ""
}

// possible says why no retry works on this database.
func possible(t rows.Tables) string {
	if t.Replica {
		return "This server is a read-only replica: nothing can be written here."
	}
	if why := t.Lacks(grading.CopyID, grading.CopyStatus); why != "" {
		return why
	}
	return t.MayUpdate(grading.CopyStatus) // what it takes to see an operation in flight
}

// hopeless says what the pane knows already, without asking again.
func hopeless(s grading.Stuck, d grading.Dialect) string {
	switch {
	case s.Cause == grading.CauseDeadEnd:
		return "Locks are not in use here: no task leaves LOCKED. Give the copy back first."
	case s.Status == "STAGING" && d != grading.Playbook:
		return "No task of this application imports an existing copy again."
	case s.Status == "GRADING_IN_PROGRESS" || s.Status == "GRADED":
		return s.Copy.Label() + " is " + s.Status + ": every finalization is refused."
	case s.Status != "STAGING" && s.Pages == 0:
		return s.Copy.Label() + " has no pages: a finalization fails the same way every time."
	}
	return ""
}

// sending is what a retry plan keeps.
type sending struct {
	situation situation
	order     order
	user      grading.User
	tables    rows.Tables
	queue     string
	taskID    string
	dossier   grading.Dossier
	known     bool  // the dossier was read
	attempts  int   // failed ones before this
	before    int64 // messages in the queue, as last seen
	doubts    []string
}

func (a retry) Plan(ctx context.Context, q actions.Request) (actions.Plan, error) {
	if q.Choice != "" {
		return actions.Plan{}, refuse("There is no choice "+q.Choice+".", "")
	}
	s := &sending{}
	locks := a.locksInUse(ctx, q.Set)
	err := rows.Look(ctx, a.Writer, func(ctx context.Context, tx pgx.Tx, t rows.Tables) (err error) {
		if why := possible(t); why != "" {
			return refuse(why, "")
		}
		s.tables = t
		if s.situation, err = look(ctx, tx, t, q.Target.ID, locks, q.Actor); err != nil {
			return err
		}
		return s.decide(ctx, tx)
	})
	if err != nil {
		return actions.Plan{}, err
	}
	if err := a.alone(ctx, s); err != nil {
		return actions.Plan{}, err
	}
	if s.queue, err = a.queue(ctx, s); err != nil {
		return actions.Plan{}, err
	}
	s.attempts = max(s.situation.facts.Failures, a.failures(q.Target.ID))
	s.read(ctx, a.Grading)
	s.before = depth(q.Set, s.queue)
	p := actions.NewPlan(a, q)
	s.taskID = taskID(p.ID)
	return a.describe(p, s), nil
}

// look reads a copy's situation. Somebody at work on the copy is a refusal.
func look(ctx context.Context, tx pgx.Tx, t rows.Tables, id string, locks grading.Tri, who actions.Actor) (situation, error) {
	s := situation{locks: locks, namesOne: t.Has(grading.CopyLockedBy), playbook: t.Dialect == grading.Playbook, operator: who.UserID}
	held, err := t.Hold(ctx, tx, []string{id})
	if err != nil {
		return s, err
	}
	found, err := t.Read(ctx, tx, []string{id})
	if err != nil {
		return s, err
	}
	s.copy = found[id]
	switch {
	case s.copy == nil:
		return s, refuse("There is no such copy any more.", "")
	case !held[id]:
		return s, rows.Busy(s.copy.Label())
	}
	s.facts, err = t.Facts(ctx, tx, id)
	return s, err
}

func (s *sending) decide(ctx context.Context, tx pgx.Tx) error {
	o, no := decide(s.situation)
	if no != nil {
		return no
	}
	if o.clear != nil {
		if why := s.tables.MayDelete(grading.LockID); why != "" {
			return refuse("The expired lock has to go first. "+why, "")
		}
	}
	user, err := s.tables.Name(ctx, tx, o.user)
	s.order, s.user = o, user
	return err
}

// locksInUse takes what the probe found, and asks it where nobody did yet.
func (a retry) locksInUse(ctx context.Context, set probes.Set) grading.Tri {
	ov, _, ok := probes.Of[grading.Overview](set, grading.ID)
	if !ok && a.Grading != nil {
		if payload, err := a.Grading.Sample(ctx); err == nil {
			ov, _ = payload.(grading.Overview)
		}
	}
	return ov.LocksInUse
}

// alone refuses when a task for the copy is under way: a second one would
// meet the first, or grade what the first has left.
func (a retry) alone(ctx context.Context, s *sending) error {
	live, err := a.Broker.Live(ctx, s.situation.copy.ID)
	var some *celery.ErrIncomplete
	switch {
	case len(live) > 0:
		l := live[0]
		return refuse(fmt.Sprintf("A task for %s is %s already: %s %.8s.", s.situation.copy.Label(), l.State, celery.ShortTask(l.Task), l.ID), "Wait for it, or purge it first.")
	case errors.As(err, &some):
		s.doubts = append(s.doubts, "Another task for this copy may be under way: "+some.Error()+".")
	case err != nil:
		return fmt.Errorf("look for tasks of the copy: %w", err)
	}
	return nil
}

// queue picks a list that a worker takes: where the application's own routes
// put the task, else Celery's default, else any. Workers run a task from
// whatever list it came.
func (a retry) queue(ctx context.Context, s *sending) (string, error) {
	taken, known, err := a.Broker.Taken(ctx)
	if err != nil {
		return "", fmt.Errorf("ask which queues are taken: %w", err)
	}
	var wanted []string
	if s.tables.RoutedQueues {
		wanted = append(wanted, map[string]string{finalizeTask: "finalize", importTask: "import"}[s.order.task])
	}
	wanted = append(wanted, celery.DefaultQueue)
	for _, name := range wanted {
		if taken[name] {
			return name, nil
		}
	}
	for name := range taken {
		wanted = append(wanted, name)
	}
	slices.Sort(wanted)
	for _, name := range wanted {
		if taken[name] {
			return name, nil
		}
	}
	if !known {
		return "", refuse("No worker said which queues it takes, so the task might wait for ever and grade the copy some other day.", "Restart the worker, then retry.")
	}
	return "", refuse("No worker takes a queue for this task.", "Start a worker, then retry.")
}

// failures counts the retries of a copy that the journal knows to have failed.
func (a retry) failures(copyID string) int {
	if a.Journal == nil {
		return 0
	}
	records, err := a.Journal.Records()
	if err != nil {
		return 0 // the Runner tells about a broken journal
	}
	n := 0
	for _, r := range records {
		if r.Kind == actions.Outcome && r.Action == a.ID() && r.Target.ID == copyID && r.Verdict == actions.NotFixed && len(r.Did) > 0 {
			n++
		}
	}
	return n
}

// read gets the score and the annotations, which a plan only shows.
func (s *sending) read(ctx context.Context, p *grading.Probe) {
	if p == nil {
		return
	}
	d, err := p.Dossier(ctx, s.situation.copy.ID)
	s.dossier, s.known = d, err == nil
}

// depth is how many messages a queue held when it was last seen.
func depth(set probes.Set, queue string) int64 {
	ov, _, _ := probes.Of[celery.Overview](set, celery.ID)
	for _, q := range ov.Queues {
		if q.Name == queue {
			return q.Depth
		}
	}
	return 0
}

// taskID is made of the plan's, so that one plan is one task however often it
// is sent.
func taskID(planID string) string {
	return uuid.NewSHA1(uuid.NameSpaceOID, []byte("gradecockpit/"+planID)).String()
}
