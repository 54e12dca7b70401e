package tui

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"gradecockpit/actions"
	"gradecockpit/probes"
	"gradecockpit/probes/celery"
	"gradecockpit/probes/grading"
	"gradecockpit/probes/logs"
	"gradecockpit/tui/internal/sample"
)

// fakeHub hands over the sets that a test puts into it.
type fakeHub struct {
	news    chan probes.Set
	set     probes.Set
	paused  bool
	every   time.Duration
	visible []probes.ID
	slower  int // what SlowHidden was given
	asked   int
}

func newHub(set probes.Set) *fakeHub {
	return &fakeHub{news: make(chan probes.Set, 1), set: set, every: 2 * time.Second}
}

func (h *fakeHub) Next(ctx context.Context, _ time.Duration) (probes.Set, error) {
	select {
	case s := <-h.news:
		return s, nil
	case <-ctx.Done():
		return probes.Set{}, ctx.Err()
	}
}

func (h *fakeHub) Latest() probes.Set         { return h.set }
func (h *fakeHub) Refresh()                   { h.asked++ }
func (h *fakeHub) SetPaused(p bool)           { h.paused = p }
func (h *fakeHub) Paused() bool               { return h.paused }
func (h *fakeHub) Faster()                    { h.every /= 2 }
func (h *fakeHub) Slower()                    { h.every *= 2 }
func (h *fakeHub) Interval() time.Duration    { return h.every }
func (h *fakeHub) SlowHidden(n int)           { h.slower = n }
func (h *fakeHub) SetVisible(ids []probes.ID) { h.visible = ids }

// memory is a journal that forgets at the end of the test.
type memory struct {
	mu      sync.Mutex
	records []actions.Record
}

func (m *memory) Append(r actions.Record) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.records = append(m.records, r)
	return nil
}

func (m *memory) Records() ([]actions.Record, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]actions.Record(nil), m.records...), nil
}

// kinds counts the records of a kind.
func (m *memory) kinds(k actions.RecordKind) int {
	n := 0
	all, _ := m.Records()
	for _, r := range all {
		if r.Kind == k {
			n++
		}
	}
	return n
}

// fakeAction is an action that a test can hold up and look into.
type fakeAction struct {
	id, title string
	kinds     []actions.TargetKind
	risk      actions.Risk
	choices   []actions.Choice
	steps     int
	disabled  func(actions.Target) string

	planErr  error
	hold     chan struct{} // Plan waits for it to close, nil: not
	watch    chan struct{} // Verify waits for it to close, nil: not
	execErr  error
	panics   bool
	verdict  actions.Verdict
	undo     string
	executed atomic.Int64
	targets  []actions.Target // of the plans, in order
}

func (f *fakeAction) ID() string                  { return f.id }
func (f *fakeAction) Title() string               { return f.title }
func (f *fakeAction) Kinds() []actions.TargetKind { return f.kinds }

func (f *fakeAction) Disabled(_ probes.Set, t actions.Target) string {
	if f.disabled != nil {
		return f.disabled(t)
	}
	return ""
}

func (f *fakeAction) Plan(ctx context.Context, q actions.Request) (actions.Plan, error) {
	if f.panics {
		panic("no plan today")
	}
	if f.hold != nil {
		select {
		case <-f.hold:
		case <-ctx.Done():
			return actions.Plan{}, ctx.Err()
		}
	}
	f.targets = append(f.targets, q.Target)
	if f.planErr != nil {
		return actions.Plan{}, f.planErr
	}
	p := actions.NewPlan(f, q)
	p.MadeAt, p.ValidUntil = sample.Now, sample.Now.Add(2*time.Minute)
	p.Title = f.title + " " + q.Target.Label
	p.Risk, p.Choices = f.risk, f.choices
	if len(p.Choices) > 0 && p.Choice == "" {
		p.Choice = p.Choices[0].ID
	}
	f.describe(&p, q.Target)
	return p, nil
}

func (f *fakeAction) describe(p *actions.Plan, t actions.Target) {
	p.Says = []string{"jmartin holds this lock, it is valid for 8m more, and saved an annotation 40s ago."}
	p.StopsIf, p.Undo = "Stops if the lock has changed since you looked.", "Z restores this lock"
	if f.risk == actions.High {
		p.Word = t.Label
		p.Warnings = []string{"Unsaved work in that browser can be lost."}
	}
	for i := range f.steps {
		p.Steps = append(p.Steps, actions.Step{Verb: []string{"delete", "insert", "update"}[i%3], Object: "grading_copylock",
			Detail:    fmt.Sprintf("row %d of copy %s, token 1f0c9a2e…, expires 14:38:02", i+1, t.Label),
			Statement: "DELETE FROM grading_copylock\n WHERE id = $1 AND token = $2", Args: []string{"17", "1f0c9a2e…"}})
	}
}

func (f *fakeAction) Execute(_ context.Context, p actions.Plan, _ actions.Request) (actions.Effect, error) {
	f.executed.Add(1)
	if f.execErr != nil {
		return actions.Effect{}, f.execErr
	}
	e := actions.Effect{Did: []string{"deleted the lock of jmartin"}}
	if f.undo != "" {
		e.Undo = actions.Undo{Action: f.undo, Target: actions.Target{Kind: actions.OnRecord, ID: p.ID, Label: "the lock of jmartin"}}
	}
	return e, nil
}

func (f *fakeAction) Verify(ctx context.Context, _ actions.Plan, _ actions.Effect, say func(string)) actions.Verdict {
	say("looking whether jmartin locks it again")
	if f.watch != nil {
		select {
		case <-f.watch:
		case <-ctx.Done():
			return actions.Verdict{Kind: actions.Unverdict, Says: "The watching was cut short."}
		}
	}
	if f.verdict.Kind == "" {
		return actions.Verdict{Kind: actions.Fixed, Says: "Unlocked, and jmartin has not re-locked it.", Evidence: []string{"no lock row for 10s"}}
	}
	return f.verdict
}

func (f *fakeAction) Settle(context.Context, actions.Record) actions.Verdict {
	return actions.Verdict{Kind: actions.Unverdict, Says: "Nobody knows."}
}

// bench is what the actions of a test run with.
type bench struct {
	unlock, clear, retry, purge, relock *fakeAction
	more                                []*fakeAction
	journal                             *memory
	readOnly                            string
}

func newBench() *bench {
	return &bench{
		unlock: &fakeAction{id: "force-unlock", title: "Force-unlock", kinds: []actions.TargetKind{actions.OnCopy}, risk: actions.High, steps: 2, undo: "relock",
			choices: []actions.Choice{{ID: "unlock", Title: "unlock and give back to READY"}, {ID: "unlock-then-retry", Title: "unlock, stay LOCKED, then retry"}}},
		clear: &fakeAction{id: "clear-expired", title: "Clear expired locks", kinds: []actions.TargetKind{actions.OnLocks}, steps: 7},
		retry: &fakeAction{id: "retry", title: "Retry", kinds: []actions.TargetKind{actions.OnCopy}, steps: 1, disabled: func(t actions.Target) string {
			if t.Label == "A3F2-0042" {
				return "This copy has no pages: a retry would grade an empty copy."
			}
			return ""
		}},
		purge:   &fakeAction{id: "purge", title: "Purge", kinds: []actions.TargetKind{actions.OnQueue}, risk: actions.High, steps: 30},
		relock:  &fakeAction{id: "relock", title: "Put locks back", kinds: []actions.TargetKind{actions.OnRecord}, steps: 1},
		journal: &memory{},
	}
}

func (b *bench) all() []*fakeAction {
	return append([]*fakeAction{b.unlock, b.clear, b.retry, b.purge, b.relock}, b.more...)
}

func (b *bench) runner() *actions.Runner {
	cfg := actions.Config{Journal: b.journal, Actor: actions.Actor{Name: "mdupont", Host: "app1", UserID: 3}, ReadOnly: b.readOnly}
	for _, a := range b.all() {
		cfg.Actions = append(cfg.Actions, a)
	}
	return actions.NewRunner(cfg)
}

func (b *bench) executed() int64 {
	n := int64(0)
	for _, a := range b.all() {
		n += a.executed.Load()
	}
	return n
}

// dossier is one copy that has everything a copy can have.
func dossier() (grading.Dossier, []celery.Running, []celery.Message, []logs.Line) {
	lock := grading.Lock{LockID: "17", Copy: sample.Ref("A3F2-0007"), Owner: sample.User("mdupont"), Since: sample.Ago(62 * time.Minute), Expires: sample.Ago(52 * time.Minute),
		Expired: true, TokenPrefix: "1f0c9a2e", CopyStatus: "LOCKED", LastBeat: sample.Ago(61 * time.Minute), Abandoned: true, DraftVersion: 4}
	d := grading.Dossier{Copy: sample.Ref("A3F2-0007"), ServerTime: sample.Server, Status: "LOCKED", Since: sample.Ago(62 * time.Minute), SinceFrom: "locked_at",
		Exam: "Maths Terminale 2026", Booklets: 3, Pages: 12, PDFSource: "copies/source/copy_8c3b.pdf", LockedBy: sample.User("mdupont"), LockedAt: sample.Ago(62 * time.Minute),
		Retries: 0, Annotations: []grading.PageAnnotations{{Page: 0, Count: 3, Points: 4.5}, {Page: 2, Count: 1, Points: -1}},
		Score: "14 (annotations 12 + questions 2)", ScoreKnown: true, Lock: &lock,
		Events: []grading.Event{
			{ID: "9", At: sample.Ago(41 * time.Minute), Action: "FINALIZE", Actor: sample.User("mdupont"), Detail: "failed (retry 2): cannot open broken document", Failed: true},
			{ID: "8", At: sample.Ago(62 * time.Minute), Action: "LOCK", Actor: sample.User("mdupont")},
			{ID: "8", At: sample.Ago(62 * time.Minute), Gap: "IMPORT → LOCK: no VALIDATE"},
			{ID: "7", At: sample.Ago(26 * time.Hour), Action: "IMPORT", Actor: sample.User("admin"), Detail: "12 pages"},
		},
		Notes:   []string{"Two FINALIZE events by mdupont: every later finalization by mdupont fails."},
		Missing: []string{"This database has no column for the final score."}}
	tasks := []celery.Running{{ID: "7b1e", Task: "grading.tasks.async_finalize_copy", Started: sample.Now.Add(-12 * time.Second), State: "running", Worker: "w1@app1"}}
	waiting := []celery.Message{{ID: "7b1f", Task: "grading.tasks.async_finalize_copy", Queue: "finalize", Retries: 1}}
	lines := []logs.Line{{At: sample.Now.Add(-41 * time.Minute), Level: "ERROR", Message: "PDF generation failed for copy (attempt 1): cannot open broken document", RequestID: "a1b2c3d4",
		Trace: []string{"Traceback (most recent call last):", "  File \"services.py\", line 610, in finalize_copy", "    flatten(copy)", "  File \"pdf.py\", line 12, in flatten", "fitz.FileDataError: cannot open broken document"}}}
	return d, tasks, waiting, lines
}
