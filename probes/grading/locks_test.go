package grading

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp/cmpopts"

	"gradecockpit/probes/lab"
	"gradecockpit/probes/lab/labtest"
)

func TestLocks(t *testing.T) {
	both(t, func(t *testing.T, dialect lab.Dialect) {
		db := labtest.Postgres(t, dialect)
		now := db.Now()
		jmartin, mdupont := db.AddUser("jmartin"), db.AddUser("mdupont")
		live := db.AddCopy(lab.CopyRow{Anon: "A3F2-0019", Status: "LOCKED"})
		old := db.AddCopy(lab.CopyRow{Anon: "A3F2-0017", Status: "LOCKED"})
		db.AddLock(lab.LockRow{Copy: live, Owner: jmartin, Since: now.Add(-2 * time.Minute), Expires: now.Add(590 * time.Second), Token: "1f0c9a2e-0000-4000-8000-000000000000"})
		db.AddLock(lab.LockRow{Copy: old, Owner: mdupont, Since: now.Add(-62 * time.Minute), Expires: now.Add(-52 * time.Minute)})
		db.AddDraft(lab.DraftRow{Copy: live, Owner: jmartin, Version: 7})
		db.AddDraft(lab.DraftRow{Copy: old, Owner: jmartin, Version: 3}) // somebody else's

		o := sample(t, probe(t, db.ReaderDSN(), Options{}))
		equal(t, "in use", TriYes, o.LocksInUse)
		want := Locks{Total: 2, Expired: 1, Oldest: now.Add(-62 * time.Minute), Rows: []Lock{
			{Copy: CopyRef{old, "A3F2-0017"}, Owner: User{mdupont, "mdupont"}, Since: now.Add(-62 * time.Minute), Expires: now.Add(-52 * time.Minute),
				Expired: true, CopyStatus: "LOCKED", LastBeat: now.Add(-62 * time.Minute), Abandoned: true, DraftVersion: -1},
			{Copy: CopyRef{live, "A3F2-0019"}, Owner: User{jmartin, "jmartin"}, Since: now.Add(-2 * time.Minute), Expires: now.Add(590 * time.Second),
				TokenPrefix: "1f0c9a2e", CopyStatus: "LOCKED", LastBeat: now.Add(-10 * time.Second), DraftVersion: 7},
		}}
		got := o.Locks.Value
		if len(got.Rows) == 2 && (got.Rows[0].LockID == "" || len(got.Rows[0].TokenPrefix) != 8) {
			t.Errorf("lock id %q, token prefix %q", got.Rows[0].LockID, got.Rows[0].TokenPrefix)
		}
		if len(got.Rows) == 2 {
			got.Rows[0].TokenPrefix = ""
		}
		equal(t, "locks", want, got, cmpopts.IgnoreFields(Lock{}, "LockID"), cmpopts.EquateApproxTime(time.Microsecond))
	})
}

// The totals count what the limit cuts off; the oldest expiry comes first.
func TestLockLimit(t *testing.T) {
	db := labtest.Postgres(t, lab.Deployed)
	u := db.AddUser("u")
	for i := range 5 {
		db.AddLock(lab.LockRow{Copy: db.AddCopy(lab.CopyRow{}), Owner: u, Expires: ago(db, time.Duration(i-2)*time.Minute+time.Second)})
	}
	o := sample(t, probe(t, db.ReaderDSN(), Options{Limit: 2}))
	if l := o.Locks.Value; l.Total != 5 || l.Expired != 3 || len(l.Rows) != 2 || !l.Rows[0].Expired || l.Rows[1].Expires.Before(l.Rows[0].Expires) {
		t.Errorf("%+v", l)
	}
}

// Expiry that never comes, as an operator may have set by hand.
func TestInfiniteLock(t *testing.T) {
	db := labtest.Postgres(t, lab.Deployed)
	db.AddLock(lab.LockRow{Copy: db.AddCopy(lab.CopyRow{Status: "LOCKED"}), Owner: db.AddUser("u")})
	db.Exec("update grading_copylock set expires_at = 'infinity'")
	l := sample(t, probe(t, db.ReaderDSN(), Options{})).Locks.Value.Rows[0]
	if l.Expired || l.Abandoned || l.Expires.Year() != 9999 || !l.LastBeat.IsZero() {
		t.Errorf("%+v", l)
	}
}

func TestLastBeat(t *testing.T) {
	now := time.Date(2026, 2, 1, 12, 0, 0, 0, time.UTC)
	at := func(d time.Duration) time.Time { return now.Add(d) }
	const ttl = 10 * time.Minute
	for name, tt := range map[string]struct {
		lock Lock
		ttl  time.Duration
		want time.Time
	}{
		"renewed":                           {Lock{Since: at(-time.Hour), Expires: at(9 * time.Minute)}, ttl, at(-time.Minute)},
		"TTL unknown":                       {Lock{Since: at(-time.Hour), Expires: at(9 * time.Minute)}, 0, time.Time{}},
		"the application's TTL is longer":   {Lock{Since: at(-time.Hour), Expires: at(29 * time.Minute)}, ttl, time.Time{}},
		"the application's TTL is shorter":  {Lock{Since: at(-time.Minute), Expires: at(9 * time.Minute)}, 3 * ttl, time.Time{}},
		"since unknown":                     {Lock{Expires: at(9 * time.Minute)}, ttl, at(-time.Minute)},
		"never renewed, clocks a bit apart": {Lock{Since: at(-58 * time.Second), Expires: at(9 * time.Minute)}, ttl, at(-time.Minute)},
	} {
		if got := lastBeat(tt.lock, now, tt.ttl); !got.Equal(tt.want) {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
}

func TestLocksInUse(t *testing.T) {
	now := time.Date(2026, 2, 20, 12, 0, 0, 0, time.UTC)
	worked := func(lock time.Duration) history {
		h := history{steps: []step{{"FINALIZE", now.Add(-time.Hour), now.Add(-time.Hour)}}}
		if lock > 0 {
			h.steps = append(h.steps, step{"LOCK", now.Add(-lock), now.Add(-lock)})
		}
		return h
	}
	for name, tt := range map[string]struct {
		e    evidence
		mode LockMode
		want Tri
	}{
		"set on":                    {evidence{}, LocksOn, TriYes},
		"set off, whatever is seen": {evidence{table: true, recent: 3}, LocksOff, TriNo},
		"no table":                  {evidence{}, LocksAuto, TriNo},
		"recent lock rows":          {evidence{table: true, recent: 1}, LocksAuto, TriYes},
		"nothing at all":            {evidence{table: true}, LocksAuto, TriUnknown},
		"old rows prove nothing":    {evidence{table: true, held: 9}, LocksAuto, TriUnknown},
		"a recent LOCK event":       {evidence{table: true, copies: []history{worked(time.Hour), worked(0), worked(0), worked(0)}}, LocksAuto, TriYes},
		"work without any LOCK":     {evidence{table: true, copies: []history{worked(0), worked(0), worked(0)}}, LocksAuto, TriNo},
		"too little work to tell":   {evidence{table: true, copies: []history{worked(0), worked(0)}}, LocksAuto, TriUnknown},
		"locked days ago":           {evidence{table: true, copies: []history{worked(72 * time.Hour), worked(72 * time.Hour), worked(72 * time.Hour)}}, LocksAuto, TriUnknown},
	} {
		tt.e.now = now
		if got, why := tt.e.inUse(tt.mode); got != tt.want || why == "" {
			t.Errorf("%s: %v (%s), want %v", name, got, why, tt.want)
		}
	}
}

func TestNoLockTable(t *testing.T) {
	both(t, func(t *testing.T, dialect lab.Dialect) {
		db := labtest.Postgres(t, dialect, labtest.NoLocks)
		db.AddCopy(lab.CopyRow{Status: "LOCKED"})
		o := sample(t, probe(t, db.ReaderDSN(), Options{}))
		contains(t, o.Locks.Missing, "no table grading_copylock")
		equal(t, "in use", TriNo, o.LocksInUse)
		if !o.Stuck.Here() || !o.Events.Here() || !o.Status.Here() {
			t.Errorf("more is missing than the locks: %+v", o)
		}
	})
}
