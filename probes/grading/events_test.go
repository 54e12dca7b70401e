package grading

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp/cmpopts"

	"gradecockpit/probes/lab"
	"gradecockpit/probes/lab/labtest"
)

func TestDetail(t *testing.T) {
	tests := []struct {
		action, metadata, want string
		failed                 bool
	}{
		{"IMPORT", `{"filename": "scan_03.pdf", "pages": 12}`, "scan_03.pdf, 12 pages", false},
		{"IMPORT", `{"filename": "one.pdf", "pages": 1}`, "one.pdf, 1 page", false},
		{"VALIDATE", `{"student_id": 7, "method": "manual", "student_name": "Zoé M"}`, "method manual", false},
		{"VALIDATE", `{}`, "", false},
		{"LOCK", `{"token_prefix": "1f0c9a2e"}`, "token 1f0c9a2e", false},
		{"UNLOCK", `{}`, "", false},
		{"UNLOCK", `{"forced": true, "reason": "corrector left"}`, "forced, corrector left", false},
		{"UNLOCK", `{"previous_locker": "jmartin"}`, "was locked by jmartin", false},
		{"CREATE_ANN", `{"annotation_id": "8e0f", "page": 3}`, "page 3", false},
		{"UPDATE_ANN", `{"annotation_id": "8e0f", "changes": {"score_delta": "2", "content": "x"}}`, "changed content, score_delta", false},
		{"DELETE_ANN", `{"annotation_id": "8e0f"}`, "annotation 8e0f", false},
		{"FINALIZE", `{"final_score": 14, "retries": 1}`, "score 14 (try 1)", false},
		{"FINALIZE", `{"final_score": 14.0}`, "score 14", false},
		{"FINALIZE", `{"final_score": 12.75, "success": true}`, "score 12.75", false},
		{"FINALIZE", `{"detail": "cannot open broken document", "retries": 2, "success": false}`, "failed (try 2): cannot open broken document", true},
		{"FINALIZE", `{"error": "no space left", "success": false}`, "failed: no space left", true},
		{"FINALIZE", `{"success": false}`, "failed", true},
		{"EXPORT", `{"format": "pdf", "count": 3, "student_name": "Zoé", "nested": {"a": 1}}`, "count 3, format pdf", false},
		// Hostile metadata: any JSON, or none.
		{"FINALIZE", `[1, 2]`, "", false},
		{"FINALIZE", `"success"`, "", false},
		{"FINALIZE", `null`, "", false},
		{"FINALIZE", ``, "", false},
		{"FINALIZE", `{"success": "false", "detail": {"deep": ["x"]}, "retries": null}`, "failed", true},
		{"CREATE_ANN", `{"page": {"a": 1}}`, "", false},
		{"UPDATE_ANN", `{"changes": ["x"]}`, "", false},
		{"IMPORT", `{"filename": "a\u001b[31m\u202eb\n"}`, `a\x1b[31m\u202eb\n`, false},
	}
	for _, tt := range tests {
		words, failed := detail(tt.action, tt.metadata)
		if words != tt.want || failed != tt.failed {
			t.Errorf("%s %s: %q %v, want %q %v", tt.action, tt.metadata, words, failed, tt.want, tt.failed)
		}
	}
	if words, _ := detail("IMPORT", `{"filename": "`+strings.Repeat("é", 5000)+`"}`); len([]rune(words)) != maxDetail {
		t.Errorf("%d characters, want %d", len([]rune(words)), maxDetail)
	}
}

// shown is what a test looks at in an event.
func shown(events []Event) (out []string) {
	for _, e := range events {
		if e.Gap != "" {
			out = append(out, "GAP "+e.Copy.Anon+" "+e.Gap)
			continue
		}
		out = append(out, strings.TrimSpace(e.Action+" "+e.Copy.Anon+" "+e.Actor.Name+" "+e.Detail))
	}
	return out
}

func TestTimeline(t *testing.T) {
	both(t, func(t *testing.T, dialect lab.Dialect) {
		db := labtest.Postgres(t, dialect)
		now := db.Now()
		u := db.AddUser("jmartin")
		a := db.AddCopy(lab.CopyRow{Anon: "A3F2-0019", Status: "LOCKED"})
		db.AddLock(lab.LockRow{Copy: a, Owner: u})
		for i, e := range []lab.EventRow{
			{Action: "LOCK", Meta: map[string]any{"token_prefix": "1f0c9a2e"}},
			{Action: "CREATE_ANN", Meta: map[string]any{"page": 3}},
			{Action: "FINALIZE", Meta: map[string]any{"success": false, "detail": "broken", "retries": 2}},
		} {
			e.Copy, e.Actor, e.At = a, u, now.Add(time.Duration(i-90)*time.Minute)
			db.AddEvent(e)
		}
		db.AddEvent(lab.EventRow{Copy: a, Action: "CREATE_ANN", Actor: u, Meta: map[string]any{"page": 4}})
		o := sample(t, probe(t, db.ReaderDSN(), Options{}))
		equal(t, "timeline", []string{
			"CREATE_ANN A3F2-0019 jmartin page 4",
			"FINALIZE A3F2-0019 jmartin failed (try 2): broken",
			"CREATE_ANN A3F2-0019 jmartin page 3",
			"LOCK A3F2-0019 jmartin token 1f0c9a2e",
		}, shown(o.Events.Value.Rows))
		equal(t, "counts", Events{LastHour: 1}, o.Events.Value, cmpopts.IgnoreFields(Events{}, "Finalized", "Rows", "ByAction", "Eventless", "EventlessAt"))
		if !o.Events.Value.Rows[1].Failed || o.Events.Value.Rows[0].Failed {
			t.Error("the failed finalization is not marked, or another event is")
		}
	})
}

func TestGaps(t *testing.T) {
	t0 := time.Date(2026, 2, 1, 12, 0, 0, 0, time.UTC)
	at := func(m int) time.Time { return t0.Add(time.Duration(m) * time.Minute) }
	past := func(actions ...string) (steps []step) {
		for i, a := range actions {
			if a != "" {
				steps = append(steps, step{a, at(i), at(i)})
			}
		}
		return steps
	}
	full := past("IMPORT", "VALIDATE", "LOCK", "CREATE_ANN", "FINALIZE")
	tests := []struct {
		name  string
		h     history
		locks Tri
		want  []string
	}{
		{"complete", history{copy: CopyRef{Anon: "IMPORT-1"}, status: "GRADED", validated: at(1), steps: full}, TriYes, nil},
		{"no VALIDATE and no LOCK", history{copy: CopyRef{Anon: "IMPORT-1"}, status: "GRADED", validated: at(3), steps: past("IMPORT", "", "", "", "FINALIZE")}, TriYes,
			[]string{"IMPORT → FINALIZE: no VALIDATE, no LOCK"}},
		{"no IMPORT of a single import", history{copy: CopyRef{Anon: "IMPORT-1"}, status: "LOCKED", steps: past("", "LOCK")}, TriYes, []string{"LOCK: no IMPORT"}},
		{"no FINALIZE of a graded copy", history{status: "GRADED", graded: at(9), steps: past("LOCK", "CREATE_ANN")}, TriYes, []string{"CREATE_ANN → GRADED: no FINALIZE"}},
		{"no LOCK before an annotation", history{status: "READY", steps: past("IMPORT", "CREATE_ANN", "UPDATE_ANN")}, TriYes, []string{"IMPORT → CREATE_ANN: no LOCK"}},
		// No false alarms.
		{"an exam upload writes no IMPORT", history{copy: CopyRef{Anon: "8F2A11C0"}, status: "LOCKED", steps: past("LOCK")}, TriYes, nil},
		{"never validated", history{status: "READY", steps: past("IMPORT")}, TriYes, nil},
		{"locks are not in use", history{status: "GRADED", steps: past("CREATE_ANN", "FINALIZE")}, TriNo, nil},
		{"whether locks are in use is not known", history{status: "GRADED", steps: past("CREATE_ANN", "FINALIZE")}, TriUnknown, nil},
		{"an expired lock ends without UNLOCK", history{status: "READY", steps: past("LOCK", "CREATE_ANN")}, TriYes, nil},
		{"the row of a failed FINALIZE was used again", history{status: "GRADED", steps: past("LOCK", "FINALIZE")}, TriYes, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, g := range tt.h.gaps(tt.locks) {
				got = append(got, g.Gap)
				if g.At.IsZero() || g.ID == "" {
					t.Errorf("a gap without time or id: %+v", g)
				}
			}
			equal(t, "gaps", tt.want, got)
		})
	}
}

// A gap stands right below the event that it was found at.
func TestGapsInTheTimeline(t *testing.T) {
	db := labtest.Postgres(t, lab.Deployed)
	now := db.Now()
	u := db.AddUser("u")
	add := func(anon, status string, minutes int, actions ...string) {
		id := db.AddCopy(lab.CopyRow{Anon: anon, Status: status, Graded: now, FinalPDF: "x", Validated: now.Add(time.Duration(1-minutes)*time.Minute - time.Second)})
		for i, a := range actions {
			db.AddEvent(lab.EventRow{Copy: id, Action: a, Actor: u, At: now.Add(time.Duration(i-minutes) * time.Minute)})
		}
	}
	add("IMPORT-B771", "GRADED", 30, "IMPORT", "FINALIZE")
	add("IMPORT-A001", "GRADED", 20, "IMPORT", "VALIDATE", "LOCK", "FINALIZE")
	e := sample(t, probe(t, db.ReaderDSN(), Options{Locks: LocksOn})).Events.Value
	equal(t, "timeline", []string{
		"FINALIZE IMPORT-A001 u", "LOCK IMPORT-A001 u", "VALIDATE IMPORT-A001 u", "IMPORT IMPORT-A001 u",
		"FINALIZE IMPORT-B771 u", "GAP IMPORT-B771 IMPORT → FINALIZE: no VALIDATE, no LOCK", "IMPORT IMPORT-B771 u",
	}, shown(e.Rows))
	equal(t, "gaps", 1, e.Gaps)
}

// Pages follow each other without a hole or a double, also where many events
// have the same time.
func TestOlder(t *testing.T) {
	db := labtest.Postgres(t, lab.Deployed)
	id := db.AddCopy(lab.CopyRow{Anon: "IMPORT-1", Status: "GRADED", FinalPDF: "x"})
	u := db.AddUser("u")
	db.Exec(`insert into grading_gradingevent (id, action, timestamp, metadata, copy_id, actor_id)
		select gen_random_uuid(), 'CREATE_ANN', now() - (i / 7) * interval '1 minute', jsonb_build_object('page', i), $1, $2 from generate_series(1, 50) i`, id, u)
	p := probe(t, db.ReaderDSN(), Options{Limit: 12, Locks: LocksOn})
	first := sample(t, p).Events.Value
	if !first.More || len(first.Rows) != 12+first.Gaps {
		t.Fatalf("%d rows, more %v", len(first.Rows), first.More)
	}
	all, page := first.Rows, first.Rows
	for len(page) > 0 {
		last := page[len(page)-1]
		var err error
		if page, err = p.Older(labtest.Context(t), Cursor{last.At, last.ID}, 12); err != nil {
			t.Fatal(err)
		}
		all = append(all, page...)
	}
	pages, gaps := map[string]bool{}, 0
	for i, e := range all {
		if i > 0 && e.At.After(all[i-1].At) {
			t.Errorf("row %d is newer than the one above it", i)
		}
		if e.Gap != "" {
			gaps++
			continue
		}
		if pages[e.Detail] {
			t.Errorf("%s comes twice", e.Detail)
		}
		pages[e.Detail] = true
	}
	equal(t, "events", 50, len(pages))
	if gaps != 2 {
		t.Errorf("%d gaps, want the missing IMPORT with LOCK, and FINALIZE: %v", gaps, shown(all))
	}
}

// The window is the newest events, whatever part of the table was read.
func TestTail(t *testing.T) {
	now := time.Date(2026, 2, 1, 12, 0, 0, 0, time.UTC)
	events := func(minutes ...int) (out []Event) {
		for _, m := range minutes {
			out = append(out, Event{ID: fmt.Sprintf("e%03d", m), At: now.Add(-time.Duration(m) * time.Minute)})
		}
		return out
	}
	ids := func(e Events) (out []string) {
		for _, one := range e.Rows {
			out = append(out, one.ID)
		}
		return out
	}
	var tl tail
	next := func(after time.Duration) [2]int64 {
		a, b := tl.next(now.Add(after))
		return [2]int64{a, b}
	}
	equal(t, "the first read", [2]int64{allBlocks, allBlocks}, next(0))
	e := tl.merge(events(5, 6, 7), eventTotals{rows: 9, lastHour: 8, whole: true}, true, 3, now, now)
	equal(t, "whole", []string{"e005", "e006", "e007"}, ids(e))
	equal(t, "next", [2]int64{minBlocks, minBlocks}, next(time.Second))

	e = tl.merge(events(1, 5, 6), eventTotals{rows: 300, lastHour: 9, oldest: now.Add(-2 * time.Hour)}, false, 3, now, now)
	equal(t, "a new one", []string{"e001", "e005", "e006"}, ids(e))
	equal(t, "counts", Events{LastHour: 9, More: true}, e, cmpopts.IgnoreFields(Events{}, "Finalized", "Rows", "ByAction"))

	e = tl.merge(events(1, 5, 6), eventTotals{rows: 9000, lastHour: 9000, oldest: now.Add(-time.Minute)}, false, 3, now, now)
	equal(t, "the last hour does not fit", [2]int64{minBlocks, 720}, next(time.Second))
	equal(t, "the count is a lower bound", 9000, e.LastHour)
	tl.merge(events(1, 5, 6), eventTotals{rows: 60000, lastHour: 3, oldest: now.Add(-time.Hour * 24)}, false, 3, now, now)
	equal(t, "it fits easily", [2]int64{minBlocks, minBlocks}, next(time.Second))
	equal(t, "time for the whole", [2]int64{allBlocks, allBlocks}, next(wholeEvery))

	e = tl.merge(events(1, 6, 9), eventTotals{rows: 300, lastHour: 2, oldest: now.Add(-2 * time.Hour)}, false, 3, now, now)
	equal(t, "scattered: what is known stays", []string{"e001", "e005", "e006"}, ids(e))
	equal(t, "scattered: the count of the whole read", 8, e.LastHour)
	equal(t, "scattered: whole more often", [2]int64{allBlocks, allBlocks}, next(scatteredEvery))
	tl.merge(events(1, 6, 9), eventTotals{rows: 3, lastHour: 3, whole: true}, true, 3, now, now)
	equal(t, "a deleted event goes with the whole read", []string{"e001", "e006", "e009"}, ids(Events{Rows: tl.window}))
	equal(t, "in order again", [2]int64{minBlocks, minBlocks}, next(scatteredEvery))
}

// A big table is read from its end after the first sample, and gives the same.
func TestTailOfABigTable(t *testing.T) {
	db := labtest.Postgres(t, lab.Deployed)
	id, u := db.AddCopy(lab.CopyRow{}), db.AddUser("u")
	db.Exec(`insert into grading_gradingevent (id, action, timestamp, metadata, copy_id, actor_id)
		select gen_random_uuid(), 'CREATE_ANN', now() - (60000 - i) * interval '1 second', '{"page": 1}', $1, $2 from generate_series(1, 60000) i order by i`, id, u)
	p := probe(t, db.ReaderDSN(), Options{})
	whole := sample(t, p).Events.Value
	db.AddEvent(lab.EventRow{Copy: id, Action: "LOCK", Actor: u})
	end := sample(t, p).Events.Value
	if newest, _ := p.tail.next(time.Now()); p.tail.scattered || newest != minBlocks || !end.More {
		t.Errorf("the end of the table was not read alone: scattered %v, %d blocks", p.tail.scattered, newest)
	}
	equal(t, "newest", "LOCK", end.Rows[0].Action)
	equal(t, "the others", shown(whole.Rows[:199]), shown(end.Rows[1:]))
	equal(t, "last hour", true, end.LastHour > 3500 && end.LastHour <= whole.LastHour+1)
}
