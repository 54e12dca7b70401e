package cli

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"gradecockpit/actions"
	"gradecockpit/actions/journal"
	"gradecockpit/cmd/gradecockpit/internal/practice"
	"gradecockpit/probes/lab"
	"gradecockpit/probes/lab/labtest"
)

func TestPracticeOnTheCommandLine(t *testing.T) {
	for _, c := range []struct {
		args     []string
		code     int
		out, err string
	}{
		{[]string{"--list"}, exitOK, "lock-conflicts", ""},
		{[]string{"--list", "-o", "json"}, exitOK, `"scenario": "lock-conflicts"`, ""},
		{[]string{"--list", "-o", "xml"}, exitBad, "", "there are table and json"},
		{[]string{"--list", "lock-conflicts"}, exitBad, "", "stands alone"},
		{[]string{"lock-conflicts", "--seed", "3"}, exitBad, "gradecockpit practice lock-conflicts --seed 3", "needs a terminal"},
		{[]string{"--seed", "5", "--dialect", "playbook", "--blind"}, exitBad, "--seed 5 --dialect playbook --blind", "needs a terminal"},
		{nil, exitBad, "--seed ", "needs a terminal"},
		{[]string{"lunch"}, exitBad, "", "there are import-stuck"},
		{[]string{"lock-conflicts", "more"}, exitBad, "", "accepts at most 1 arg"},
		{[]string{"--dialect", "latin"}, exitBad, "", "there are deployed and playbook"},
		{[]string{"-o", "xml"}, exitBad, "", "there are table and json"},
	} {
		got := run(t, nil, append([]string{"practice"}, c.args...)...)
		if got.code != c.code || !strings.Contains(got.out, c.out) || !strings.Contains(got.err, c.err) {
			t.Errorf("practice %v: %+v", c.args, got)
		}
	}
}

// practiceOf is what the command makes of a seed of the lock conflicts in which
// exactly these faults are hidden.
func practiceOf(t *testing.T, faults ...string) (*practising, *exercise) {
	t.Helper()
	for seed := range uint64(1000) {
		p := &practising{scenario: "lock-conflicts"}
		p.world = lab.Options{Seed: seed, Dialect: lab.Deployed, Quiet: true, NoWorker: true}
		x, err := p.exercise()
		if err != nil {
			t.Fatal(err)
		}
		if slices.Equal(x.drill.Faults, faults) {
			p.world.Faults = faults
			return p, x
		}
	}
	t.Fatalf("no seed hides %v", faults)
	return nil, nil
}

// copyRows are the copies and locks of a world, without their times.
func copyRows(t *testing.T, w *lab.World) []string {
	t.Helper()
	rows, err := w.DB.Conn.Query(labtest.Context(t), `SELECT concat_ws(' ', c.id, c.anonymous_id, c.status, l.token)
		FROM exams_copy c LEFT JOIN grading_copylock l ON l.copy_id = c.id ORDER BY 1`)
	if err != nil {
		t.Fatal(err)
	}
	got, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func practiceWorld(t *testing.T, o lab.Options) *lab.World {
	t.Helper()
	w, err := lab.Start(labtest.Context(t), o)
	if err != nil {
		labtest.Missing(t, "a world cannot be started: "+err.Error())
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// TestPracticeIsJudgedByTheWorld: the same seed gives the same rows, and what
// decides is what they are in the end, not that somebody acted.
func TestPracticeIsJudgedByTheWorld(t *testing.T) {
	p, x := practiceOf(t, "expired-locks")
	first := practiceWorld(t, p.world)
	seeded := copyRows(t, first)
	if diff := cmp.Diff(copyRows(t, practiceWorld(t, p.world)), seeded); diff != "" {
		t.Errorf("the same seed gave other rows: %s", diff)
	}

	unsolved := begin(t, x, first)
	if d := unsolved.end(labtest.Context(t)); d.Solved || d.Faults[0].State != practice.StateLeft || d.Faults[0].Named < 0 {
		t.Errorf("nothing was put right, and the debrief says:\n%s", practice.Text(d.Lines(), debriefWidth))
	}
	if _, err := first.DB.Conn.Exec(labtest.Context(t), `DELETE FROM grading_copylock WHERE expires_at < now()`); err != nil {
		t.Fatal(err)
	}
	solved := begin(t, x, first)
	if d := solved.end(labtest.Context(t)); !d.Solved || d.Faults[0].State != practice.StateRight || d.Faults[0].Acted != practice.Span(2*time.Minute) {
		t.Errorf("all was put right, and the debrief says:\n%s", practice.Text(d.Lines(), debriefWidth))
	}
	if again := solved.Finish(context.Background()); len(again) == 0 || !strings.Contains(solved.Clock(time.Now()), "finished") {
		t.Errorf("a second end: %v, %s", again, solved.Clock(time.Now()))
	}
	solved.Saw("locks")
	for _, says := range []string{solved.Answer("expired-locks"), solved.Hint()} {
		if says != over {
			t.Errorf("after the end: %s", says)
		}
	}
	if len(solved.log) != len(unsolved.log) {
		t.Error("the log goes on after the end")
	}
}

// begin is an exercise in which the cause was named and the expired locks were
// cleared, as far as the journal knows.
func begin(t *testing.T, from *exercise, w *lab.World) *exercise {
	t.Helper()
	started := time.Date(2026, 2, 20, 8, 0, 0, 0, time.UTC)
	now := started
	x := &exercise{drill: from.drill, guide: from.guide, world: w, now: func() time.Time { return now }}
	x.Saw("locks") // the clock does not run yet
	if x.Begin(); len(x.log) != 0 || !strings.HasPrefix(x.Clock(now), "0s") {
		t.Errorf("at the start: %v, %s", x.log, x.Clock(now))
	}
	now = started.Add(time.Minute)
	if says := x.Answer("no-such-cause"); !strings.Contains(says, "No cause") {
		t.Error(says)
	}
	x.Answer("expired-locks")
	file, err := journal.Open(t.TempDir() + "/journal.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	x.journal = file
	target := actions.Target{Kind: actions.OnLocks, ID: "expired", Label: "expired locks"}
	for _, r := range []actions.Record{
		{Kind: actions.Intent, ActionID: "a", Action: "clear-expired", Target: target, At: started.Add(2 * time.Minute)},
		{Kind: actions.Outcome, ActionID: "a", Action: "clear-expired", Target: target, At: started.Add(2 * time.Minute), Verdict: actions.NotFixed},
	} {
		if err := file.Append(r); err != nil {
			t.Fatal(err)
		}
	}
	now = started.Add(3 * time.Minute)
	return x
}

// slowJournal is read when the test lets it.
type slowJournal struct{ asked, read chan struct{} }

func (j slowJournal) Append(actions.Record) error { return nil }

func (j slowJournal) Records() ([]actions.Record, error) {
	close(j.asked)
	<-j.read
	return nil, nil
}

// The screen shows the clock with every frame: judging the drill must not hold it.
func TestTheScreenGoesOnWhileADrillIsJudged(t *testing.T) {
	j, now := slowJournal{make(chan struct{}), make(chan struct{})}, time.Now()
	x := &exercise{drill: practice.Drill{Seed: 1}, journal: j, now: func() time.Time { return now }}
	x.Begin()
	judged := make(chan struct{})
	go func() {
		defer close(judged)
		x.Finish(t.Context())
	}()
	<-j.asked
	clock := make(chan string, 1)
	go func() {
		x.Saw("locks")
		clock <- x.Clock(now.Add(time.Minute))
	}()
	select {
	case says := <-clock:
		if !strings.HasPrefix(says, "0s") {
			t.Errorf("the clock runs on: %s", says)
		}
	case <-labtest.Context(t).Done():
		t.Error("the screen waits for the judgement")
	}
	close(j.read)
	<-judged
	if len(x.log) != 1 || !strings.HasPrefix(x.Clock(now), "finished") {
		t.Errorf("%+v, %s", x.log, x.Clock(now))
	}
}

// TestEveryRemedyIsSeenInTheWorld: where practice says that an action helps, the
// world can tell whether it did.
func TestEveryRemedyIsSeenInTheWorld(t *testing.T) {
	for _, c := range practice.Cases() {
		if seen := lab.Mendable(c.Fault); seen != (len(c.Remedies) > 0) {
			t.Errorf("%s has %d remedies; the world can tell: %v", c.Fault, len(c.Remedies), seen)
		}
	}
}

// TestEveryRemedyHelps makes each fault that practice has a remedy for, takes
// the first one from the command line, and asks the world. Left out are those
// whose action watches for seconds on each of several copies; it has tests of
// its own.
func TestEveryRemedyHelps(t *testing.T) {
	s := newStation(t)
	long := []string{"abandoned-locks", "lock-cleanup-cron", "locked-no-lock"}
	for _, c := range practice.Cases() {
		if len(c.Remedies) > 0 && !slices.Contains(long, c.Fault) {
			t.Run(c.Fault, func(t *testing.T) { s.mends(t, c) })
		}
	}
}

func (s *station) mends(t *testing.T, c practice.Case) {
	ctx := labtest.Context(t)
	if err := s.Inject(ctx, c.Fault); err != nil {
		t.Fatal(err)
	}
	shows := func() bool {
		shows, known, err := s.Shows(ctx, c.Fault)
		return shows || !known || err != nil
	}
	labtest.Eventually(t, shows)
	for _, target := range s.aims(c) {
		if shows() { // one of two copies may be enough
			s.remedy(c.Remedies[0].Action, target...)
		}
	}
	labtest.Eventually(t, func() bool { return !shows() })
	if err := s.Heal(ctx, c.Fault); err != nil {
		t.Logf("rows that a task is at stay: %v", err) // what was put back runs by now
	}
}

// aims are the arguments of the remedy's command, once for each target.
func (s *station) aims(c practice.Case) (out [][]string) {
	switch c.Remedies[0].On {
	case actions.OnLocks:
		return [][]string{nil}
	case actions.OnQueue:
		return [][]string{{"celery"}}
	case actions.OnWorker:
		return [][]string{{s.Worker.Name()}}
	}
	for _, id := range s.Targets(c.Fault) {
		if isCopy := len(id) == 36; isCopy == (c.Remedies[0].On == actions.OnCopy) {
			out = append(out, []string{id})
		}
	}
	return out
}

// remedy carries an action out, with the word that its plan asks for.
func (s *station) remedy(action string, args ...string) {
	s.t.Helper()
	i := slices.IndexFunc(deeds(), func(d deed) bool { return d.action == action })
	args = append(strings.Fields(deeds()[i].use)[:1], args...)
	plan := s.run(args...)
	args = append(args, "--yes", "--reason", "practice")
	if strings.Contains(plan.out+plan.err, "--confirm") {
		args = append(args, "--confirm", flag(s.t, plan.out+plan.err, "--confirm"))
	}
	if got := s.run(args...); got.code != exitOK && got.code != exitNotFixed {
		s.t.Errorf("%q: exit code %d\n%s%s", args, got.code, got.out, got.err)
	}
}
