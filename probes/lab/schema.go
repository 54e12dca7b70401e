package lab

import (
	"context"
	"embed"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

//go:embed schema/*.sql
var ddl embed.FS

// SchemaOptions choose whose tables are made. Deployed is the generation with
// locks (02-20); options take away what other generations lack.
type SchemaOptions struct {
	Dialect        Dialect // "" is Deployed
	NoLocks        bool    // no grading_copylock
	NoDrafts       bool    // no grading_draftstate
	NoScores       bool    // no grading_score
	QuestionScores bool    // grading_questionscore (02-04 to 02-10)
	RoutedQueues   bool    // the migration that tells of queues "finalize" and "import"
}

// Conn is what fixtures need of a connection: *pgx.Conn, a pool, a transaction.
type Conn interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// CreateSchema makes the grading system's tables in an empty database.
func CreateSchema(ctx context.Context, conn Conn, opts SchemaOptions) error {
	for _, name := range opts.files() {
		sql, err := ddl.ReadFile("schema/" + name + ".sql")
		if err != nil {
			return fmt.Errorf("create the schema: %w", err)
		}
		if _, err := conn.Exec(ctx, string(sql)); err != nil {
			return fmt.Errorf("create the schema: %s: %w", name, err)
		}
	}
	return nil
}

func (o SchemaOptions) files() []string {
	dialect := string(Deployed)
	if o.Dialect == Playbook {
		dialect = string(Playbook)
	}
	files := []string{"users", dialect, "shared"}
	for _, part := range []struct {
		file string
		want bool
	}{
		{dialect + "_locks", !o.NoLocks},
		{"drafts", !o.NoDrafts},
		{"scores", !o.NoScores},
		{"question_scores", o.QuestionScores},
		{"routed", o.RoutedQueues},
	} {
		if part.want {
			files = append(files, part.file)
		}
	}
	return files
}
