package sample

import (
	"time"

	"gradecockpit/probes/grading"
)

// Grading has locks of each kind, a stuck copy for each of four causes, and
// events with a gap.
func Grading() grading.Overview {
	return grading.Overview{
		ServerTime: Server, Skew: 3 * time.Second, LocksInUse: grading.TriYes,
		Locks:  grading.Part[grading.Locks]{Value: someLocks()},
		Stuck:  grading.Part[grading.Stucks]{Value: someStuck()},
		Events: grading.Part[grading.Events]{Value: someEvents()},
	}
}

func someLocks() grading.Locks {
	l := grading.Locks{Total: 14, Expired: 7}
	for i := range 12 {
		lock := grading.Lock{
			LockID: string(rune('a' + i)), Copy: Ref("A3F2-00" + string(rune('1'+i/10)) + string(rune('0'+i%10))),
			Owner: User([]string{"mdupont", "jmartin", "élise.lefèvre"}[i%3]), Since: Ago(62*time.Minute - time.Duration(i)*4*time.Minute),
			Expires: Ago(52*time.Minute - time.Duration(i)*9*time.Minute), TokenPrefix: "1f0c9a2e", CopyStatus: "LOCKED", DraftVersion: i - 1,
		}
		lock.Expired = lock.Expires.Before(Server)
		if i == 9 {
			lock.Abandoned, lock.LastBeat = true, Ago(4*time.Minute)
		}
		l.Rows = append(l.Rows, lock)
	}
	l.Rows[7].Owner, l.Rows[7].CopyStatus, l.Rows[7].TokenPrefix = grading.User{ID: 12}, "", ""
	return l
}

func someStuck() grading.Stucks {
	return grading.Stucks{Total: 4, Rows: []grading.Stuck{
		{Copy: Ref("A3F2-0007"), Status: "LOCKED", Cause: grading.CauseFailed, Why: "finalize failed 2 of 3 times.", Since: Ago(41 * time.Minute), SinceFrom: "lock", Pages: 12, Holder: User("mdupont")},
		{Copy: grading.CopyRef{ID: UUIDB, Anon: "B771-0003"}, Status: "GRADING_IN_PROGRESS", Cause: grading.CauseInProgress, Why: "worker gone", Since: Ago(22 * time.Minute), SinceFrom: "FINALIZE event", Pages: 8},
		{Copy: grading.CopyRef{ID: UUIDA, Anon: "A3F2-0042"}, Status: "STAGING", Cause: grading.CauseImport, Why: "no page yet", Since: Ago(14 * time.Minute), SinceFrom: "first seen", Guess: true, Pages: 0},
		{Copy: grading.CopyRef{ID: "77"}, Status: "GRADED", Cause: grading.CauseNoPDF, Why: "graded without a final PDF", Pages: -1},
	}}
}

func someEvents() grading.Events {
	e := grading.Events{LastHour: 214, More: true, Gaps: 1}
	add := func(id string, d time.Duration, action, anon, who, detail string, failed bool, gap string) {
		e.Rows = append(e.Rows, grading.Event{ID: id, At: Ago(d), Action: action, Copy: Ref(anon), Actor: User(who), Detail: detail, Failed: failed, Gap: gap})
	}
	add("90", 4*time.Second, "FINALIZE", "A3F2-0007", "mdupont", "failed (retry 2): cannot open broken document", true, "")
	add("89", 43*time.Second, "CREATE_ANN", "A3F2-0019", "jmartin", "page 3", false, "")
	add("88", 93*time.Second, "FINALIZE", "B771-0001", "", "", false, "IMPORT → FINALIZE: no VALIDATE, no LOCK")
	add("88", 93*time.Second, "FINALIZE", "B771-0001", "jmartin", "14.5 points", false, "")
	add("87", 20*time.Minute, "UNLOCK", "B771-0002", "mdupont", "forced: corrector left", false, "")
	add("86", 30*time.Hour, "IMPORT", "IMPORT-8c3b1f", "admin", "12 pages", false, "")
	return e
}
