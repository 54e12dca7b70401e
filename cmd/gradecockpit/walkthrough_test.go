package main_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"gradecockpit/actions"
	"gradecockpit/probes/lab"
)

// guided is one walkthrough from the first screen to a verified action.
type guided struct {
	title   string
	fault   string
	dialect lab.Dialect
	copies  bool   // it asks for a copy
	plan    string // what the dialog begins with
	action  string // in the journal
	danger  bool   // it wants a reason and a word
	second  bool   // the first thing that fits cannot help: that copy's PDF is broken for good
	mended  string // SQL that is true once it is put right; "" the world is asked
}

var walks = []guided{
	{title: "Import stuck", fault: "poison-message", dialect: lab.Playbook, plan: "Remove", action: "remove-poison"},
	{title: "Finalization failing", fault: "finalize-pymupdf-error", dialect: lab.Deployed, copies: true, plan: "Retry", action: "retry", danger: true, second: true},
	{title: "Lock conflicts", fault: "expired-locks", dialect: lab.Playbook, copies: true, plan: "Clear", action: "clear-expired"},
	{title: "High latency", fault: "open-transaction", dialect: lab.Deployed, plan: "Disconnect", action: "end-session", danger: true},
	{title: "Missing audit events", fault: "missing-events", dialect: lab.Deployed, copies: true, plan: "Add", action: "add-event", danger: true,
		mended: `SELECT EXISTS (SELECT FROM grading_gradingevent WHERE metadata->>'reconstructed' = 'true')`},
}

// mostKeys is how many a newcomer may have to press; a typed reason or word is one.
const mostKeys = 12

// TestWalkthroughsLeadToAVerifiedAction presses nothing but what the screen says.
func TestWalkthroughsLeadToAVerifiedAction(t *testing.T) {
	for _, g := range walks {
		t.Run(g.title, func(t *testing.T) {
			t.Parallel() // they mostly wait
			w := world(t, lab.Options{Dialect: g.dialect, Quiet: true, Speed: 10, Seed: 1, Faults: []string{g.fault}})
			env, state := settings(t, w)
			s := open(t, 80, 24, env, binary)
			s.until("to name a finding", func(shown string) bool {
				return strings.Contains(shown, " finding: w") || strings.Contains(shown, " findings: w")
			})
			k := &keyed{screen: s}
			g.toTheEnd(k)
			g.act(k)
			if k.count > mostKeys {
				t.Errorf("%d keys, a newcomer may have to press %d", k.count, mostKeys)
			}
			t.Logf("%d keys", k.count)
			g.verified(t, w, filepath.Join(state, "gradecockpit", "journal.jsonl"))
			g.backThroughTheSteps(s)
			s.press("q")
		})
	}
}

// keyed counts what is pressed.
type keyed struct {
	*screen
	count int
}

func (k *keyed) key(name string) {
	k.press(name)
	k.count++
}

func (k *keyed) typed(text string) {
	k.write(text)
	k.count++
}

// toTheEnd opens the walkthrough of the first finding and goes to its end.
func (g guided) toTheEnd(k *keyed) {
	k.t.Helper()
	k.key("w")
	k.wait("WHAT IS WRONG", "Lead me through", "Import stuck")
	k.key("Enter")
	if g.copies {
		k.wait(g.title+": which copy?", "enter goes on")
		k.key("Enter")
	}
	k.wait(g.title, "of 5", "CAUSE FOUND")
	k.key("e")
	k.wait("cause", "found", "What fits now, safest first")
}

// act has what fits planned, confirms it, and waits for the
// second look.
func (g guided) act(k *keyed) {
	k.t.Helper()
	if g.second {
		k.key("Down")
	}
	k.key("Enter")
	if g.danger {
		shown := k.wait(g.plan, "Reason >", "enter go on")
		_, asked, _ := strings.Cut(shown, "Type ")
		word, _, _ := strings.Cut(asked, " ")
		k.typed("as the guide says")
		k.wait("as the guide says")
		k.key("Tab")
		k.typed(word)
		k.key("Enter")
	} else {
		k.wait(g.plan, "y confirm")
		k.key("y")
	}
	k.wait("✓ fixed")
	k.key("Escape")
	k.wait("Checked again")
}

// verified asks the journal and the system itself.
func (g guided) verified(t *testing.T, w *lab.World, journal string) {
	t.Helper()
	records := journalOf(t, journal)
	last := records[len(records)-1]
	if last.Kind != actions.Outcome || last.Verdict != actions.Fixed || last.Action != g.action {
		t.Errorf("the journal ends with %+v", last)
	}
	if g.mended != "" {
		if !ask[bool](t, w, g.mended) {
			t.Error("nothing changed in the database")
		}
		return
	}
	if shows, known, err := w.Shows(t.Context(), g.fault); err != nil || shows && known {
		t.Errorf("%s still shows (%v)", g.fault, err)
	}
}

// backThroughTheSteps looks at each step's page: it says which it is, what it
// looks at, and one of the four verdicts.
func (g guided) backThroughTheSteps(s *screen) {
	s.t.Helper()
	for i := 5; i >= 1; i-- {
		s.press("Left")
		shown := s.wait(g.title, fmt.Sprintf("step %d of 5", i), "playbook ", "←→ step")
		verdicts := 0
		for _, v := range []string{"✓ OK", "⚠ SUSPICIOUS", "✗ CAUSE FOUND", "? CANNOT KNOW", "◌ SKIPPED"} {
			verdicts += strings.Count(shown, v)
		}
		if lines := strings.Split(strings.TrimRight(shown, "\n"), "\n"); verdicts != 1 || len(lines) != 24 {
			s.t.Errorf("step %d has %d verdicts on %d lines:\n%s", i, verdicts, len(lines), shown)
		}
	}
}

// A walkthrough from the command line judges what is there, not what nobody has
// looked at yet.
func TestAWalkthroughFromTheCommandLine(t *testing.T) {
	w := world(t, lab.Options{Dialect: lab.Deployed, Quiet: true, Seed: 1, Faults: []string{"expired-locks"}})
	env, _ := settings(t, w)
	s := open(t, 80, 24, env, binary, "walkthrough", "lock-conflicts")
	s.wait("Lock conflicts: which copy?", "enter goes on")
	s.press("Enter")
	s.wait("step 1 of 5", "CAUSE FOUND")
	s.press("q")
	s.wait("1 Locks", "? help")
	s.press("q")
}
