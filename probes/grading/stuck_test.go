package grading

import (
	"testing"
	"time"

	"gradecockpit/probes/lab"
	"gradecockpit/probes/lab/labtest"
)

// verdict is what a test looks at in a stuck copy.
type verdict struct {
	Cause Cause
	Why   string
	From  string
	Guess bool
	Age   string
}

// stuck gives the verdicts of a sample by anonymous id.
func stuck(o Overview) map[string]verdict {
	out := map[string]verdict{}
	for _, s := range o.Stuck.Value.Rows {
		out[s.Copy.Anon] = verdict{s.Cause, s.Why, s.SinceFrom, s.Guess, span(o.ServerTime.Sub(s.Since))}
	}
	return out
}

func TestStuckCopies(t *testing.T) {
	db := labtest.Postgres(t, lab.Deployed)
	now := db.Now()
	at := func(minutes int) time.Time { return now.Add(-time.Duration(minutes)*time.Minute - time.Second) }
	u := db.AddUser("jmartin")
	failed := map[string]any{"success": false, "detail": "cannot open broken document", "retries": 2}
	add := func(c lab.CopyRow) string { return db.AddCopy(c) }
	event := func(id, action string, minutes int, meta map[string]any) {
		db.AddEvent(lab.EventRow{Copy: id, Action: action, Actor: u, At: at(minutes), Meta: meta})
	}
	lock := func(id string, since, expires int) {
		db.AddLock(lab.LockRow{Copy: id, Owner: u, Since: at(since), Expires: at(expires)})
	}
	event(add(lab.CopyRow{Anon: "import", Status: "STAGING", Pages: 0}), "IMPORT", 14, nil)
	event(add(lab.CopyRow{Anon: "import, no booklet", Status: "STAGING", Pages: -1}), "IMPORT", 15, nil)
	event(add(lab.CopyRow{Anon: "import, young", Status: "STAGING", Pages: -1}), "IMPORT", 7, nil)
	event(add(lab.CopyRow{Anon: "staging with pages", Status: "STAGING", Pages: 4}), "IMPORT", 600, nil)
	event(add(lab.CopyRow{Anon: "failed", Status: "GRADING_FAILED", Pages: 4}), "FINALIZE", 41, failed)
	add(lab.CopyRow{Anon: "failed, no event", Status: "GRADING_FAILED", Error: "disk full\x1b[31m"})
	event(add(lab.CopyRow{Anon: "in progress", Status: "GRADING_IN_PROGRESS"}), "CREATE_ANN", 22, nil)
	event(add(lab.CopyRow{Anon: "in progress, young", Status: "GRADING_IN_PROGRESS"}), "CREATE_ANN", 4, nil)
	add(lab.CopyRow{Anon: "no lock", Status: "LOCKED", LockedBy: u, LockedAt: at(12)})
	add(lab.CopyRow{Anon: "no lock, young", Status: "LOCKED", LockedBy: u, LockedAt: at(7)})
	lock(add(lab.CopyRow{Anon: "expired", Status: "LOCKED", LockedBy: u, LockedAt: at(62)}), 62, 52)
	lock(add(lab.CopyRow{Anon: "expired just now", Status: "LOCKED", LockedBy: u, LockedAt: at(62)}), 62, 7)
	live := add(lab.CopyRow{Anon: "live", Status: "LOCKED", LockedBy: u, LockedAt: at(62)})
	lock(live, 62, -5)
	afterFailure := add(lab.CopyRow{Anon: "failed, then locked again", Status: "LOCKED", LockedBy: u})
	event(afterFailure, "FINALIZE", 50, failed)
	event(afterFailure, "LOCK", 40, nil)
	lock(afterFailure, 40, -5)
	lockedFailed := add(lab.CopyRow{Anon: "failed while locked", Status: "LOCKED", LockedBy: u})
	event(lockedFailed, "LOCK", 50, nil)
	event(lockedFailed, "FINALIZE", 40, map[string]any{"success": false, "error": "no space left"})
	lock(lockedFailed, 50, -5)
	add(lab.CopyRow{Anon: "no pdf", Status: "GRADED", Graded: at(30)})
	add(lab.CopyRow{Anon: "fine", Status: "GRADED", Graded: at(30), FinalPDF: "copies/final/x.pdf"})
	add(lab.CopyRow{Anon: "ready", Status: "READY"})

	db.Exec("update exams_exam set created_at = now() - interval '2 days'") // the exam's age is no copy's

	o := sample(t, probe(t, db.ReaderDSN(), Options{}))
	want := map[string]verdict{
		"import":              {CauseImport, "no page yet", "IMPORT event", false, "14m"},
		"import, no booklet":  {CauseImport, "no page yet", "IMPORT event", false, "15m"},
		"failed":              {CauseFailed, "finalize failed (try 2): cannot open broken document", "FINALIZE event", false, "41m"},
		"failed, no event":    {CauseFailed, `finalize failed: disk full\x1b[31m`, "first seen", true, "0s"},
		"in progress":         {CauseInProgress, "still grading, past the task limit", "last event", true, "22m"},
		"no lock":             {CauseNoLock, "LOCKED without a lock: nobody is working on it", "lock", false, "12m"},
		"expired":             {CauseExpired, "lock expired 52m ago: finalize fails until it is cleared", "lock", false, "1h02m"},
		"failed while locked": {CauseFailed, "finalize failed: no space left", "FINALIZE event", false, "40m"},
		"no pdf":              {CauseNoPDF, "GRADED without a final PDF", "graded", false, "30m"},
	}
	equal(t, "stuck", want, stuck(o))
	equal(t, "total", len(want), o.Stuck.Value.Total)
	byCause := map[Cause]int{}
	for _, v := range want {
		byCause[v.Cause]++
	}
	equal(t, "by cause", byCause, o.Stuck.Value.ByCause)
	first := o.Stuck.Value.Rows[0]
	equal(t, "longest first, with its holder", "expired jmartin", first.Copy.Anon+" "+first.Holder.Name)
	pages := map[string]int{}
	for _, s := range o.Stuck.Value.Rows {
		pages[s.Copy.Anon] = s.Pages
	}
	equal(t, "pages", []int{0, 0, 4}, []int{pages["import"], pages["import, no booklet"], pages["failed"]})

	t.Run("the limit cuts rows, not the total", func(t *testing.T) {
		s := sample(t, probe(t, db.ReaderDSN(), Options{Limit: 3})).Stuck.Value
		equal(t, "total", len(want), s.Total)
		equal(t, "by cause", byCause, s.ByCause)
		var longest []string
		for _, r := range s.Rows {
			longest = append(longest, r.Copy.Anon)
		}
		equal(t, "the longest", []string{"expired", "failed", "failed while locked"}, longest)
	})
	t.Run("thresholds", func(t *testing.T) {
		patient := Thresholds{Import: time.Hour, InProgress: time.Hour, Locked: 2 * time.Hour, LockTTL: 10 * time.Minute}
		got := stuck(sample(t, probe(t, db.ReaderDSN(), Options{Thresholds: patient})))
		for _, gone := range []string{"import", "import, no booklet", "in progress", "no lock", "expired"} {
			if v, ok := got[gone]; ok {
				t.Errorf("%s is stuck before its time: %+v", gone, v)
			}
		}
		equal(t, "the others", 4, len(got))
	})
	t.Run("locks off", func(t *testing.T) {
		got := stuck(sample(t, probe(t, db.ReaderDSN(), Options{Locks: LocksOff})))
		for _, anon := range []string{"no lock", "expired", "live", "failed while locked"} {
			equal(t, anon, CauseDeadEnd, got[anon].Cause)
		}
	})
	t.Run("no rights on the lock table", func(t *testing.T) {
		dsn := db.RoleDSN("SELECT ON exams_copy, grading_gradingevent, exams_booklet, exams_copy_booklets, exams_exam")
		got := stuck(sample(t, probe(t, dsn, Options{})))
		for _, anon := range []string{"no lock", "expired", "live"} {
			if v, ok := got[anon]; ok {
				t.Errorf("%s judged without the lock table: %+v", anon, v)
			}
		}
		equal(t, "failed while locked", CauseFailed, got["failed while locked"].Cause)
	})
}

func TestStuckInThePlaybooksTables(t *testing.T) {
	db := labtest.Postgres(t, lab.Playbook)
	now := db.Now()
	u := db.AddUser("jmartin")
	db.AddCopy(lab.CopyRow{Anon: "import", Status: "STAGING", Pages: -1, Created: now.Add(-14*time.Minute - time.Second)})
	db.AddCopy(lab.CopyRow{Anon: "young", Status: "STAGING", Pages: -1})
	db.AddCopy(lab.CopyRow{Anon: "no pdf", Status: "GRADED"})
	expired := db.AddCopy(lab.CopyRow{Anon: "expired", Status: "LOCKED"})
	db.AddLock(lab.LockRow{Copy: expired, Owner: u, Since: now.Add(-time.Hour - time.Second), Expires: now.Add(-50 * time.Minute)})
	equal(t, "stuck", map[string]verdict{
		"import":  {CauseImport, "no page yet", "created", false, "14m"},
		"no pdf":  {CauseNoPDF, "GRADED without a final PDF", "first seen", true, "0s"},
		"expired": {CauseExpired, "lock expired 50m ago: finalize fails until it is cleared", "lock", false, "1h00m"},
	}, stuck(sample(t, probe(t, db.ReaderDSN(), Options{}))))
}

// Locks that nobody uses any more make dead ends of the LOCKED copies.
func TestDeadEndsByEvidence(t *testing.T) {
	db := labtest.Postgres(t, lab.Deployed)
	u := db.AddUser("u")
	db.AddCopy(lab.CopyRow{Anon: "left behind", Status: "LOCKED", LockedAt: ago(db, 48*time.Hour)})
	for range 3 {
		db.AddEvent(lab.EventRow{Copy: db.AddCopy(lab.CopyRow{}), Action: "FINALIZE", Actor: u, At: ago(db, time.Hour)})
	}
	o := sample(t, probe(t, db.ReaderDSN(), Options{}))
	equal(t, "in use", TriNo, o.LocksInUse)
	equal(t, "cause", CauseDeadEnd, stuck(o)["left behind"].Cause)
	equal(t, "by cause", map[Cause]int{CauseDeadEnd: 1}, o.Stuck.Value.ByCause)
	contains(t, stuck(o)["left behind"].Why, "locks are not in use")
}

// Copies without any timestamp: what was there at the start is shown at once,
// what came later only after its time.
func TestSightings(t *testing.T) {
	start := time.Date(2026, 2, 1, 12, 0, 0, 0, time.UTC)
	limits := DefaultThresholds()
	row := func(id string) Stuck { return Stuck{Copy: CopyRef{ID: id}, Cause: CauseImport} }
	var m sightings
	look := func(after time.Duration, ids ...string) (out []string) {
		s := Stucks{Total: len(ids), ByCause: map[Cause]int{CauseImport: len(ids)}}
		for _, id := range ids {
			s.Rows = append(s.Rows, row(id))
		}
		s = m.date(s, start.Add(after), limits)
		if s.Total != len(s.Rows) || s.ByCause[CauseImport] != s.Total {
			t.Errorf("total %d, by cause %v, with %d rows", s.Total, s.ByCause, len(s.Rows))
		}
		for _, r := range s.Rows {
			out = append(out, r.Copy.ID+" "+span(start.Add(after).Sub(r.Since))+" "+r.SinceFrom)
		}
		return out
	}
	equal(t, "at the start", []string{"a 0s first seen"}, look(0, "a"))
	equal(t, "a new one waits", []string{"a 1m first seen"}, look(time.Minute, "a", "b"))
	equal(t, "not yet", []string{"a 10m first seen"}, look(10*time.Minute, "a", "b"))
	equal(t, "now", []string{"a 12m first seen", "b 11m first seen"}, look(12*time.Minute, "a", "b"))
	equal(t, "gone", []string(nil), look(13*time.Minute))
	equal(t, "back: counted anew", []string(nil), look(14*time.Minute, "b"))
}
