package grading

import (
	"fmt"
	"slices"
)

// notes says what a responder must know before acting on a copy.
func (d *facts) notes(locks Tri) []string {
	var notes []string
	add := func(when bool, format string, args ...any) {
		if when {
			notes = append(notes, fmt.Sprintf(format, args...))
		}
	}
	for _, f := range d.finalizers {
		add(f.count > 1, "%d FINALIZE events by %s: every later finalization by them fails.", f.count, name(f.user))
		add(f.count == 1 && d.Status == "LOCKED", "There is already a FINALIZE event by %s: another success by them will not be recorded.", name(f.user))
	}
	locked, graded := d.Status == "LOCKED", d.Status == "GRADED"
	var lock Lock // the arguments below are looked at even where they are not used
	if d.Lock != nil {
		lock = *d.Lock
	}
	add(locked && locks == TriNo, "LOCKED where locks are not in use: nothing in the application frees it.")
	add(locked && locks != TriNo && d.Lock == nil && d.LockedBy.ID != 0,
		"LOCKED without a lock row: a finalization by %s would succeed, also in the middle of their work.", name(d.LockedBy))
	add(locked && lock.Expired, "The lock has expired: finalizing fails until it is cleared.")
	add(locked && d.Lock != nil && d.LockedBy.ID != 0 && lock.Owner.ID != d.LockedBy.ID, "The lock is held by %s, the copy is marked as locked by %s.", name(lock.Owner), name(d.LockedBy))
	add(graded && d.Lock != nil, "GRADED with a lock row: the next look at the lock makes it LOCKED again, and students lose access.")
	add(d.Pages == 0 && d.Status == "STAGING", "No page: the import did not finish.")
	add(d.Pages == 0 && d.Status != "STAGING", "No page: a finalization fails the same way every time.")
	add(graded && d.FinalPDF == "" && d.Pages >= 0, "GRADED without a final PDF.")
	add(d.Status == "GRADING_IN_PROGRESS", "GRADING_IN_PROGRESS: every finalization is refused until the status is changed.")
	add(len(d.score.rows) > 1, "Several score rows: the application takes any one of them.")
	if d.finalScore != nil {
		add(true, "Final score on record: %s.", number(*d.finalScore))
	}
	add(len(d.events) == maxDossierEvents, "Only the newest %d events are shown.", maxDossierEvents)
	return notes
}

func name(u User) string {
	if u.Name != "" {
		return u.Name
	}
	return fmt.Sprintf("user %d", u.ID)
}

// absences lists, once each, the reasons why parts of a dossier are not here:
// what our role may not read, and the tables that are not there.
func absences(s *Schema) []string {
	var out []string
	for _, needs := range [][]Field{
		{CopyStatus}, {ExamID, ExamName}, {LinkCopy, LinkBooklet, BookletPages}, {CopyFinalPDF}, {LockCopy, LockExpires},
		{EventID, EventCopy, EventAction, EventAt}, {EventMeta}, {AnnCopy, AnnPage, AnnPoints}, {UserID, UserName}, {CopyError},
	} {
		if why, _ := s.Why(needs...); why != "" && !slices.Contains(out, why) {
			out = append(out, why)
		}
	}
	for f, fix := range s.Fixes {
		if why := s.Absent[f]; fix != "" && !slices.Contains(out, why) {
			out = append(out, why)
		}
	}
	slices.Sort(out)
	return out
}
