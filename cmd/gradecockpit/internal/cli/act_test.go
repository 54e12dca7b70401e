package cli

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"

	"gradecockpit/actions"
	"gradecockpit/actions/catalogue"
	"gradecockpit/probes/lab"
	"gradecockpit/probes/lab/labtest"
)

// station is a simulated grading system with a command line over it.
type station struct {
	*lab.World
	t       *testing.T
	env     map[string]string
	teacher int64
}

func newStation(t *testing.T) *station {
	t.Helper()
	return stationOf(t, lab.Options{Quiet: true, Speed: 10})
}

func stationOf(t *testing.T, opts lab.Options) *station {
	t.Helper()
	w, err := lab.Start(labtest.Context(t), opts)
	if errors.Is(err, lab.ErrNoPostgres) {
		labtest.Missing(t, err.Error())
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	env := w.Env()
	env["GRADECOCKPIT_AS"] = lab.Operator
	env["GRADECOCKPIT_JOURNAL"] = filepath.Join(t.TempDir(), "state", "journal.jsonl")
	s := &station{World: w, t: t, env: env}
	s.teacher, err = w.DB.AddUser(labtest.Context(t), "zteacher")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// locked adds a LOCKED copy of four pages, whose lock has left to live.
func (s *station) locked(anon string, left time.Duration) (id string) {
	s.t.Helper()
	ctx := labtest.Context(s.t)
	now, err := s.DB.Now(ctx)
	if err == nil {
		id, err = s.DB.AddCopy(ctx, lab.CopyRow{Anon: anon, Status: "LOCKED", Pages: 4, LockedBy: s.teacher, LockedAt: now.Add(-time.Hour)})
	}
	if err == nil {
		_, err = s.DB.AddLock(ctx, lab.LockRow{Copy: id, Owner: s.teacher, Expires: now.Add(left)})
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return id
}

func (s *station) run(args ...string) ran {
	s.t.Helper()
	return run(s.t, s.env, args...)
}

// wants checks the exit code and parts of what stands on standard output.
func (s *station) wants(code int, out string, args ...string) ran {
	s.t.Helper()
	got := s.run(args...)
	if got.code != code || !strings.Contains(got.out, out) {
		s.t.Errorf("%q: exit code %d, want %d with %q on standard output:\n%s%s", args, got.code, code, out, got.out, got.err)
	}
	return got
}

func (s *station) journal() (kinds []string) {
	s.t.Helper()
	var records []actions.Record
	if err := json.Unmarshal([]byte(s.run("journal", "-o", "json").out), &records); err != nil {
		s.t.Fatal(err)
	}
	for _, r := range records {
		kinds = append(kinds, r.Action+" "+string(r.Kind))
	}
	return kinds
}

func TestUnlockAndRetryFromTheCommandLine(t *testing.T) {
	s := newStation(t)
	id := s.locked("Z-UNLOCK", 5*time.Minute)
	s.locked("Z-RETRY", 5*time.Minute)

	plan := s.wants(exitOK, "(risk: ", "unlock", "Z-UNLOCK")
	if !strings.Contains(plan.err, "nothing has been written") || len(s.journal()) != 0 {
		t.Errorf("%q %v", plan.err, s.journal())
	}
	word := flag(t, plan.err, "--confirm")
	var shown struct{ Title, Target, Confirm string }
	dry := s.wants(exitOK, "{", "unlock", "Z-UNLOCK", "-o", "json", "--yes", "--dry-run")
	if err := json.Unmarshal([]byte(dry.out), &shown); err != nil || shown.Target != id || shown.Confirm != word {
		t.Errorf("%v %+v", err, shown)
	}

	s.wants(exitBad, "", "unlock", "Z-UNLOCK", "--yes")
	s.wants(exitBad, "", "unlock", "Z-UNLOCK", "--yes", "--reason", "corrector left")
	s.wants(exitRefused, "refused: The typed word is not", "unlock", "Z-UNLOCK", "--yes", "--reason", "corrector left", "--confirm", "nonsense")
	done := s.wants(exitOK, "fixed: ", "unlock", "Z-UNLOCK", "--yes", "--reason", "corrector left", "--confirm", word)
	if !strings.Contains(done.err, "executing") || !strings.Contains(done.err, "watching") {
		t.Errorf("no progress: %q", done.err)
	}
	if got := s.journal(); len(got) < 4 || got[len(got)-1] != "force-unlock outcome" {
		t.Errorf("%v", got)
	}
	s.wants(exitRefused, "refused: ", "unlock", "Z-UNLOCK", "--yes", "--reason", "again", "--confirm", word)

	got := s.wants(exitOK, `"verdict": "fixed"`, "retry", "Z-RETRY", "-o", "json", "--yes", "--reason", "asked", "--confirm", "Z-RETRY")
	if !strings.Contains(got.out, "is GRADED") {
		t.Error(got.out)
	}
	s.wants(exitRefused, `"verdict": "refused"`, "retry", "Z-RETRY", "-o", "json")
	s.wants(exitBad, "", "retry", "Z-NOWHERE")
	s.wants(exitBad, "", "retry")
}

// flag gives the quoted value that a sentence proposes for a flag.
func flag(t *testing.T, says, name string) string {
	t.Helper()
	_, rest, _ := strings.Cut(says, name+" \"")
	word, _, ok := strings.Cut(rest, "\"")
	if !ok && strings.Contains(says, name) {
		t.Fatalf("no word for %s in %q", name, says)
	}
	return word
}

func TestPurgeAndRestoreFromTheCommandLine(t *testing.T) {
	s := newStation(t)
	s.Worker.Kill()
	rdb := redis.NewClient(s.Redis.Options())
	t.Cleanup(func() { _ = rdb.Close() })
	if err := rdb.LPush(labtest.Context(t), "zqueue", "not a message", "nor this").Err(); err != nil {
		t.Fatal(err)
	}
	yes := []string{"--yes", "--reason", "flood", "--confirm", "zqueue"}
	got := s.wants(exitOK, `"verdict": "fixed"`, append([]string{"purge", "zqueue", "-o", "json"}, yes...)...)
	var done struct{ Values map[string]string }
	if err := json.Unmarshal([]byte(got.out), &done); err != nil {
		t.Fatal(err)
	}
	s.wants(exitOK, done.Values["quarantine"], "queues")
	s.wants(exitRefused, "Nothing waits", append([]string{"purge", "zqueue"}, yes...)...)
	s.wants(exitOK, "fixed: Restored", "restore", done.Values["quarantine"], "--yes", "--reason", "calm again", "--confirm", "zqueue") // they would kill a worker
	if n := rdb.LLen(labtest.Context(t), "zqueue").Val(); n != 2 {
		t.Errorf("%d messages are back", n)
	}
	s.wants(exitRefused, "There is no quarantine", "restore", done.Values["quarantine"])
	s.wants(exitBad, "", "purge", "zqueue", "--yes", "--reason", " ")
}

func TestReadOnlyRefusesEveryDeed(t *testing.T) {
	s := newStation(t)
	s.locked("Z-RO", -5*time.Minute)
	for _, d := range deeds() {
		args := strings.Fields(d.use)
		if len(args) == 2 {
			args[1] = "Z-RO"
		}
		s.wants(exitRefused, "read-only", append(args, "--read-only", "--yes", "--reason", "r", "--confirm", "Z-RO")...)
	}
}

// Every end of an action has an exit code of its own.
func TestExitCodesOfVerdicts(t *testing.T) {
	seen := map[int]actions.VerdictKind{}
	for _, k := range []actions.VerdictKind{actions.Fixed, actions.Failed, actions.Unverdict, actions.WasRefuse, actions.Changed, actions.NotFixed} {
		code := exitOf(k)
		if other, twice := seen[code]; twice || code == exitBad {
			t.Errorf("%s and %s both exit with %d", k, other, code)
		}
		seen[code] = k
	}
	if exitOf(actions.Fixed) != 0 || exitOf("anything else") != exitFailed {
		t.Error(seen)
	}
}

// hook is a standard error that does something when a phase begins, which is
// before the phase's first step.
type hook struct {
	strings.Builder
	phase actions.Phase
	do    func()
}

func (h *hook) Write(b []byte) (int, error) {
	if strings.HasPrefix(string(b), string(h.phase)+": ") {
		h.do()
	}
	return h.Builder.Write(b)
}

// during runs a command line and interferes at the beginning of a phase.
func (s *station) during(phase actions.Phase, do func(), args ...string) ran {
	s.t.Helper()
	var out strings.Builder
	errs := &hook{phase: phase, do: do}
	code := Main(args, Streams{In: strings.NewReader(""), Out: &out, Err: errs, Getenv: func(name string) (string, bool) {
		v, ok := s.env[name]
		return v, ok
	}})
	return ran{code, out.String(), errs.String()}
}

func TestEndsOtherThanGoodOnes(t *testing.T) {
	s := newStation(t)
	s.Worker.Kill()
	rdb := redis.NewClient(s.Redis.Options())
	t.Cleanup(func() { _ = rdb.Close() })
	push := func(text string) func() {
		return func() {
			if err := rdb.LPush(labtest.Context(t), "zqueue", text).Err(); err != nil {
				t.Fatal(err)
			}
		}
	}
	push("one")()
	purge := []string{"purge", "zqueue", "--yes", "--reason", "flood", "--confirm", "zqueue"}
	if got := s.during(actions.Executing, push("two"), purge...); got.code != exitChanged || !strings.Contains(got.out, "target changed: Nothing was written.") {
		t.Errorf("changed: %+v", got)
	}
	away := func() {
		if err := s.Redis.Down(); err != nil {
			t.Fatal(err)
		}
	}
	if got := s.during(actions.Verifying, away, purge...); got.code != exitUnknown || !strings.Contains(got.out, "unknown: ") {
		t.Errorf("unverified: %+v", got)
	}
	if got := s.run("purge", "zqueue"); got.code != exitRefused || !strings.Contains(got.out, "The broker cannot be read") {
		t.Errorf("without Redis: %+v", got)
	}

	s.locked("Z-FAIL", 5*time.Minute)
	s.env["GRADECOCKPIT_JOURNAL"] = "/dev/null/journal.jsonl"
	word := flag(t, s.run("unlock", "Z-FAIL").err, "--confirm")
	if got := s.run("unlock", "Z-FAIL", "--yes", "--reason", "r", "--confirm", word); got.code != exitFailed || !strings.Contains(got.out, "failed: Nothing was done: the journal cannot be written.") {
		t.Errorf("failed: %+v", got)
	}
}

func TestARetryThatFailsIsNotFixed(t *testing.T) {
	s := newStation(t)
	if err := s.Inject(labtest.Context(t), "finalize-memory-error"); err != nil {
		t.Fatal(err)
	}
	ctx := labtest.Context(t)
	db, err := pgx.Connect(ctx, s.env["DATABASE_URL"])
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close(ctx)
	var anon string // the fault leaves copies that are LOCKED without a lock
	if err := db.QueryRow(ctx, `SELECT anonymous_id FROM exams_copy c WHERE status = 'LOCKED' AND locked_by_id IS NOT NULL
		AND NOT EXISTS (SELECT FROM grading_copylock l WHERE l.copy_id = c.id) LIMIT 1`).Scan(&anon); err != nil {
		t.Fatal(err)
	}
	got := s.wants(exitNotFixed, "not fixed: It failed: ", "retry", anon, "--yes", "--reason", "r", "--confirm", anon)
	if !strings.Contains(got.err, "verifying: ") {
		t.Errorf("%q", got.err)
	}
}

// The simulated worker answers like a real one.
func TestWorkersAndTasksFromTheCommandLine(t *testing.T) {
	s := newStation(t)
	name := s.Worker.Name()
	yes := []string{"--yes", "--reason", "r", "--confirm"}
	do := func(code int, out string, args ...string) {
		t.Helper()
		s.wants(code, out, append(args, append(yes, args[1])...)...)
	}
	do(exitOK, "fixed: "+name+" is alive", "ping", name)
	do(exitNotFixed, "not fixed: ", "ping", "nobody@nowhere")
	do(exitOK, "zqueue", "consume", name, "--choice", "zqueue")
	do(exitRefused, "takes zqueue already", "consume", name, "--choice", "zqueue")
	do(exitOK, "fixed: "+name+" takes celery", "stop-consuming", name, "--choice", "zqueue")
	do(exitRefused, "No restart command is configured", "restart", name)
	do(exitRefused, "does not answer", "pool-grow", "nobody@nowhere")
	do(exitRefused, "There is no message", "revoke", "0b0e2bd0-0000-4000-8000-000000000001")
	do(exitRefused, "No worker runs this task", "terminate", "0b0e2bd0-0000-4000-8000-000000000001")
	do(exitRefused, "No message that would kill", "remove-poison", "celery")
	s.env["GRADECOCKPIT_RESTART_COMMAND"] = "false"
	do(exitFailed, "failed: It failed: false: exit status 1", "restart", name)
	for _, pane := range []string{"workers", "queues"} {
		s.wants(exitOK, name, pane)
		if got := s.wants(exitOK, "{", pane, "-o", "json"); !json.Valid([]byte(got.out)) {
			t.Errorf("%s: %s", pane, got.out)
		}
	}
}

// Every action that is aimed at something has a command.
func TestEveryActionHasACommand(t *testing.T) {
	commands := map[string]bool{}
	for _, d := range deeds() {
		commands[d.action] = true
	}
	// One looks more often than it acts: it is a flag of a command that looks.
	if c, _, err := newRoot(Streams{}).Find([]string{"explain"}); err == nil && c.Flags().Lookup("analyze") != nil {
		commands["explain-analyze"] = true
	}
	for _, a := range catalogue.All(catalogue.Deps{}) {
		if !commands[a.ID()] && a.Kinds()[0] != actions.OnRecord {
			t.Errorf("there is no command for %s", a.ID())
		}
	}
}
