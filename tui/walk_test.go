package tui

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"gradecockpit/actions"
	"gradecockpit/actions/playbook"
	"gradecockpit/probes"
	"gradecockpit/probes/diagnosis"
	"gradecockpit/probes/grading"
	"gradecockpit/tui/internal/sample"
	"gradecockpit/tui/keys"
)

// locksBook is a playbook from outside, in the form that everybody can write.
const locksBook = `
name: lock-conflicts
title: Lock conflicts
section: "5"
when:
  - A corrector sees "Copy is locked by another user".
  - Requests are refused with 409.
asks: copy
steps:
  - id: locks
    title: All locks
    section: 5.2/1
    why: |
      Who holds what, since when, and until when. A browser renews its lock each
      30 s; an expired lock stays in the table until somebody asks for its copy.
    look: {pane: locks}
    verdicts:
      - {when: 'found("expired-locks")', is: cause, rule: expired-locks, says: "Of {n} locks some have expired."}
    by_hand:
      deployed: |
        psql "$DATABASE_URL" <<'SQL'
        SELECT c.anonymous_id, l.owner_id, l.expires_at < now() AS expired
        FROM grading_copylock l JOIN exams_copy c ON c.id = l.copy_id
        ORDER BY l.expires_at;
        SQL
      note: The holder is owner_id, not locked_by_id.
  - id: logs
    title: What the log says
    why: A lock that is refused leaves a warning.
    look: {logs: 'pattern:lock-conflict since:1h'}
    by_hand: {deployed: 'grep "Copy is locked" {log_dir}/django.log | tail -20'}
  - id: copy
    title: One copy
    section: 5.2/2
    why: Its events tell who worked on it last.
    look: {page: 'copy {copy}'}
    verdicts:
      - {when: 'locks_expired > 0', is: suspicious, says: "Its lock may be one of those that have expired."}
  - id: space
    title: Room on the disk
    why: A full disk refuses every write.
    look: {command: [df, -h]}
    verdicts:
      - {when: 'rows > 0', is: suspicious, says: "A volume is nearly full."}
causes: [expired-locks]
actions:
  - {action: force-unlock, on: copy, target: '{copy_id}', why: The lock goes at once., consequence: What was not saved is lost.}
advice:
  - {title: A job that clears them, says: Have the developers add a job each 5 minutes., text: {deployed: "*/5 * * * * gradecockpit clear-expired --yes"}}
prevent:
  - Alert on expired locks.
escalate:
  - {to: Tech Lead, when: 'failed_attempts >= 2', says: Two attempts did not help.}
`

func testBook(t testing.TB, text string) *playbook.Playbook {
	t.Helper()
	b, problems := playbook.Parse([]byte(text), "test", playbook.Catalogue{})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return b
}

// fakeSources give what the steps of the test look at.
type fakeSources struct {
	hold   chan struct{} // Logs wait for it to close; nil: not
	panics bool
	locks  playbook.Table
}

func lockTable(n int) playbook.Table {
	t := playbook.Table{Columns: []string{"COPY", "HELD BY", "AGE", "EXPIRES", "STATUS", "DRAFT"}}
	for i := range n {
		t.Rows = append(t.Rows, []string{fmt.Sprintf("A3F2-%04d", i), "mdupont", fmt.Sprintf("1h%02dm", i), "✗ expired 52m ago", "LOCKED", "v12"})
	}
	return t
}

func (f *fakeSources) Pane(context.Context, probes.Set, string, string) (playbook.Table, error) {
	return f.locks, nil
}

func (f *fakeSources) Page(_ context.Context, _ probes.Set, kind, id string) (playbook.Table, error) {
	return playbook.Table{Lines: []string{kind + " " + id, "  status  LOCKED"}}, nil
}

func (f *fakeSources) SQL(context.Context, string, []any) (playbook.Table, error) {
	return playbook.Table{}, nil
}

func (f *fakeSources) Logs(ctx context.Context, _ string) (playbook.Table, error) {
	if f.hold != nil {
		select {
		case <-f.hold:
		case <-ctx.Done():
			return playbook.Table{}, ctx.Err()
		}
	}
	if f.panics {
		panic("the log fell over")
	}
	return playbook.Table{}, &probes.Error{Source: probes.Logs, Op: "read django.log", Cause: "permission denied", Next: "chmod o+r it."}
}

func (f *fakeSources) Command(context.Context, []string) (playbook.Table, error) {
	return playbook.Table{Columns: []string{"MOUNT", "USED"}, Rows: [][]string{{"/srv", "97%"}}, More: 3}, nil
}

// guided has a stage with a playbook.
func guided(f *fakeSources, more ...func(*stage, *Config)) func(*stage, *Config) {
	if f.locks.Columns == nil {
		f.locks = lockTable(12)
	}
	return func(s *stage, c *Config) {
		c.Books, c.Sources = []*playbook.Playbook{testBook(s.t, locksBook)}, f
		c.Place = func(_ context.Context, _ probes.Set, id string) (playbook.Place, error) {
			p := playbook.Place{Dialect: grading.Deployed, Names: map[string]string{"log_dir": "/srv/grading/logs"}}
			if id == "nope" {
				return p, errors.New("there is no copy nope")
			}
			p.Copy = grading.CopyRef{ID: id, Anon: strings.TrimPrefix(id, "id-")}
			return p, nil
		}
		for _, m := range more {
			m(s, c)
		}
	}
}

// TestWalkFromFindingToProof goes the whole way: a finding, its step, the
// action, and the second look that proves it.
func TestWalkFromFindingToProof(t *testing.T) {
	play(t, 80, 24, guided(&fakeSources{}), func(t *testing.T, s *stage) {
		s.sees("▲ P1 2 findings: w")
		s.press("w", "down", "down")
		s.sees("Expired locks were not cleared", "Imports wait", "Lead me through", "▲ Lock conflicts")
		s.press("enter")
		s.sees("Lock conflicts: which copy?", "A3F2-0010")
		s.press("enter")
		s.sees("step 1 of 4", "CAUSE FOUND: Of 12 locks some have expired.", "psql", "A3F2-0003")
		s.press("e")
		s.sees("1 cause found", "Clear expired locks", "conclusion", "3 ⚠")
		s.press("enter")
		s.pass(time.Second)
		s.press("enter", "enter")
		if s.bench.clear.executed.Load() != 0 {
			t.Fatal("enter confirmed")
		}
		s.press("y")
		s.press("esc")
		s.sees("Clear expired locks: fixed", "Checking again")
		s.hub.news <- without(situations()[0].Set(), s.app.now)
		s.pass(time.Second)
		s.sees("Checked again: ok.", "3 ✓") // the other steps look again, too
	})
}

// The help of a walkthrough has its own keys, and those that act only where they
// do: at the conclusion.
func TestHelpOfAWalkthrough(t *testing.T) {
	play(t, 120, 60, guided(&fakeSources{}), func(t *testing.T, s *stage) {
		s.press("w", "down", "down", "enter", "enter", "?")
		s.sees("Keys in a walkthrough", "skip this step", "it goes into the hand-over")
		s.misses("clear the expired locks")
		s.press("esc", "e", "?")
		s.sees("clear the expired locks", "skip this step")
		s.misses("purge a queue")
	})
}

// without is a set in which no lock has expired, all of it seen after now.
func without(set probes.Set, now time.Time) probes.Set {
	g := sample.Grading()
	g.Locks.Value.Expired = 0
	return after(set, now, g)
}

// after is a set that was seen after now, with what was seen of the tables.
func after(set probes.Set, now time.Time, tables ...grading.Overview) probes.Set {
	snaps := set.Snapshots()
	for i, snap := range snaps {
		snaps[i].At, snaps[i].Good, snaps[i].Seq = now.Add(time.Second), now.Add(time.Second), snap.Seq+1
		if snap.ID == grading.ID && len(tables) > 0 {
			snaps[i].Payload = tables[0]
		}
	}
	return probes.NewSet(snaps...)
}

// An action that twice did not help is not offered as if nothing had happened.
func TestTwiceInVainEscalates(t *testing.T) {
	vain := func(s *stage, _ *Config) {
		s.bench.clear.verdict = actions.Verdict{Kind: actions.NotFixed, Says: "Seven came back."}
	}
	play(t, 120, 36, guided(&fakeSources{}, vain), func(t *testing.T, s *stage) {
		s.press(":", "'walkthrough lock-conflicts A3F2-0010'", "enter", "e")
		for i := range 2 {
			s.misses("Tech Lead")
			s.press("enter")
			s.pass(time.Second)
			s.press("y", "esc")
			s.sees("Clear expired locks: not fixed. Seven came back.")
			if i == 0 { // the probes do not look again: it does not wait for ever, and does not know
				s.pass(checkWithin + 2*time.Second)
				s.sees("Checked again: cannot know. Nothing has looked at it since the action.")
				continue
			}
			s.hub.news <- after(situations()[0].Set(), s.app.now)
			s.pass(time.Second)
			s.sees("Checked again: still: 7 of")
		}
		s.sees("Clear expired locks did not help twice", "Tech Lead: Two attempts did not help.")
	})
}

func TestStepsLookSideBySideAndArriveAsTheyEnd(t *testing.T) {
	f := &fakeSources{}
	holds := func(*stage, *Config) { f.hold = make(chan struct{}) } // within the bubble
	play(t, 80, 24, guided(f, holds), func(t *testing.T, s *stage) {
		s.press(":", "'walkthrough lock-conflicts A3F2-0010'", "enter")
		s.sees("[1 ✗]", "2 ◌", "3 ⚠", "4 ⚠")
		s.press("enter")
		s.sees("looking…")
		close(f.hold)
		s.pass(100 * time.Millisecond)
		s.sees("[2 ?]", "CANNOT KNOW", "permission denied", "grep \"Copy is locked\" /srv/grading/logs/django.log")
	})
}

func TestStepThatFallsOverTakesItselfOnly(t *testing.T) {
	play(t, 80, 24, guided(&fakeSources{panics: true}), func(t *testing.T, s *stage) {
		s.press(":", "'walkthrough lock-conflicts A3F2-0010'", "enter", "enter")
		s.sees("[2 ?]", "the log fell over", "1 ✗", "4 ⚠")
	})
}

func TestWalkIsTakenUpWhereItWasLeft(t *testing.T) {
	play(t, 80, 24, guided(&fakeSources{}), func(t *testing.T, s *stage) {
		s.press(":", "'walkthrough lock-conflicts A3F2-0010'", "enter", "right", "right", "n", "'asked mdupont'", "enter", "left", "s")
		s.sees("step 3 of 4", "2 –", "Your note: asked mdupont")
		s.press("esc", "w", "G")
		s.sees("left at step 3 of 4: enter goes on")
		s.press("enter")
		s.sees("step 3 of 4", "asked mdupont")
		s.press("e", "esc", "w", "G")
		s.sees("left at its conclusion")
	})
}

func TestHandOverIsShownSavedAndCopied(t *testing.T) {
	var saved string
	save := func(_ *stage, c *Config) {
		c.SaveHandOver = func(name, text string) (string, error) { saved = text; return "/state/" + name + ".md", nil }
	}
	play(t, 80, 24, guided(&fakeSources{}, save), func(t *testing.T, s *stage) {
		s.press(":", "'walkthrough lock-conflicts A3F2-0010'", "enter", "n", "'asked mdupont'", "enter", "x")
		s.sees("Hand-over: Lock conflicts", "Saved as /state/lock-conflicts.md", "Note: asked mdupont")
		s.press("y")
		if !strings.Contains(saved, "Note: asked mdupont") || s.clip != saved {
			t.Errorf("saved %q, copied %q", saved, s.clip)
		}
		s.press("esc")
		s.sees("step 1 of 4")
	})
	fails := func(_ *stage, c *Config) {
		c.SaveHandOver = func(string, string) (string, error) { return "", errors.New("the disk is full") }
	}
	play(t, 80, 24, guided(&fakeSources{}, fails), func(t *testing.T, s *stage) {
		s.press(":", "'walkthrough lock-conflicts A3F2-0010'", "enter", "x")
		s.sees("It could not be saved: the disk is full", "# Lock conflicts")
	})
}

// No lower-case key, arrow or enter writes, wherever in a walkthrough.
func TestNoKeyOfAWalkWrites(t *testing.T) {
	play(t, 80, 24, guided(&fakeSources{}), func(t *testing.T, s *stage) {
		s.press(":", "'walkthrough lock-conflicts A3F2-0010'", "enter")
		for range 3 {
			for _, k := range []string{"right", "enter", "down", "up", "left", "s", "s", "v", "r", "c", "esc", "p", "o", "esc", "w", "G", "enter", "e", "down", "enter"} {
				s.press(k)
				s.pass(500 * time.Millisecond)
			}
			s.press("esc")
		}
		if n := s.bench.journal.kinds(actions.Intent); n != 0 {
			t.Errorf("%d actions were begun", n)
		}
	})
}

func TestFindingsAlwaysSaySomething(t *testing.T) {
	healthy := func(_ *stage, c *Config) {
		c.Judge = func(in diagnosis.Input) diagnosis.Report { return diagnosis.Report{At: in.Now, Judged: 41} }
	}
	play(t, 80, 24, guided(&fakeSources{}, healthy), func(t *testing.T, s *stage) {
		s.sees("✓ no findings")
		s.press("w")
		s.sees("Nothing wrong is seen", "41 rules judged", "Lock conflicts")
	})
	partly := func(_ *stage, c *Config) {
		c.Judge = func(in diagnosis.Input) diagnosis.Report {
			return diagnosis.Report{At: in.Now, Judged: 39, Blind: []diagnosis.Blind{{Rule: "a", Title: "The disk is full", Why: "host: not configured"}, {Rule: "b", Title: "b", Why: "c"}}}
		}
	}
	play(t, 80, 24, guided(&fakeSources{}, partly), func(t *testing.T, s *stage) {
		s.sees("✓ no findings", "◌ 2")
		s.press(":", "'findings'", "enter", "G")
		s.sees("by the 39 rules that could be judged", "2 rules could not be judged")
		s.press("enter")
		s.sees("The disk is full", "not configured")
	})
	broken := func(_ *stage, c *Config) {
		c.Judge = func(diagnosis.Input) diagnosis.Report { panic("a rule tripped") }
	}
	play(t, 80, 24, guided(&fakeSources{}, broken), func(t *testing.T, s *stage) {
		s.sees("◌ 1 rule blind: w", "A3F2-0010")
		s.hub.news <- situations()[1].Set()
		s.pass(time.Second)
		s.misses("A3F2-0010") // the data go on
	})
}

// The evidence leads to where it was seen, and says what must not be done.
func TestEvidenceOfAFinding(t *testing.T) {
	play(t, 120, 36, guided(&fakeSources{}), func(t *testing.T, s *stage) {
		s.press("w", "o")
		s.sees("A worker hangs", "Do not purge the queue", "What would speak against it: A worker that only", "py-spy", "restart")
		s.press("down", "down", "down", "enter")
		s.sees("[6 Workers")
		s.press("w", "down", "down", "o")
		s.press("down", "down")
		s.sees("Walk through it: Lock conflicts")
		s.press("enter")
		s.sees("which copy?")
	})
}

// At the conclusion the evidence of what the cursor is on is a key away; where
// nothing is found now, it says so.
func TestEvidenceFromTheConclusion(t *testing.T) {
	play(t, 80, 24, guided(&fakeSources{}), func(t *testing.T, s *stage) {
		s.press(":", "'walkthrough lock-conflicts A3F2-0010'", "enter", "e")
		s.sees("o evidence")
		s.press("o")
		s.sees("Finding", "What it rests on", "A3F2-0010 is held by mdupont")
		s.press("esc")
		s.sees("conclusion")
		s.hub.news <- without(situations()[0].Set(), s.app.now)
		s.pass(time.Second)
		s.misses("o evidence")
		s.press("o")
		s.sees("Nothing is on o at the conclusion")
	})
}

// What could not be judged leads to the steps by which one can look oneself.
func TestBlindRuleLeadsThrough(t *testing.T) {
	blind := func(_ *stage, c *Config) {
		c.Judge = func(in diagnosis.Input) diagnosis.Report {
			return diagnosis.Report{At: in.Now, Judged: 3, Blind: []diagnosis.Blind{
				{Rule: "expired-locks", Title: "Expired locks were not cleared", Why: "GRANT SELECT ON grading_copylock TO cockpit;", Scenario: diagnosis.LockConflicts},
				{Rule: "disk-full", Title: "A disk is full", Why: "not configured", Scenario: diagnosis.ImportStuck}}}
		}
	}
	play(t, 80, 24, guided(&fakeSources{}, blind), func(t *testing.T, s *stage) {
		s.press("w", "G", "enter", "y")
		if s.clip != "GRANT SELECT ON grading_copylock TO cockpit;" {
			t.Errorf("copied %q", s.clip)
		}
		s.press("down", "enter")
		s.sees("This row has no page of its own.") // no playbook leads through a stuck import here
		s.press("up", "enter")
		s.sees("Lock conflicts", "step 1 of 4")
	})
}

// The footer of a walkthrough names what leads on, on a small screen too, and
// follows the keys as they are set.
func TestFooterOfAWalkthrough(t *testing.T) {
	play(t, 80, 24, guided(&fakeSources{}), func(t *testing.T, s *stage) {
		s.press(":", "'walkthrough lock-conflicts A3F2-0010'", "enter")
		s.sees("←→ step", "e end", "r again", "v by hand", "n note", "x hand over", "esc back", "? help")
		s.press("e")
		s.sees("enter plan", "↑↓ choose", "← steps", "x hand over", "esc back", "? help")
	})
	other := func(_ *stage, c *Config) {
		table, err := keys.Default().Remap(map[string][]string{"next-step": {"enter"}, "previous-step": {"p"}})
		if err != nil {
			t.Fatal(err)
		}
		c.Keys = table
	}
	play(t, 80, 24, guided(&fakeSources{}, other), func(t *testing.T, s *stage) {
		s.press(":", "'walkthrough lock-conflicts A3F2-0010'", "enter")
		s.sees("p enter step")
	})
}

func TestUnknownWalkthroughAndCopy(t *testing.T) {
	play(t, 80, 24, guided(&fakeSources{}), func(t *testing.T, s *stage) {
		s.press(":", "'walkthrough nope'", "enter")
		s.sees("No walkthrough is called nope")
		s.press(":", "'walkthrough lock-conflicts nope'", "enter")
		s.sees("It goes on without a copy: there is no copy nope.", "step 1 of 4")
		s.press("right", "right")
		s.sees("skipped: This step looks at one copy")
	})
}

// The walkthrough that the command line asks for is open at the start.
func TestStartOpensAWalkthrough(t *testing.T) {
	start := func(_ *stage, c *Config) { c.Start = "lock-conflicts A3F2-0010" }
	play(t, 80, 24, guided(&fakeSources{}, start), func(t *testing.T, s *stage) {
		s.sees("Lock conflicts · A3F2-0010", "step 1 of 4")
	})
}

// It waits for the first look of every probe: a step must not find nothing wrong
// in what nobody has seen yet.
func TestStartWaitsForTheFirstLook(t *testing.T) {
	start := func(s *stage, c *Config) {
		c.Start = "lock-conflicts A3F2-0010"
		unseen := situations()[0].Set().Snapshots()
		for i, snap := range unseen {
			unseen[i] = probes.Snapshot{ID: snap.ID, Source: snap.Source}
		}
		s.hub = newHub(probes.NewSet(unseen...))
		c.Hub = s.hub
	}
	play(t, 80, 24, guided(&fakeSources{}, start), func(t *testing.T, s *stage) {
		s.sees("then the walkthrough opens")
		s.misses("step 1 of 4")
		s.hub.news <- situations()[0].Set()
		s.pass(time.Second)
		s.sees("step 1 of 4", "CAUSE FOUND")
	})
	play(t, 80, 24, guided(&fakeSources{}, start), func(t *testing.T, s *stage) {
		s.press(":")
		s.pass(startTime + 2*time.Second)
		s.misses("step 1 of 4") // not while something is typed
		s.press("esc")
		s.pass(2 * time.Second) // and it does not wait for ever
		s.sees("step 1 of 4")
	})
}

// The hand-over is saved, but it does not open above what was opened meanwhile.
func TestAHandOverOpensOnlyWhereItWasAskedFor(t *testing.T) {
	var hold chan struct{}
	slow := func(_ *stage, c *Config) {
		hold = make(chan struct{})
		c.SaveHandOver = func(string, string) (string, error) { <-hold; return "/state/it.md", nil }
	}
	play(t, 80, 24, guided(&fakeSources{}, slow), func(t *testing.T, s *stage) {
		s.press(":", "'walkthrough lock-conflicts A3F2-0010'", "enter", "x", "esc")
		close(hold)
		s.pass(100 * time.Millisecond)
		s.sees("Saved as /state/it.md")
		s.misses("Hand-over")
	})
}

func TestTheWheelScrollsAWalkthrough(t *testing.T) {
	play(t, 80, 24, guided(&fakeSources{locks: lockTable(40)}), func(t *testing.T, s *stage) {
		s.press(":", "'walkthrough lock-conflicts A3F2-0010'", "enter")
		s.sees("A3F2-0000")
		s.send(tea.MouseWheelMsg{Button: tea.MouseWheelDown})
		s.send(tea.MouseWheelMsg{Button: tea.MouseWheelDown})
		s.misses("A3F2-0000")
	})
}

// An action by name means in a walkthrough what its key means there, never the
// row of a pane that is not to be seen.
func TestAnActionByNameInAWalkthrough(t *testing.T) {
	play(t, 120, 36, guided(&fakeSources{}), func(t *testing.T, s *stage) {
		s.press(":", "'walkthrough lock-conflicts A3F2-0010'", "enter", ":", "'force-unlock'", "enter")
		s.sees("is not among what fits here")
		s.press("e", ":", "'force-unlock'", "enter")
		s.pass(time.Second)
		s.sees("Force-unlock A3F2-0010", "esc cancel")
	})
}

// What was noted before a copy was chosen is still there afterwards; what was
// noted on another copy is not about this one.
func TestNotesOutliveTheChoiceOfACopy(t *testing.T) {
	play(t, 80, 24, guided(&fakeSources{}), func(t *testing.T, s *stage) {
		s.press(":", "'walkthrough lock-conflicts nope'", "enter", "n", "'asked mdupont'", "enter", "c", "enter")
		s.sees("Lock conflicts · ", "Your note: asked mdupont")
		s.press("c", "down", "enter")
		s.misses("asked mdupont")
	})
}
