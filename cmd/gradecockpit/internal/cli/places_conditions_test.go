package cli

import (
	"fmt"
	"time"

	"gradecockpit/probes/lab"
)

// conditions are what each place is for, by its step.
func conditions() map[string]condition {
	all := map[string]condition{}
	for _, some := range []map[string]condition{copyConditions(), lockConditions(), logConditions(), auditConditions(), traceConditions(), taskConditions(), requestConditions(), databaseConditions(), hostConditions()} {
		for step, c := range some {
			all[step] = c
		}
	}
	return all
}

// decoy is a copy of which nothing is to be said.
func decoy(s *site) string {
	return s.database().AddCopy(lab.CopyRow{Anon: "A3F2-0001", Status: "READY", Pages: 4})
}

func (s *site) user() int64 { return s.database().AddUser("mdupont") }

func (s *site) ago(d time.Duration) time.Time { return s.database().Now().Add(-d) }

// event adds an event of a copy.
func (s *site) event(id, action string, ago time.Duration, by int64, meta map[string]any) {
	s.database().AddEvent(lab.EventRow{Copy: id, Action: action, Actor: by, At: s.ago(ago), Meta: meta})
}

// held is a LOCKED copy with a lock that began and expires so long ago.
func (s *site) held(anon string, since, expired time.Duration) string {
	u := s.user()
	id := s.database().AddCopy(lab.CopyRow{Anon: anon, Status: "LOCKED", Pages: 4, LockedBy: u, LockedAt: s.ago(since)})
	s.database().AddLock(lab.LockRow{Copy: id, Owner: u, Since: s.ago(since), Expires: s.ago(expired), Token: "1f0c9a2e-0000-4000-8000-000000000000"})
	return id
}

// copyConditions are those of one copy.
func copyConditions() map[string]condition {
	imported := func(s *site) string {
		id := s.database().AddCopy(lab.CopyRow{Anon: "IMPORT-77", Status: "STAGING", Pages: 0})
		s.event(id, "IMPORT", 20*time.Minute, s.user(), map[string]any{"filename": "scan_77.pdf", "pages": 12})
		return id
	}
	failed := func(s *site) string {
		id := s.database().AddCopy(lab.CopyRow{Anon: "A3F2-0077", Status: "LOCKED", Pages: 4})
		s.event(id, "FINALIZE", 20*time.Minute, s.user(), map[string]any{"success": false, "detail": "cannot open broken document", "retries": 2})
		return id
	}
	return map[string]condition{
		"3.2/2": {tables: true, plant: imported, calm: decoy, finds: []string{"STAGING", "pages 0 in 1 booklet"}},
		"3.2/3": {tables: true, plant: imported, calm: decoy, finds: []string{"IMPORT", "scan_77.pdf, 12 pages"}},
		"4.2/1": {tables: true, plant: failed, finds: []string{"status LOCKED", "final PDF none yet", "score now"}},
		"4.2/2": {tables: true, plant: failed, calm: decoy, finds: []string{"FINALIZE", "try 2", "cannot open broken document"}},
		"7.2/1": {tables: true, plant: failed, calm: decoy, finds: []string{"FINALIZE", "mdupont"}},
		"A.2/4": {tables: true, plant: imported, calm: decoy, finds: []string{"IMPORT", "mdupont"}},
	}
}

// lockConditions are those of locks.
func lockConditions() map[string]condition {
	expired := func(s *site) string { return s.held("D417-0077", 62*time.Minute, 52*time.Minute) }
	locked := func(s *site) string {
		id := expired(s)
		s.event(id, "LOCK", 62*time.Minute, s.user2(), map[string]any{"token_prefix": "1f0c9a2e"})
		return id
	}
	live := func(s *site) string { return s.held("A3F2-0001", 3*time.Minute, -7*time.Minute) }
	return map[string]condition{
		"4.2/5": {tables: true, plant: expired, calm: decoy, finds: []string{"held by mdupont", "expires ✗ expired:", "52m ago"}},
		"5.2/1": {tables: true, plant: expired, calm: decoy, finds: []string{"D417-0077", "mdupont"}},
		"5.2/2": {tables: true, plant: expired, calm: decoy, finds: []string{"held by mdupont", "token 1f0c9a2e"}},
		"5.2/3": {tables: true, plant: locked, calm: decoy, finds: []string{"LOCK ", "jmartin"}},
		"5.2/5": {tables: true, plant: expired, calm: live, finds: []string{"D417-0077", "expired 52m ago"}},
		"A.2/3": {tables: true, plant: expired, calm: live, finds: []string{"D417-0077", "1h02m"}},
	}
}

func (s *site) user2() int64 { return s.database().AddUser("jmartin") }

// logConditions are those of the log files.
func logConditions() map[string]condition {
	quiet := func(s *site) string { s.log("django.log", "INFO", "grading", "calm", nil); return "" }
	line := func(file, level, logger, message string, extra map[string]any) func(*site) string {
		return func(s *site) string { quiet(s); s.log(file, level, logger, message, extra); return "" }
	}
	of := func(plant func(*site) string, finds ...string) condition {
		return condition{plant: plant, calm: quiet, finds: finds}
	}
	return map[string]condition{
		"3.2/1":  of(line("django.log.2", "ERROR", "grading", "Async import failed for scan_77.pdf: broken", nil), "scan_77.pdf"),
		"3.2/4b": of(line("django.log.1", "ERROR", "grading", "Task async_import_pdf raised: MemoryError", nil), "async_import_pdf", "MemoryError"),
		"3.2/5a": of(line("django.log", "ERROR", "processing", "PyMuPDF: cannot rasterize page 7", nil), "rasterize page 7"),
		"3.2/5b": of(line("django.log.3", "ERROR", "grading", "PermissionError: [Errno 13] '/app/media/x.pdf'", nil), "/app/media/x.pdf"),
		"4.2/3b": of(line("django.log", "ERROR", "grading.services", "PDF generation failed for copy (attempt 1): No pages found to flatten", nil), "No pages found"),
		"4.2/4b": of(line("django.log.10", "ERROR", "grading", "Async finalization failed for copy x (attempt 1/3): Only LOCKED", nil), "attempt 1/3"),
		"5.2/4a": of(line("django.log", "WARNING", "django.request", "Conflict: /api/grading/copies/77/lock/", map[string]any{"status_code": 409}), "/api/grading/copies/77/lock/"),
		"5.2/4b": of(line("django.log", "WARNING", "grading.services", "Unlock refused: token does not match", nil), "token does not match"),
		"6.2/2a": of(line("django.log", "WARNING", "metrics", "Slow request: GET /api/exams/ took 7.31s", map[string]any{"duration_ms": 7310.0, "path": "/api/exams/", "method": "GET"}), "/api/exams/", "7.3"),
		"6.2/2b": of(line("django.log", "ERROR", "django", "canceling statement due to statement timeout", nil), "statement timeout"),
		"7.2/2b": of(line("django.log.1", "ERROR", "grading", "get() returned more than one GradingEvent", nil), "more than one GradingEvent"),
		"7.2/4a": of(line("django.log", "ERROR", "grading", "IntegrityError: duplicate key value", nil), "duplicate key value"),
		"7.2/4b": of(line("django.log", "ERROR", "grading", "transaction was rolled back", nil), "rolled back"),
		"A.1/3":  of(line("audit.log", "ERROR", "audit", "the newest error", nil), "the newest error"),
		"A.1/4":  of(line("django.log", "CRITICAL", "grading", "one of a kind", nil), "CRITICAL"),
		"A.1/5":  of(line("django.log", "INFO", "grading", "hello", map[string]any{"request_id": "77777777-aaaa-4bbb-8ccc-dddddddddddd"}), "77777777-aaaa-4bbb-8ccc-dddddddddddd"),
	}
}

// auditConditions are those of the audit trail as a whole.
func auditConditions() map[string]condition {
	counted := func(s *site) string {
		u := s.user()
		for i := range 3 {
			id := s.database().AddCopy(lab.CopyRow{Anon: fmt.Sprintf("A3F2-%04d", i), Status: "READY", Pages: 4})
			s.event(id, "VALIDATE", time.Duration(i)*time.Minute, u, nil)
		}
		return ""
	}
	gap := func(s *site) string {
		id := s.database().AddCopy(lab.CopyRow{Anon: "IMPORT-77", Status: "READY", Pages: 4})
		s.event(id, "CREATE_ANN", time.Minute, s.user(), nil)
		return ""
	}
	alone := func(s *site) string {
		s.database().AddCopy(lab.CopyRow{Anon: "C09D-0077", Status: "GRADED", FinalPDF: "x.pdf", Pages: 4})
		return ""
	}
	return map[string]condition{
		"7.2/3a": {tables: true, plant: counted, calm: decoy, finds: []string{"VALIDATE 3 3"}},
		"7.2/3b": {tables: true, plant: counted, finds: []string{"UPDATE_ANN 0 0 ⚠ never recorded: does the code still write it?"}},
		"7.2/5":  {tables: true, plant: gap, calm: decoy, finds: []string{"no IMPORT"}},
		"A.2/1":  {tables: true, plant: alone, calm: decoy, finds: []string{"GRADED 1"}},
		"A.2/2":  {tables: true, plant: alone, calm: decoy, finds: []string{"copies in GRADED 1"}},
	}
}
