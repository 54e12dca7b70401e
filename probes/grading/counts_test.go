package grading

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"gradecockpit/probes/lab"
	"gradecockpit/probes/lab/labtest"
)

// totals are the counts without their times.
func totals(e Events) map[string][2]int {
	out := map[string][2]int{}
	for _, c := range e.ByAction {
		out[c.Action] = [2]int{c.Total, c.LastHour}
	}
	return out
}

// What is counted is what SQL counts, with and without the lock table, and with
// the playbook's names too.
func TestEventsByAction(t *testing.T) {
	both(t, func(t *testing.T, dialect lab.Dialect) {
		for _, opts := range [][]labtest.Option{nil, {labtest.NoLocks}} {
			db := labtest.Postgres(t, dialect, opts...)
			u := db.AddUser("jmartin")
			graded, ready := db.AddCopy(lab.CopyRow{Status: "GRADED"}), db.AddCopy(lab.CopyRow{Status: "READY"})
			db.AddCopy(lab.CopyRow{Status: "READY"}) // without any event
			for _, e := range []lab.EventRow{
				{Copy: graded, Action: "FINALIZE", At: ago(db, time.Minute), Meta: map[string]any{"success": false, "detail": "broken"}},
				{Copy: graded, Action: "FINALIZE", At: ago(db, time.Second), Meta: map[string]any{"final_score": 12}},
				{Copy: graded, Action: "FINALIZE", At: ago(db, 2*time.Hour), Meta: map[string]any{"success": false}},
				{Copy: ready, Action: "VALIDATE", At: ago(db, 3*time.Hour)},
			} {
				e.Actor = u
				db.AddEvent(e)
			}
			p := probe(t, db.ReaderDSN(), Options{})
			e := sample(t, p).Events.Value
			equal(t, "by action", map[string][2]int{"FINALIZE": {3, 2}, "VALIDATE": {1, 0}}, totals(e))
			equal(t, "failed in the last hour", 1, e.Failed)
			equal(t, "graded in the last hour", true, len(e.Finalized) == 1 && !e.Finalized[graded].IsZero())
			equal(t, "newest", true, e.ByAction[0].Last.Equal(labtest.Get[time.Time](db, "select max(timestamp) from grading_gradingevent")))
			never, known := e.NeverRecorded()
			equal(t, "never recorded", []string{"IMPORT", "LOCK", "CREATE_ANN", "UPDATE_ANN", "DELETE_ANN", "UNLOCK", "EXPORT"}, never)
			equal(t, "known", true, known)
			equal(t, "without events", []StatusCount{{"READY", 1}}, e.Eventless)
			equal(t, "when", false, e.EventlessAt.IsZero())

			db.AddEvent(lab.EventRow{Copy: ready, Action: "VALIDATE", Actor: u})
			e = sample(t, p).Events.Value
			equal(t, "a new one", map[string][2]int{"FINALIZE": {3, 2}, "VALIDATE": {2, 1}}, totals(e))
			equal(t, "without events, as last counted", []StatusCount{{"READY", 1}}, e.Eventless)
		}
	})
}

// An empty table has been counted: nothing was ever recorded. One that may not
// be read is not known.
func TestNothingRecorded(t *testing.T) {
	db := labtest.Postgres(t, lab.Deployed)
	never, known := sample(t, probe(t, db.ReaderDSN(), Options{})).Events.Value.NeverRecorded()
	equal(t, "never", Actions(), never)
	equal(t, "known", true, known)
	_, known = sample(t, probe(t, db.RoleDSN("SELECT ON exams_copy"), Options{})).Events.Value.NeverRecorded()
	equal(t, "known without the right to read", false, known)
}

// Of a big table only the end is read: what is new there is added, and the next
// count of the whole puts right what was missed.
func TestCountsOfABigTable(t *testing.T) {
	db := labtest.Postgres(t, lab.Deployed)
	id, u := db.AddCopy(lab.CopyRow{}), db.AddUser("u")
	db.Exec(`insert into grading_gradingevent (id, action, timestamp, metadata, copy_id, actor_id)
		select gen_random_uuid(), 'CREATE_ANN', now() - (60000 - i) * interval '1 second', '{"page": 1}', $1, $2 from generate_series(1, 60000) i order by i`, id, u)
	p := probe(t, db.ReaderDSN(), Options{})
	equal(t, "at first", 60000, totals(sample(t, p).Events.Value)["CREATE_ANN"][0])

	db.AddEvent(lab.EventRow{Copy: id, Action: "LOCK", Actor: u})
	db.AddEvent(lab.EventRow{Copy: id, Action: "CREATE_ANN", Actor: u})
	db.AddEvent(lab.EventRow{Copy: id, Action: "IMPORT", Actor: u, At: ago(db, 48*time.Hour)}) // too old to be among the newest
	for range 2 {
		got := totals(sample(t, p).Events.Value)
		equal(t, "new ones count once", [3]int{60001, 1, 0}, [3]int{got["CREATE_ANN"][0], got["LOCK"][0], got["IMPORT"][0]})
	}
	db.Exec("delete from grading_gradingevent where ctid in (select ctid from grading_gradingevent where action = 'CREATE_ANN' limit 100)")
	p.tail.whole = time.Time{} // time for the whole
	got := totals(sample(t, p).Events.Value)
	equal(t, "the whole", [3]int{60001, 1, 1}, [3]int{got["CREATE_ANN"][0], got["LOCK"][0], got["IMPORT"][0]})
	db.AddEvent(lab.EventRow{Copy: id, Action: "CREATE_ANN", Actor: u})
	equal(t, "after deleted ones", 60002, totals(sample(t, p).Events.Value)["CREATE_ANN"][0])
}

func TestCountsUntilTheWholeIsKnown(t *testing.T) {
	var c counts
	c.add([]Event{{ID: "1", Action: "LOCK"}}, nil, eventTotals{rows: 9})
	if got := c.list(eventTotals{}); got != nil {
		t.Errorf("%v before the whole table was counted", got)
	}
	c.add(nil, nil, eventTotals{whole: true, byAction: []ActionCount{{Action: "LOCK", Total: 3}, {Action: "IMPORT", Total: 5}}})
	equal(t, "most first", []ActionCount{{Action: "IMPORT", Total: 5}, {Action: "LOCK", Total: 3}}, c.list(eventTotals{}), cmpopts.EquateEmpty())
}

func TestOldestLock(t *testing.T) {
	both(t, func(t *testing.T, dialect lab.Dialect) {
		db := labtest.Postgres(t, dialect)
		u, made := db.AddUser("u"), ago(db, time.Hour)
		for i := range 3 {
			db.AddLock(lab.LockRow{Copy: db.AddCopy(lab.CopyRow{Status: "LOCKED"}), Owner: u, Since: made.Add(time.Duration(i) * time.Minute)})
		}
		equal(t, "oldest", true, sample(t, probe(t, db.ReaderDSN(), Options{Limit: 1})).Locks.Value.Oldest.Equal(made.Truncate(time.Microsecond)))
	})
}

// TestFinalized tells of each copy that was graded in the last hour, and of none
// whose finalization failed.
func TestFinalized(t *testing.T) {
	want := map[string]time.Time{"a": time.Unix(1700000050, 0).UTC(), "b": time.Unix(1700000010, 0).UTC()}
	if diff := cmp.Diff(want, gradedAt([]string{"a@1700000050", "b@1700000010", "a@1700000001", "c@x", "d"})); diff != "" {
		t.Error(diff)
	}
}
