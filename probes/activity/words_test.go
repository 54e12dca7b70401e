package activity

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgconn"
)

func asPg(err error, to **pgconn.PgError) bool { return errors.As(err, to) }

const (
	copyA = "8c3b1f0a-52a1-4b7e-9c60-0f4d7f1f0a42"
	copyB = "1d0e3c55-9b7d-4a1c-8a8e-5b2f6f3c0007"
	exam  = "ef75fab0-0000-4000-8000-000000000001"
)

func TestCopiesInAQuery(t *testing.T) {
	for sql, want := range map[string][]string{
		`UPDATE "exams_copy" SET "status" = 'GRADING_IN_PROGRESS', "exam_id" = '` + exam + `'::uuid WHERE "exams_copy"."id" = '` + copyA + `'::uuid`: {copyA},
		`SELECT "grading_annotation"."id" FROM "grading_annotation" WHERE "grading_annotation"."copy_id" = '` + copyA + `'::uuid`:                    {copyA},
		`select * from exams_copy where id in ('` + copyA + `')`:                                                                                     {copyA},
		`SELECT id FROM exams_copy WHERE id = '8C3B1F0A-52A1-4B7E-9C60-0F4D7F1F0A42' FOR UPDATE`:                                                     {copyA},
		`SELECT 1 FROM x WHERE copy_id = '` + copyA + `' OR copy_id = '` + copyB + `' OR copy_id='` + copyA + `'`:                                    {copyA, copyB},
		`SELECT * FROM exams_exam WHERE id = '` + exam + `'`:                                                                                         nil,
		`SELECT * FROM exams_copy WHERE exam_id = '` + exam + `'`:                                                                                    nil,
		`SELECT * FROM exams_copy_booklets WHERE id = '` + exam + `'`:                                                                                nil,
		`SELECT status FROM exams_copy WHERE id = $1`:                                                                                                nil,
		``: nil,
	} {
		if diff := cmp.Diff(want, copiesIn(sql)); diff != "" {
			t.Errorf("%s: %s", sql, diff)
		}
	}
}

func TestFinalizes(t *testing.T) {
	now := time.Now()
	tx := Session{Kind: Application, State: IdleTx, Xact: now, Wrote: true}
	with := func(change func(*Session)) Session { s := tx; change(&s); return s }
	update := `UPDATE exams_copy SET status = 'GRADING_IN_PROGRESS' WHERE id = $1`
	for name, tt := range map[string]struct {
		s    Session
		text string
		want Sureness
	}{
		"the update":              {tx, update, Yes},
		"running it":              {with(func(s *Session) { s.State = Active }), update, Yes},
		"after the transaction":   {with(func(s *Session) { s.Xact = time.Time{}; s.State = Idle }), update, No},
		"aborted":                 {with(func(s *Session) { s.State = Aborted }), update, No},
		"a count of the status":   {tx, `SELECT count(*) FROM exams_copy WHERE status = 'GRADING_IN_PROGRESS'`, No},
		"reads a copy's pages":    {with(func(s *Session) { s.Copies = []string{copyA} }), "SELECT", Perhaps},
		"the same, wrote nothing": {with(func(s *Session) { s.Copies = []string{copyA}; s.Wrote = false }), "SELECT", No},
		"the same, in psql":       {with(func(s *Session) { s.Copies = []string{copyA}; s.Kind = Person }), "SELECT", No},
	} {
		if got := finalizes(tt.s, tt.text); got != tt.want {
			t.Errorf("%s: %d, want %d", name, got, tt.want)
		}
	}
}

func TestIDs(t *testing.T) {
	s := Session{PID: 4711, Start: time.UnixMicro(1764302400123456).UTC()}
	pid, start, err := ParseID(s.ID())
	if err != nil || pid != s.PID || !start.Equal(s.Start) {
		t.Errorf("%d %s %v", pid, start, err)
	}
	if pid, start, err = ParseID(" 4711 "); err != nil || pid != 4711 || !start.IsZero() {
		t.Errorf("%d %s %v", pid, start, err)
	}
	for _, bad := range []string{"", "0", "-1", "x", "4711/", "4711/x", "4711/1/2", "99999999999999999999"} {
		if _, _, err := ParseID(bad); err == nil {
			t.Errorf("%q is taken for a session", bad)
		}
	}
}

// Everything that pg_blocking_pids can say makes trees in which each session
// stands once.
func TestChains(t *testing.T) {
	s := func(pid int, by ...int) Session { return Session{PID: pid, BlockedBy: by} }
	for name, tt := range map[string]struct {
		sessions []Session
		want     []Link
	}{
		"nobody waits": {[]Session{s(1), s(2)}, nil},
		"a queue for a row: all behind the first, the second before the third": {
			[]Session{s(1), s(2, 1), s(3, 2), s(4, 2, 3)},
			[]Link{{PID: 1, Blocks: 3}, {PID: 2, Depth: 1, Blocks: 2}, {PID: 3, Depth: 2, Blocks: 1}, {PID: 4, Depth: 2, Also: []int{3}}},
		},
		"two roots of one": {
			[]Session{s(1), s(2), s(3, 1, 2), s(4, 2)},
			[]Link{{PID: 2, Blocks: 2}, {PID: 3, Depth: 1, Also: []int{1}}, {PID: 4, Depth: 1}, {PID: 1, Blocks: 1}},
		},
		"a blocker that is not listed, and a prepared transaction": {
			[]Session{s(5, 9), s(6, 0)},
			[]Link{{PID: 0, Blocks: 1}, {PID: 6, Depth: 1}, {PID: 9, Blocks: 1}, {PID: 5, Depth: 1}},
		},
		"a circle with one behind it": {
			[]Session{s(1, 2), s(2, 1), s(3, 2)},
			[]Link{{PID: 1, Blocks: 2, Deadlock: true}, {PID: 2, Depth: 1, Blocks: 2}, {PID: 3, Depth: 2}},
		},
	} {
		if diff := cmp.Diff(tt.want, chains(tt.sessions)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if diff := cmp.Diff([]int{0, 3, 7}, distinct([]int{7, 3, 0, 7, 5, 3}, 5)); diff != "" {
		t.Error(diff)
	}
}
