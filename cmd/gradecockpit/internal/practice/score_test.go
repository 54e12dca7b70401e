package practice_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gradecockpit/actions"
	"gradecockpit/actions/playbook"
	"gradecockpit/cmd/gradecockpit/internal/practice"
)

var update = flag.Bool("update", false, "write the golden files anew")

// guide is one whose keys are known.
var guide = practice.Guide{
	Walkthrough: "w",
	Key:         func(action string) string { return map[string]string{"clear-expired": "C", "end-session": "D"}[action] },
	Books: []*playbook.Playbook{{Name: "lock-conflicts", Steps: []playbook.Step{
		{Title: "All locks"}, {Title: "Expired locks", Verdicts: []playbook.Case{{Is: playbook.Cause, Rule: "expired-locks"}}},
	}}},
}

// at is a time of the log in seconds.
func at(s int) time.Duration { return time.Duration(s) * time.Second }

func looked(s int, place string) practice.Event {
	return practice.Event{At: at(s), Kind: practice.Looked, What: place}
}

func answered(s int, cause string) practice.Event {
	return practice.Event{At: at(s), Kind: practice.Answered, What: cause}
}

func finished(s int) practice.Event { return practice.Event{At: at(s), Kind: practice.Finished} }

// record is one of the journal, some seconds after the start.
func record(s int, kind actions.RecordKind, id, action string, target actions.Target, verdict actions.VerdictKind) actions.Record {
	title := action + " " + target.Label
	return actions.Record{Kind: kind, ActionID: id, Action: action, Title: title, At: start.Add(at(s)), Target: target, Verdict: verdict}
}

var start = time.Date(2026, 2, 20, 8, 0, 0, 0, time.UTC)

// did is an action from its confirmation to its end three seconds later.
func did(s int, id, action string, target actions.Target, verdict actions.VerdictKind) []practice.Event {
	return practice.FromRecords(start, []actions.Record{
		record(s, actions.Intent, id, action, target, ""),
		record(s+1, actions.Executed, id, action, target, ""),
		record(s+3, actions.Outcome, id, action, target, verdict),
	})
}

func refused(s int, action string, target actions.Target) []practice.Event {
	return practice.FromRecords(start, []actions.Record{record(s, actions.Refused, "r", action, target, actions.WasRefuse)})
}

func cancelled(s int, action string, target actions.Target) []practice.Event {
	return practice.FromRecords(start, []actions.Record{record(s, actions.Cancel, "c", action, target, actions.Cancelled)})
}

var (
	locks   = actions.Target{Kind: actions.OnLocks, ID: "expired", Label: "expired locks"}
	mine    = actions.Target{Kind: actions.OnCopy, ID: "copy-1", Label: "A3F2-0001"}
	foreign = actions.Target{Kind: actions.OnCopy, ID: "copy-9", Label: "A3F2-0009"}
	session = actions.Target{Kind: actions.OnSession, ID: "4711/1764302400123456", Label: "4711"}
)

// expired is what the world says of the locks, put right or not.
func expired(gone bool) practice.Truth {
	return practice.Truth{Fault: "expired-locks", Targets: []string{"copy-1", "copy-2"}, Gone: gone, Known: true}
}

// run is a drill with what was done in it.
type run struct {
	faults      []string
	distractors []string
	log         [][]practice.Event
	truths      []practice.Truth
}

func (r run) score() practice.Debrief {
	d := practice.Drill{Seed: 7, Scenario: "lock-conflicts", Faults: r.faults, Distractors: r.distractors}
	return practice.Score(d, slices.Concat(r.log...), r.truths, guide)
}

func events(e ...practice.Event) []practice.Event { return e }

// runs are ways through drills, by what they show.
func runs() map[string]run {
	perfect := did(65, "a", "clear-expired", locks, actions.Fixed)
	lockFault, gone := []string{"expired-locks"}, []practice.Truth{expired(true)}
	return map[string]run{
		"perfect":          {lockFault, nil, [][]practice.Event{events(looked(5, "locks"), answered(40, "expired-locks"), finished(90)), perfect}, gone},
		"found by acting":  {lockFault, nil, [][]practice.Event{perfect, events(finished(90))}, gone},
		"with a hint":      {lockFault, nil, [][]practice.Event{events(practice.Event{At: at(3), Kind: practice.Hinted, What: "expired-locks 1"}, answered(40, "expired-locks")), perfect}, gone},
		"wrong answer":     {lockFault, nil, [][]practice.Event{events(answered(20, "lock-conflicts"), answered(40, "expired-locks")), perfect}, gone},
		"only named":       {lockFault, nil, [][]practice.Event{events(answered(40, "expired-locks"), finished(50))}, []practice.Truth{expired(false)}},
		"nothing done":     {lockFault, nil, [][]practice.Event{events(looked(4, "latency"), answered(20, "nothing"), finished(30))}, []practice.Truth{expired(false)}},
		"claimed, not so":  {lockFault, nil, [][]practice.Event{events(answered(40, "expired-locks")), did(65, "a", "force-unlock", mine, actions.Fixed)}, []practice.Truth{expired(false)}},
		"not needed":       {lockFault, nil, [][]practice.Event{events(answered(40, "expired-locks")), did(20, "b", "cancel-query", session, actions.Fixed), perfect}, gone},
		"unsafe":           {lockFault, nil, [][]practice.Event{events(answered(40, "expired-locks")), did(20, "b", "force-unlock", foreign, actions.Fixed), perfect}, gone},
		"unsafe, refused":  {lockFault, nil, [][]practice.Event{events(answered(40, "expired-locks")), refused(20, "retry", mine), perfect}, gone},
		"unsafe, thought":  {lockFault, nil, [][]practice.Event{events(answered(40, "expired-locks")), cancelled(20, "retry", mine), perfect}, gone},
		"mixed targets":    {lockFault, nil, [][]practice.Event{events(answered(40, "expired-locks")), did(20, "b", "force-unlock", with(mine, foreign), actions.Fixed)}, gone},
		"quiet, said so":   {nil, nil, [][]practice.Event{events(looked(5, "locks"), answered(30, "nothing"), finished(35))}, nil},
		"quiet, not seen":  {nil, nil, [][]practice.Event{events(answered(30, "expired-locks"), finished(35)), did(32, "a", "clear-expired", locks, actions.NotFixed)}, nil},
		"two, one found":   {[]string{"expired-locks", "blocked-session"}, nil, [][]practice.Event{events(answered(40, "expired-locks")), perfect}, []practice.Truth{expired(true), blocked(false)}},
		"two, both":        {[]string{"expired-locks", "blocked-session"}, nil, [][]practice.Event{perfect, did(80, "d", "end-session", session, actions.Fixed)}, []practice.Truth{expired(true), blocked(true)}},
		"beyond reach":     {[]string{"slow-endpoint"}, nil, [][]practice.Event{events(answered(40, "slow-endpoint"), finished(45))}, []practice.Truth{{Fault: "slow-endpoint"}}},
		"distractor named": {lockFault, []string{"slow-endpoint"}, [][]practice.Event{events(answered(30, "slow-endpoint"), answered(40, "expired-locks")), perfect}, append(gone, practice.Truth{Fault: "slow-endpoint"})},
		"gone by itself":   {[]string{"abandoned-locks"}, nil, [][]practice.Event{events(answered(30, "abandoned-locks"), finished(600))}, []practice.Truth{{Fault: "abandoned-locks", Gone: true, Known: true}}},
		"unread":           {lockFault, nil, [][]practice.Event{events(answered(30, "expired-locks"), finished(60))}, []practice.Truth{{Fault: "expired-locks"}}},
	}
}

func with(t actions.Target, more ...actions.Target) actions.Target { t.More = more; return t }

func blocked(gone bool) practice.Truth {
	return practice.Truth{Fault: "blocked-session", Targets: []string{"copy-5", "4711"}, Gone: gone, Known: true}
}

func TestScore(t *testing.T) {
	type want struct {
		Solved         bool
		Points         int
		Found          []practice.Span
		States         []practice.State
		Wrong          []string
		Unneeded       []string
		Unsafe, Aside  []string
		UnsafeOutcomes []string
	}
	seconds := func(s ...int) (out []practice.Span) {
		for _, n := range s {
			out = append(out, practice.Span(at(n)))
		}
		return out
	}
	never, right := []practice.Span{-1}, []practice.State{practice.StateRight}
	wants := map[string]want{
		"perfect":          {Solved: true, Points: 100, Found: seconds(40), States: right},
		"found by acting":  {Solved: true, Points: 100, Found: seconds(65), States: right},
		"with a hint":      {Solved: true, Points: 90, Found: seconds(40), States: right},
		"wrong answer":     {Solved: true, Points: 90, Found: seconds(40), States: right, Wrong: []string{"lock-conflicts"}},
		"only named":       {Points: 70, Found: seconds(40), States: []practice.State{practice.StateLeft}},
		"nothing done":     {Points: 10, Found: never, States: []practice.State{practice.StateLeft}, Wrong: []string{"nothing"}, Aside: []string{"latency"}},
		"claimed, not so":  {Points: 70, Found: seconds(40), States: []practice.State{practice.StateLeft}},
		"not needed":       {Solved: true, Points: 95, Found: seconds(40), States: right, Unneeded: []string{"cancel-query 4711"}},
		"unsafe":           {Solved: true, Points: 70, Found: seconds(40), States: right, Unsafe: []string{"force-unlock A3F2-0009"}, UnsafeOutcomes: []string{"carried out"}},
		"unsafe, refused":  {Solved: true, Points: 95, Found: seconds(40), States: right, Unsafe: []string{"retry A3F2-0001"}, UnsafeOutcomes: []string{"refused"}},
		"unsafe, thought":  {Solved: true, Points: 100, Found: seconds(40), States: right, Unsafe: []string{"retry A3F2-0001"}, UnsafeOutcomes: []string{"cancelled"}},
		"mixed targets":    {Solved: true, Points: 70, Found: seconds(40), States: []practice.State{practice.StateItself}, Unsafe: []string{"force-unlock A3F2-0001"}, UnsafeOutcomes: []string{"carried out"}},
		"quiet, said so":   {Solved: true, Points: 100},
		"quiet, not seen":  {Points: 35, Wrong: []string{"expired-locks"}, Unneeded: []string{"clear-expired expired locks"}},
		"two, one found":   {Points: 60, Found: append(seconds(40), -1), States: []practice.State{practice.StateRight, practice.StateLeft}},
		"two, both":        {Solved: true, Points: 100, Found: seconds(65, 80), States: append(right, practice.StateRight)},
		"beyond reach":     {Solved: true, Points: 100, Found: seconds(40), States: []practice.State{practice.StateBeyond}},
		"distractor named": {Solved: true, Points: 100, Found: seconds(40), States: right},
		"gone by itself":   {Solved: true, Points: 100, Found: seconds(30), States: []practice.State{practice.StateItself}},
		"unread":           {Points: 70, Found: seconds(30), States: []practice.State{practice.StateUnknown}},
	}
	for name, r := range runs() {
		t.Run(name, func(t *testing.T) {
			d := r.score()
			got := want{Solved: d.Solved, Points: d.Points, Wrong: d.Wrong, Aside: d.Aside}
			for _, f := range d.Faults {
				got.Found, got.States = append(got.Found, f.Found), append(got.States, f.State)
			}
			for _, x := range d.Unneeded {
				got.Unneeded = append(got.Unneeded, x.Title)
			}
			for _, x := range d.Unsafe {
				got.Unsafe, got.UnsafeOutcomes = append(got.Unsafe, x.Title), append(got.UnsafeOutcomes, x.Outcome)
			}
			w, known := wants[name]
			if !known {
				t.Fatal("nothing is expected of it")
			}
			if diff := cmp.Diff(w, got); diff != "" {
				t.Errorf("-want +got:\n%s\n%s", diff, practice.Text(d.Lines(), 78))
			}
			spent := 0
			for _, c := range d.Costs {
				spent += c.Points
			}
			if practice.Full-spent != d.Points {
				t.Errorf("the costs %v do not add up to %d points", d.Costs, d.Points)
			}
		})
	}
}

func TestPointsNeverFallBelowZero(t *testing.T) {
	r := runs()["nothing done"]
	for i := range 4 {
		r.log = append(r.log, did(100+i, string(rune('p'+i)), "purge", actions.Target{Kind: actions.OnQueue, ID: "celery", Label: "celery"}, actions.Fixed))
	}
	if d := r.score(); d.Points != 0 || len(d.Unsafe) != 4 {
		t.Errorf("%d points, unsafe %v", d.Points, d.Unsafe)
	}
}

// TestDebriefText keeps the printed debrief of a given log as it is.
func TestDebriefText(t *testing.T) {
	all := runs()
	everything := all["two, one found"]
	everything.distractors = []string{"slow-endpoint"}
	everything.log = append(everything.log, events(looked(2, "latency"), looked(6, "host"), looked(9, "page copy"), answered(21, "locked-no-lock"),
		practice.Event{At: at(24), Kind: practice.Hinted, What: "expired-locks 1"}, finished(183)),
		refused(30, "retry", mine), cancelled(33, "force-unlock", foreign), did(110, "f", "force-unlock", foreign, actions.Fixed),
		did(120, "p", "ping", actions.Target{Kind: actions.OnWorker, ID: "w", Label: "w"}, actions.Fixed),
		did(150, "q", "cancel-query", session, actions.NotFixed))
	for name, r := range map[string]run{"perfect": all["perfect"], "everything": everything, "quiet": all["quiet, said so"], "quiet-missed": all["quiet, not seen"]} {
		t.Run(name, func(t *testing.T) {
			d := r.score()
			data, err := json.MarshalIndent(d, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			golden(t, name+".txt", practice.Text(d.Lines(), 78))
			golden(t, name+".json", string(data)+"\n")
		})
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s: -want +got:\n%s", name, diff)
	}
	for l := range strings.Lines(got) {
		if strings.HasSuffix(name, ".txt") && len([]rune(l)) > 79 {
			t.Errorf("wider than the terminal: %q", l)
		}
	}
}
