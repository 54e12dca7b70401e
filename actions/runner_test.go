package actions_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"gradecockpit/actions"
	"gradecockpit/probes"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// memory is a journal that can break after so many records.
type memory struct {
	records []actions.Record
	full    int // Append fails from this many on; 0 never
}

func (m *memory) Append(r actions.Record) error {
	if m.full > 0 && len(m.records) >= m.full {
		return errors.New("journal: write x: no space left on its disk")
	}
	m.records = append(m.records, r)
	return nil
}

func (m *memory) Records() ([]actions.Record, error) { return m.records, nil }

func (m *memory) kinds() []actions.RecordKind {
	var kinds []actions.RecordKind
	for _, r := range m.records {
		kinds = append(kinds, r.Kind)
	}
	return kinds
}

// fake is an action whose every step can be told what to do.
type fake struct {
	risk     actions.Risk
	disabled string
	planErr  error
	execute  func(context.Context) (actions.Effect, error)
	verify   func(context.Context) actions.Verdict
	settle   actions.Verdict
	executed int
}

func (*fake) ID() string    { return "fake" }
func (*fake) Title() string { return "Fake" }
func (*fake) Kinds() []actions.TargetKind {
	return []actions.TargetKind{actions.OnCopy, actions.OnRecord}
}
func (f *fake) Disabled(probes.Set, actions.Target) string             { return f.disabled }
func (f *fake) Settle(context.Context, actions.Record) actions.Verdict { return f.settle }

func (f *fake) Plan(_ context.Context, q actions.Request) (actions.Plan, error) {
	p := actions.NewPlan(f, q)
	p.Title, p.Risk, p.Word = "Fake A3F2", f.risk, "A3F2"
	p.Steps = []actions.Step{{Verb: "delete", Object: "x"}}
	return p, f.planErr
}

func (f *fake) Execute(ctx context.Context, _ actions.Plan, q actions.Request) (actions.Effect, error) {
	f.executed++
	if f.execute != nil {
		return f.execute(ctx)
	}
	return actions.Effect{Did: []string{"did it"}, Undo: actions.Undo{
		Action: "fake", Target: actions.Target{Kind: actions.OnRecord, ID: "of " + q.Reason},
	}}, nil
}

func (f *fake) Verify(ctx context.Context, _ actions.Plan, _ actions.Effect, say func(string)) actions.Verdict {
	if f.verify != nil {
		return f.verify(ctx)
	}
	say("looking")
	return actions.Verdict{Kind: actions.Fixed, Says: "It is fixed."}
}

var copyA = actions.Target{Kind: actions.OnCopy, ID: "a", Label: "A3F2"}

func newRunner(f *fake, m *memory, change ...func(*actions.Config)) *actions.Runner {
	cfg := actions.Config{Actions: []actions.Action{f}, Journal: m, Actor: actions.Actor{Name: "mdupont", UserID: 7}, Env: "test"}
	for _, c := range change {
		c(&cfg)
	}
	return actions.NewRunner(cfg)
}

func plan(t *testing.T, r *actions.Runner) actions.Plan {
	t.Helper()
	p, err := r.Plan(t.Context(), probes.Set{}, "fake", copyA, "")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

var yes = actions.Confirmation{Yes: true, Word: "A3F2", Reason: "asked"}

func silent(actions.Progress) {}

func TestARunGoesThroughItsStepsInOrder(t *testing.T) {
	f, m := &fake{}, &memory{}
	r := newRunner(f, m)
	var phases []actions.Phase
	got := r.Run(t.Context(), plan(t, r), yes, func(p actions.Progress) { phases = append(phases, p.Phase) })
	if got.Verdict.Kind != actions.Fixed {
		t.Errorf("%+v", got.Verdict)
	}
	if diff := cmp.Diff([]actions.Phase{actions.Confirmed, actions.Executing, actions.Verifying, actions.Verifying, actions.Done}, phases); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]actions.RecordKind{actions.Intent, actions.Executed, actions.Outcome}, m.kinds()); diff != "" {
		t.Error(diff)
	}
	intent, outcome := m.records[0], m.records[2]
	if intent.Steps == nil || intent.Reason != "asked" || intent.UserID != 7 || outcome.ActionID != intent.ActionID || outcome.Verdict != actions.Fixed || outcome.Undo == nil {
		t.Errorf("intent %+v\noutcome %+v", intent, outcome)
	}
}

func TestConfirmationRules(t *testing.T) {
	tests := map[string]struct {
		risk actions.Risk
		with actions.Confirmation
		want string
	}{
		"low, yes":               {actions.Low, actions.Confirmation{Yes: true}, ""},
		"low, word alone":        {actions.Low, actions.Confirmation{Word: "A3F2", Reason: "x"}, "not confirmed"},
		"high, all":              {actions.High, actions.Confirmation{Word: "A3F2", Reason: "x"}, ""},
		"high, yes alone":        {actions.High, actions.Confirmation{Yes: true}, "typed word"},
		"high, another word":     {actions.High, actions.Confirmation{Yes: true, Word: "a3f2", Reason: "x"}, "typed word"},
		"high, no reason":        {actions.High, actions.Confirmation{Yes: true, Word: "A3F2"}, "reason"},
		"high, reason of blanks": {actions.High, actions.Confirmation{Yes: true, Word: "A3F2", Reason: " \t"}, "reason"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f, m := &fake{risk: tt.risk}, &memory{}
			r := newRunner(f, m)
			got := r.Run(t.Context(), plan(t, r), tt.with, silent)
			if tt.want == "" {
				if got.Verdict.Kind != actions.Fixed || f.executed != 1 {
					t.Errorf("%+v", got.Verdict)
				}
				return
			}
			if got.Verdict.Kind != actions.WasRefuse || !strings.Contains(got.Verdict.Says, tt.want) || f.executed != 0 {
				t.Errorf("%+v, executed %d", got.Verdict, f.executed)
			}
			if diff := cmp.Diff([]actions.RecordKind{actions.Refused}, m.kinds()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAnOldPlanIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		r := newRunner(f, &memory{})
		p := plan(t, r)
		time.Sleep(actions.ValidFor)
		got := r.Run(t.Context(), p, yes, silent)
		if got.Verdict.Kind != actions.WasRefuse || !strings.Contains(got.Verdict.Says, "Look again") || f.executed != 0 {
			t.Errorf("%+v", got.Verdict)
		}
	})
}

func TestAPlanRunsOnce(t *testing.T) {
	f := &fake{}
	r := newRunner(f, &memory{})
	p := plan(t, r)
	r.Run(t.Context(), p, yes, silent)
	if got := r.Run(t.Context(), p, yes, silent); got.Verdict.Kind != actions.WasRefuse || f.executed != 1 {
		t.Errorf("%+v, executed %d", got.Verdict, f.executed)
	}
}

func TestWithoutAJournalNothingRuns(t *testing.T) {
	f := &fake{}
	r := newRunner(f, &memory{full: 1, records: []actions.Record{{}}})
	got := r.Run(t.Context(), plan(t, r), yes, silent)
	if got.Verdict.Kind != actions.Failed || f.executed != 0 || !strings.Contains(got.Verdict.Evidence[0], "no space left") {
		t.Errorf("%+v, executed %d", got.Verdict, f.executed)
	}
}

func TestAnOutcomeThatCannotBeJournaledIsSaid(t *testing.T) {
	f := &fake{}
	r := newRunner(f, &memory{full: 1})
	got := r.Run(t.Context(), plan(t, r), yes, silent)
	if got.Verdict.Kind != actions.Fixed || !strings.Contains(strings.Join(got.Verdict.Evidence, " "), "the journal lacks this outcome") {
		t.Errorf("%+v", got.Verdict)
	}
}

func TestReadOnlyComesFirst(t *testing.T) {
	f, m := &fake{disabled: "no lock"}, &memory{}
	r := newRunner(f, m, func(c *actions.Config) { c.ReadOnly = "--read-only" })
	if got := r.Disabled(probes.Set{}, "fake", copyA); got != "Nothing may be written: --read-only." {
		t.Error(got)
	}
	var no *actions.Refusal
	if _, err := r.Plan(t.Context(), probes.Set{}, "fake", copyA, ""); !errors.As(err, &no) {
		t.Error(err)
	}
	other := newRunner(&fake{}, &memory{})
	if got := r.Run(t.Context(), plan(t, other), yes, silent); got.Verdict.Kind != actions.WasRefuse || f.executed != 0 {
		t.Errorf("%+v", got.Verdict)
	}
}

func TestDisabledNamesTheReason(t *testing.T) {
	r := newRunner(&fake{disabled: "No lock is held."}, &memory{})
	tests := map[string]struct {
		action string
		target actions.Target
		want   string
	}{
		"its own":      {"fake", copyA, "No lock is held."},
		"wrong target": {"fake", actions.Target{Kind: actions.OnQueue}, "Fake works on a copy or an action of the journal."},
		"unknown":      {"nonsense", copyA, "There is no action called nonsense."},
	}
	for name, tt := range tests {
		if got := r.Disabled(probes.Set{}, tt.action, tt.target); got != tt.want {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestEndsOfAnExecution(t *testing.T) {
	moved := &actions.Moved{Says: "The lock has changed.", Diffs: []actions.Diff{{Name: "expires", Was: "14:38", Is: "14:48"}}}
	tests := map[string]struct {
		err    error
		settle actions.Verdict
		want   actions.Verdict
	}{
		"moved": {err: moved, want: actions.Verdict{Kind: actions.Changed, Says: "Nothing was written. The lock has changed.",
			Evidence: []string{"expires: was 14:38, is 14:48"}, Next: "Look again, then decide anew."}},
		"refused": {err: &actions.Refusal{Why: "Busy.", Next: "Wait."}, want: actions.Verdict{Kind: actions.WasRefuse, Says: "Busy.", Next: "Wait."}},
		"failed":  {err: errors.New("boom"), want: actions.Verdict{Kind: actions.Failed, Says: "It failed: boom"}},
		"unsure": {err: &actions.Unsure{Err: errors.New("connection lost")}, settle: actions.Verdict{Kind: actions.Fixed, Says: "It was done."},
			want: actions.Verdict{Kind: actions.Fixed, Says: "It was done.", Evidence: []string{"it is not known whether this was done: connection lost"}}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f, m := &fake{settle: tt.settle}, &memory{}
			f.execute = func(context.Context) (actions.Effect, error) { return actions.Effect{}, tt.err }
			r := newRunner(f, m)
			got := r.Run(t.Context(), plan(t, r), yes, silent)
			if diff := cmp.Diff(tt.want, got.Verdict); diff != "" {
				t.Error(diff)
			}
			last := m.records[len(m.records)-1]
			if last.Kind != actions.Outcome || last.Verdict != tt.want.Kind {
				t.Errorf("journaled: %+v", last)
			}
		})
	}
}

func TestAPanicIsAnOutcome(t *testing.T) {
	boom := func() { panic("boom") }
	t.Run("execute", func(t *testing.T) {
		f, m := &fake{settle: actions.Verdict{Kind: actions.NotFixed, Says: "It was not done."}}, &memory{}
		f.execute = func(context.Context) (actions.Effect, error) { boom(); return actions.Effect{}, nil }
		r := newRunner(f, m)
		got := r.Run(t.Context(), plan(t, r), yes, silent)
		if got.Verdict.Kind != actions.NotFixed || !strings.Contains(got.Verdict.Evidence[0], "TestAPanicIsAnOutcome") {
			t.Errorf("%+v", got.Verdict)
		}
	})
	t.Run("verify", func(t *testing.T) {
		f, m := &fake{}, &memory{}
		f.verify = func(context.Context) actions.Verdict { boom(); return actions.Verdict{} }
		r := newRunner(f, m)
		got := r.Run(t.Context(), plan(t, r), yes, silent)
		if got.Verdict.Kind != actions.Unverdict || m.records[2].Verdict != actions.Unverdict {
			t.Errorf("%+v", got.Verdict)
		}
	})
	t.Run("plan", func(t *testing.T) {
		r := newRunner(&fake{}, &memory{}, func(c *actions.Config) { c.Actions = []actions.Action{panics{}} })
		if _, err := r.Plan(t.Context(), probes.Set{}, "fake", copyA, ""); err == nil || !strings.Contains(err.Error(), "broke off") {
			t.Error(err)
		}
	})
}

type panics struct{ fake }

func (panics) ID() string                                                  { return "fake" }
func (panics) Title() string                                               { return "Fake" }
func (panics) Kinds() []actions.TargetKind                                 { return []actions.TargetKind{actions.OnCopy} }
func (panics) Disabled(probes.Set, actions.Target) string                  { return "" }
func (panics) Plan(context.Context, actions.Request) (actions.Plan, error) { panic("boom") }
func (panics) Execute(context.Context, actions.Plan, actions.Request) (actions.Effect, error) {
	panic("boom")
}
func (panics) Verify(context.Context, actions.Plan, actions.Effect, func(string)) actions.Verdict {
	panic("boom")
}

func TestAScreenThatGoesAwayStopsTheWatchingOnly(t *testing.T) {
	f, m := &fake{}, &memory{}
	ctx, leave := context.WithCancel(t.Context())
	f.execute = func(inner context.Context) (actions.Effect, error) {
		leave()
		return actions.Effect{Did: []string{"did it"}}, inner.Err()
	}
	f.verify = func(inner context.Context) actions.Verdict {
		<-inner.Done()
		return actions.Verdict{Kind: actions.Unverdict, Says: "Nobody watched."}
	}
	r := newRunner(f, m)
	got := r.Run(ctx, plan(t, r), yes, silent)
	if got.Verdict.Kind != actions.Unverdict || len(m.records) != 3 {
		t.Errorf("%+v %v", got.Verdict, m.kinds())
	}
	if got := r.Run(ctx, plan(t, r), yes, silent); got.Verdict.Kind != actions.WasRefuse || f.executed != 1 {
		t.Errorf("a closing cockpit began something: %+v", got.Verdict)
	}
}

func TestExecuteAndVerifyHaveDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		var execute, verify time.Duration
		until := func(ctx context.Context) time.Duration { d, _ := ctx.Deadline(); return time.Until(d) }
		f.execute = func(ctx context.Context) (actions.Effect, error) { execute = until(ctx); return actions.Effect{}, nil }
		f.verify = func(ctx context.Context) actions.Verdict { verify = until(ctx); return actions.Verdict{} }
		r := newRunner(f, &memory{})
		r.Run(t.Context(), plan(t, r), yes, silent)
		if execute != actions.ExecuteFor || verify != actions.WatchFor {
			t.Errorf("%s, %s", execute, verify)
		}
	})
}

func TestRefusalsAndCancelledPlansAreJournaled(t *testing.T) {
	f, m := &fake{planErr: &actions.Refusal{Why: "No pages."}}, &memory{}
	r := newRunner(f, m)
	if _, err := r.Plan(t.Context(), probes.Set{}, "fake", copyA, ""); err == nil {
		t.Fatal("no refusal")
	}
	f.planErr = nil
	r.Cancel(plan(t, r))
	if diff := cmp.Diff([]actions.RecordKind{actions.Refused, actions.Cancel}, m.kinds()); diff != "" {
		t.Error(diff)
	}
	if m.records[0].Says != "No pages." || m.records[1].Verdict != actions.Cancelled {
		t.Errorf("%+v", m.records)
	}
}

func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", 40 * time.Second: "40s", 52 * time.Minute: "52m", 62 * time.Minute: "1h02m", 76 * time.Hour: "3d4h", -8 * time.Minute: "8m",
	} {
		if got := actions.Span(d); got != want {
			t.Errorf("%v: %s", d, got)
		}
	}
}
