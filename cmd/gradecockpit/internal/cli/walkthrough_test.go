package cli

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"gradecockpit/actions/playbook"
	"gradecockpit/cmd/gradecockpit/internal/wire"
	"gradecockpit/probes/diagnosis"
	"gradecockpit/probes/lab"
)

// outside is a playbook as somebody else wrote it: nothing of the program knows
// of it.
const outside = "../../../../actions/playbook/testdata/outside.yaml"

// told is the JSON of a walkthrough.
type told struct {
	Copy  struct{ ID, Anonymous_ID string }
	Steps []struct {
		ID, Verdict, Says, Rule, By_Hand string
		Skipped                          bool
		Columns                          []string
		Rows                             [][]string
		Lines                            []string
	}
	Causes   []struct{ Rule, Severity string }
	Offers   []struct{ Command, Finding string }
	Advice   []struct{ Says, Text string }
	Escalate []struct{ To string }
	Open     []string
}

func (s *station) walk(args ...string) (w told) {
	s.t.Helper()
	got := s.wants(exitOK, "{", append([]string{"walkthrough", "-o", "json"}, args...)...)
	if err := json.Unmarshal([]byte(got.out), &w); err != nil {
		s.t.Fatalf("%v\n%s%s", err, got.out, got.err)
	}
	return w
}

// A step and a cause are added by a file in a folder: SQL, logs, a command, a
// pane and causes, in both dialects, on a copy whose name attacks all of them.
func TestAPlaybookFromOutside(t *testing.T) {
	for _, dialect := range []lab.Dialect{lab.Deployed, lab.Playbook} {
		t.Run(string(dialect), func(t *testing.T) {
			s := stationOf(t, lab.Options{Quiet: true, NoWorker: true, Dialect: dialect})
			delete(s.env, "METRICS_URL") // its rates would be waited for
			data, err := os.ReadFile(outside)
			if err != nil {
				t.Fatal(err)
			}
			s.env["GRADECOCKPIT_PLAYBOOKS"] = t.TempDir()
			if err := os.WriteFile(filepath.Join(s.env["GRADECOCKPIT_PLAYBOOKS"], "outside.yaml"), data, 0o600); err != nil {
				t.Fatal(err)
			}
			const evil = `Z-OUT'); DROP TABLE exams_copy; --$(id)`
			id := s.locked(evil, -time.Minute)

			s.wants(exitOK, "late-returns          Copies that come back late  5      "+s.env["GRADECOCKPIT_PLAYBOOKS"], "walkthrough", "--list")
			w := s.walk("late-returns", "--copy", evil)
			if w.Copy.ID != id || w.Copy.Anonymous_ID != evil || len(w.Open) != 0 {
				t.Errorf("%+v", w)
			}
			want := []string{
				"rows-of-the-copy suspicious 1 row: it is LOCKED and has no PDF.",
				"refusals suspicious The log has ",
				"tool suspicious The tool knows " + evil + ".",
				"locks suspicious zteacher holds 1 of them.",
				"judged cause A lock outlived its corrector.",
			}
			for i, step := range w.Steps {
				if got := step.ID + " " + step.Verdict + " " + step.Says; !strings.HasPrefix(got, want[i]) {
					t.Errorf("%s, want %s", got, want[i])
				}
			}
			if row := w.Steps[0].Rows[0]; !slices.Equal(row, []string{evil, "LOCKED", "", "x'); DROP TABLE exams_copy; --"}) {
				t.Errorf("SQL gave %q", row)
			}
			if hand := w.Steps[2].By_Hand; hand != "our-tool {copy}" {
				t.Errorf("a hostile name is put into a command to paste: %s", hand)
			}
			if hand := w.Steps[0].By_Hand; !strings.Contains(hand, id) {
				t.Errorf("by hand: %s", hand)
			}
			var causes, commands []string
			for _, c := range w.Causes {
				causes = append(causes, c.Severity+" "+c.Rule)
			}
			for _, o := range w.Offers {
				commands = append(commands, o.Command)
			}
			if !slices.Contains(causes, "P3 late-lock") || !slices.Contains(causes, "P2 expired-locks") {
				t.Errorf("%q", causes)
			}
			if len(commands) != 2 || commands[0] != "gradecockpit clear-expired" || commands[1] != "gradecockpit unlock "+id {
				t.Errorf("%q", commands)
			}
			if len(w.Escalate) != 1 || w.Escalate[0].To != "Head of the correctors" || len(w.Advice) != 1 || w.Advice[0].Text != "mail -s 'copy {copy}' corrector" {
				t.Errorf("%+v %+v", w.Escalate, w.Advice)
			}
			if n := psql[int](s, "SELECT count(*)::int FROM exams_copy WHERE id = $1", id); n != 1 {
				t.Error("the copy is gone")
			}
			s.builtIn(evil)
			if dialect == lab.Deployed {
				s.judged()
			}
		})
	}
}

// builtIn goes through the built-in playbooks: each step looks, and says what
// it saw.
func (s *station) builtIn(copy string) {
	s.t.Helper()
	glance(s.t, s.env, func(ctx context.Context, l look) error {
		place, err := l.Place(ctx, l.set, copy)
		for _, b := range playbook.Books() {
			w := walked(ctx, b, place, l.Sources(), diagnosis.Input{Set: l.set, Now: l.now}, l.Judge(l.set, l.now))
			for i, step := range w.Steps {
				s.looked(b, b.Steps[i], step.Result)
			}
		}
		return err
	})
}

// looked checks a step that everything is there for but the metrics.
func (s *station) looked(b *playbook.Playbook, step playbook.Step, r playbook.Result) {
	s.t.Helper()
	if r.Skipped || r.Says == "" || r.Verdict == "" {
		s.t.Errorf("%s, %s: %+v", b.Name, step.ID, r)
	}
	if r.Err != nil && !strings.Contains(r.Err.Error(), "METRICS_URL") {
		s.t.Errorf("%s, %s: %v", b.Name, step.ID, r.Err)
	}
}

// judged looks at the findings.
func (s *station) judged() {
	s.t.Helper()
	got := s.wants(exitOK, "✗ cause found: ", "walkthrough", "lock-conflicts")
	for _, says := range []string{"1/5 ", "5/5 ", "by hand:", "→ gradecockpit clear-expired\n", "To prevent it"} {
		if !strings.Contains(got.out, says) {
			s.t.Errorf("no %q in\n%s", says, got.out)
		}
	}
	got = s.wants(exitOK, "→ gradecockpit clear-expired\n", "findings")
	if !strings.Contains(got.out, "Expired locks were not cleared (certain)") || !strings.Contains(got.out, "A lock outlived its corrector (possible)") {
		s.t.Error(got.out)
	}
	var all struct {
		Judged   int
		Findings []struct {
			Rule   string
			Offers []struct{ Command string }
		}
		Not_Judged []struct{ Why string }
	}
	got = s.wants(exitOK, "{", "findings", "-o", "json")
	if err := json.Unmarshal([]byte(got.out), &all); err != nil || all.Judged == 0 {
		s.t.Fatalf("%v\n%s", err, got.out)
	}
	if all.Findings[0].Rule != "expired-locks" || all.Findings[0].Offers[0].Command != "gradecockpit clear-expired" {
		s.t.Errorf("%+v", all.Findings)
	}
}

func TestWalkthroughWithoutASystem(t *testing.T) {
	got := run(t, nil, "findings")
	if got.code != exitBad || !strings.Contains(got.out, "Could not be judged") || !strings.Contains(got.err, "Set DATABASE_URL") {
		t.Errorf("%+v", got)
	}
	if n := strings.Count(got.out, "Set CELERY_BROKER_URL"); n != 1 {
		t.Errorf("one reason stands on %d lines:\n%s", n, got.out)
	}
	got = run(t, nil, "walkthrough", "lock-conflicts")
	if got.code != exitOK || !strings.Contains(got.out, "cannot know: postgres: not configured") || !strings.Contains(got.out, "Not known") {
		t.Errorf("%+v", got)
	}
	for name, args := range map[string][]string{
		`no walkthrough "nothing"; there are import-stuck`: {"nothing"},
		"DATABASE_URL":              {"lock-conflicts", "--copy", "A3F2-0001"},
		"stand alone":               {"lock-conflicts", "--list"},
		"needs the name":            {"--print"},
		"neither --copy":            {"lock-conflicts", "--print", "--copy", "A3F2-0001"},
		"nor -o json":               {"lock-conflicts", "--print", "-o", "json"},
		"--copy needs the name":     {"--copy", "A3F2-0001"},
		"table and json":            {"lock-conflicts", "-o", "xml"},
		"accepts at most 1 arg(s)":  {"a", "b"},
		"1 mistake in the playbook": {"--check", "/nowhere.yaml"},
	} {
		got := run(t, nil, append([]string{"walkthrough"}, args...)...)
		if got.code != exitBad {
			t.Errorf("%q: exit code %d", args, got.code)
		}
		oneSentence(t, got, name)
	}
}

// A name that is none ends the command with a sentence on a terminal as well.
func TestNoScreenOpensAtAnUnknownWalkthrough(t *testing.T) {
	home := t.TempDir()
	o := &options{streams: Streams{Getenv: func(name string) (string, bool) { return home, name == "HOME" }}}
	o.register(pflag.NewFlagSet("", pflag.ContinueOnError))
	cfg, err := o.load()
	if err != nil {
		t.Fatal(err)
	}
	c, err := wire.New(cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer letGo(c)
	for walk, known := range map[string]bool{"": true, "lock-conflicts": true, "lock-conflicts A3F2-0001": true, "nothing": false, "nothing A3F2-0001": false} {
		o.walk = walk
		screen, err := o.screen(c)
		var e *exit
		if known != (err == nil) || !known && (!errors.As(err, &e) || e.code != exitBad || !strings.Contains(err.Error(), "there are import-stuck")) {
			t.Errorf("%q: %v", walk, err)
		}
		if known && screen.Start != walk {
			t.Errorf("%q opens %q", walk, screen.Start)
		}
	}
}

func TestCheckingAPlaybook(t *testing.T) {
	data, err := os.ReadFile(outside)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "mine.yaml")
	check := func(text string, mode os.FileMode) ran {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return run(t, nil, "walkthrough", "--check", path)
	}
	if got := check(string(data), 0o600); got.code != exitOK || !strings.Contains(got.out, "5 steps, 1 cause of its own and 1 action. No mistake was found.") {
		t.Errorf("%+v", got)
	}
	broken := strings.NewReplacer("pane: locks", "pane: lokcs", "action: force-unlock", "action: unlock").Replace(string(data))
	got := check(broken, 0o600)
	if got.code != exitBad || !strings.Contains(got.out, path+":69:13: there is no pane \"lokcs\"") || !strings.Contains(got.out, `there is no action "unlock"`) || !strings.Contains(got.err, "2 mistakes") {
		t.Errorf("%+v", got)
	}
	if got := check(string(data), 0o622); got.code != exitBad || !strings.Contains(got.out, "others can write it") {
		t.Errorf("%+v", got)
	}
}

func TestPlaybooksCanBeReadCopiedAndChanged(t *testing.T) {
	var schema map[string]any
	if got := run(t, nil, "walkthrough", "--schema"); got.code != exitOK || json.Unmarshal([]byte(got.out), &schema) != nil || schema["$schema"] == nil {
		t.Errorf("%+v", got)
	}
	var listed struct {
		Playbooks []struct{ Name, Origin string }
	}
	if got := run(t, nil, "walkthrough", "-o", "json"); json.Unmarshal([]byte(got.out), &listed) != nil || len(listed.Playbooks) != 5 {
		t.Errorf("%+v", got)
	}
	path := filepath.Join(t.TempDir(), "copy.yaml")
	for _, b := range listed.Playbooks {
		text := run(t, nil, "walkthrough", b.Name, "--print").out
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := run(t, nil, "walkthrough", "--check", path); strings.Contains(got.out, ": there is no pane") || strings.Contains(got.out, ": there is no page") || strings.Contains(got.out, "there is no action") || !strings.HasPrefix(text, "#") {
			t.Errorf("%s: %+v", b.Name, got)
		}
	}
	if got := run(t, nil, "__complete", "walkthrough", ""); !strings.Contains(got.out, "lock-conflicts\tLock conflicts\n") {
		t.Errorf("%+v", got)
	}
}

func TestOffersAreReadyCommands(t *testing.T) {
	for want, o := range map[string]diagnosis.Offer{
		"gradecockpit clear-expired":                         {Action: "clear-expired", Kind: "locks"},
		"gradecockpit unlock A3F2-0042":                      {Action: "force-unlock", Kind: "copy", ID: "u-u-i-d", Label: "A3F2-0042"},
		"gradecockpit unlock u-u-i-d":                        {Action: "force-unlock", Kind: "copy", ID: "u-u-i-d", Label: "$(id)"},
		"gradecockpit retry u-u-i-d":                         {Action: "retry", Kind: "copy", ID: "u-u-i-d", Label: "--yes"},
		`gradecockpit purge 'a'\''; rm -rf /'`:               {Action: "purge", Kind: "queue", ID: "a'; rm -rf /"},
		"gradecockpit purge -- '-x'":                         {Action: "purge", Kind: "queue", ID: "-x"},
		"gradecockpit consume --choice finalize w1@a":        {Action: "consume", Kind: "worker", ID: "w1@a", Choice: "finalize"},
		"in the cockpit: some-action with the target celery": {Action: "some-action", Kind: "queue", ID: "celery"},
	} {
		if got := commandLine(o); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// Every offer of a rule and of a built-in playbook can be typed.
func TestEveryOfferedActionHasItsCommand(t *testing.T) {
	for _, b := range playbook.Books() {
		for _, a := range b.Actions {
			if got := commandLine(diagnosis.Offer{Action: a.ID, Kind: a.On, ID: "x"}); !strings.HasPrefix(got, "gradecockpit ") {
				t.Errorf("%s offers %s on %s: %s", b.Name, a.ID, a.On, got)
			}
		}
	}
}
