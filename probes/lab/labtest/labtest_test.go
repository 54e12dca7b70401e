package labtest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"gradecockpit/probes/lab"
)

func TestMain(m *testing.M) { Main(m) }

func TestFixturesRoundTrip(t *testing.T) {
	for _, tc := range []struct {
		dialect  lab.Dialect
		lock     string // owner and expiry by this dialect's names
		page     string
		finalPDF string
	}{
		{lab.Deployed, "SELECT owner_id::bigint FROM grading_copylock WHERE copy_id = $1 AND locked_at < expires_at", "page_index * 100 + score_delta", "final_pdf"},
		{lab.Playbook, "SELECT locked_by_id::bigint FROM grading_copylock WHERE copy_id = $1 AND created_at < expires_at", "page * 100 + score::int", "final_copy_pdf"},
	} {
		t.Run(string(tc.dialect), func(t *testing.T) {
			db := Postgres(t, tc.dialect, QuestionScores, RoutedQueues)
			user := db.AddUser("dupont")
			exam := db.AddExam("Maths")
			id := db.AddCopy(lab.CopyRow{Anon: "A3F2-0042", Status: "LOCKED", Exam: exam, Pages: 3, LockedBy: user, FinalPDF: "x.pdf", Score: new(12.5)})
			token := db.AddLock(lab.LockRow{Copy: id, Owner: user, Expires: db.Now().Add(time.Minute)})
			db.AddEvent(lab.EventRow{Copy: id, Action: "LOCK", Actor: user, Meta: map[string]any{"token_prefix": token[:8]}})
			db.AddAnnotation(lab.AnnotationRow{Copy: id, By: user, Page: 2, Points: new(3.0)})
			db.AddAnnotation(lab.AnnotationRow{Copy: id, By: user, Page: 1})
			db.AddDraft(lab.DraftRow{Copy: id, Owner: user, Version: 7, Token: token})
			db.AddScore(lab.ScoreRow{Copy: id, Data: map[string]any{"1": 2.5}})
			db.AddQuestionScore(lab.QuestionScoreRow{Copy: id, Question: "1", Score: 2.5, By: user})

			if got := Get[int64](db, tc.lock, id); got != user {
				t.Errorf("owner of the lock: %d, want %d", got, user)
			}
			if got := Get[string](db, "SELECT token::text FROM grading_copylock"); got != token {
				t.Errorf("token: %q, want %q", got, token)
			}
			if got := Get[int](db, "SELECT max("+tc.page+") FROM grading_annotation"); got != 203 {
				t.Errorf("page and points: %d, want 203", got)
			}
			got := []any{
				Get[string](db, "SELECT metadata->>'token_prefix' FROM grading_gradingevent"),
				Get[string](db, "SELECT "+tc.finalPDF+" FROM exams_copy"),
				Get[int](db, `SELECT sum(jsonb_array_length(b.pages_images)) FROM exams_booklet b
					JOIN exams_copy_booklets l ON l.booklet_id = b.id WHERE l.copy_id = $1`, id),
				Get[int](db, "SELECT version FROM grading_draftstate"),
				Get[float64](db, "SELECT (scores_data->>'1')::float8 FROM grading_score"),
				Get[float64](db, "SELECT score::float8 FROM grading_questionscore"),
				Get[int](db, "SELECT count(*) FROM django_migrations WHERE name = '0010_perf_indexes_zf_aud_13'"),
			}
			if diff := cmp.Diff([]any{token[:8], "x.pdf", 3, 7, 2.5, 2.5, 1}, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestPagesOfACopy(t *testing.T) {
	db := Postgres(t, lab.Deployed)
	for pages, want := range map[int]int{-1: 0, 0: 1, 4: 1} {
		id := db.AddCopy(lab.CopyRow{Status: "STAGING", Pages: pages})
		if got := Get[int](db, "SELECT count(*) FROM exams_copy_booklets WHERE copy_id = $1", id); got != want {
			t.Errorf("%d pages: %d booklets, want %d", pages, got, want)
		}
	}
}

func TestOptionsLeaveTablesOut(t *testing.T) {
	for _, dialect := range []lab.Dialect{lab.Deployed, lab.Playbook} {
		db := Postgres(t, dialect, NoLocks, NoDrafts, NoScores)
		for _, table := range []string{"grading_copylock", "grading_draftstate", "grading_score"} {
			if got := Get[bool](db, "SELECT to_regclass($1) IS NOT NULL", table); got {
				t.Errorf("%s: %s is there", dialect, table)
			}
		}
		if db.HasLocks {
			t.Errorf("%s: HasLocks without the table", dialect)
		}
	}
}

func TestTwoLocksOnACopyAreImpossible(t *testing.T) {
	for _, dialect := range []lab.Dialect{lab.Deployed, lab.Playbook} {
		db := Postgres(t, dialect)
		user, id := db.AddUser("a"), db.AddCopy(lab.CopyRow{})
		db.AddLock(lab.LockRow{Copy: id, Owner: user})
		_, err := db.DB.AddLock(Context(t), lab.LockRow{Copy: id, Owner: user})
		wantCode(t, err, "23505")
	}
}

func TestRolesMayDoOnlyTheirs(t *testing.T) {
	db := Postgres(t, lab.Deployed)
	for _, tc := range []struct{ name, dsn, sql, code string }{
		{"reader reads", db.ReaderDSN(), "SELECT 1 FROM grading_copylock", ""},
		{"reader deletes", db.ReaderDSN(), "DELETE FROM grading_copylock", "42501"},
		{"granted", db.RoleDSN("SELECT ON exams_copy"), "SELECT 1 FROM exams_copy", ""},
		{"not granted", db.RoleDSN("SELECT ON exams_copy"), "SELECT 1 FROM grading_copylock", "42501"},
		{"superuser", db.DSN(), "DELETE FROM grading_copylock", ""},
	} {
		t.Run(tc.name, func(t *testing.T) { wantCode(t, execAs(Context(t), tc.dsn, tc.sql), tc.code) })
	}
}

func TestPgBouncerPoolsTransactions(t *testing.T) {
	db := Postgres(t, lab.Deployed)
	dsn, reader := PgBouncer(t, db)
	wantCode(t, execAs(Context(t), dsn, "DELETE FROM grading_copylock"), "")
	wantCode(t, execAs(Context(t), reader, "DELETE FROM grading_copylock"), "42501")
}

func TestDatabasesOnAServerOfOnesOwn(t *testing.T) {
	server := Server(t, lab.PostgresOptions{})
	deployed, playbook := On(t, server, lab.Deployed), On(t, server, lab.Playbook)
	if deployed.Name == playbook.Name {
		t.Errorf("both are called %s", deployed.Name)
	}
	deployed.AddUser("a")
	playbook.AddUser("a") // the name is free here
}

func TestRedisKinds(t *testing.T) {
	for want, s := range map[lab.RedisKind]*lab.RedisServer{lab.RealRedis: Redis(t), lab.MiniRedis: MiniRedis(t)} {
		if s.Kind() != want {
			t.Errorf("kind %q, want %q", s.Kind(), want)
		}
	}
}

// execAs runs one statement in the simple protocol, which a pooler takes too.
func execAs(ctx context.Context, dsn, sql string) error {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, sql)
	return err
}

// wantCode checks for an SQLSTATE; "" is success.
func wantCode(t *testing.T, err error, code string) {
	t.Helper()
	var pg *pgconn.PgError
	switch {
	case code == "" && err != nil:
		t.Errorf("got %v, want success", err)
	case code != "" && (!errors.As(err, &pg) || pg.Code != code):
		t.Errorf("got %v, want SQLSTATE %s", err, code)
	}
}

func BenchmarkFreshDatabase(b *testing.B) {
	for b.Loop() {
		Postgres(b, lab.Deployed)
	}
}
