package rows

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"gradecockpit/probes/clean"
	"gradecockpit/probes/grading"
)

// Facts is what decides whether and how a copy's task can be sent again.
type Facts struct {
	Corrector int64  // assigned_corrector_id; 0: nobody, or no such column
	FinalPDF  string // "": none
	Pages     int    // -1: cannot be read
	Events    bool   // the audit trail could be read; else the rest is empty

	Finalizes  map[int64]int // FINALIZE events by actor
	Failures   int           // FINALIZE events with success: false
	LastLock   int64         // actor of the newest LOCK event; 0: none
	LastWork   int64         // of the newest FINALIZE or CREATE_ANN
	LastAnn    int64         // of the newest CREATE_ANN
	LastImport int64         // of the newest IMPORT
}

// Facts reads them in two statements.
func (t Tables) Facts(ctx context.Context, tx pgx.Tx, id string) (*Facts, error) {
	f := &Facts{Pages: -1, Finalizes: map[int64]int{}}
	var corrector *int64
	var pdf *string
	var pages *int
	sql := fmt.Sprintf("select %s, %s, %s from %s c where c.%s = $1::text::%s",
		t.field("c", grading.CopyCorrector, "bigint"), t.field("c", grading.CopyFinalPDF, "text"), t.pages(),
		t.Table(grading.CopyID), t.Col(grading.CopyID), t.typ(grading.CopyID))
	if err := tx.QueryRow(ctx, sql, id).Scan(&corrector, &pdf, &pages); err != nil {
		return nil, fmt.Errorf("read the copy: %w", err)
	}
	f.Corrector, f.FinalPDF, f.Pages = or(corrector, 0), clean.Text(or(pdf, "")), or(pages, -1)
	if !t.Has(EventFields...) {
		return f, nil
	}
	f.Events = true
	return f, t.actors(ctx, tx, f, id)
}

// pages counts the page images of a copy's booklets: pages_images is a JSON
// array, and may be any other JSON by accident.
func (t Tables) pages() string {
	if !t.Has(grading.BookletID, grading.BookletPages, grading.LinkCopy, grading.LinkBooklet) || !strings.HasPrefix(t.typ(grading.BookletPages), "json") {
		return "null::int"
	}
	return fmt.Sprintf(`(select coalesce(sum(case jsonb_typeof(b.%[1]s::jsonb) when 'array' then jsonb_array_length(b.%[1]s::jsonb) else 0 end), 0)
 from %[2]s k join %[3]s b on b.%[4]s = k.%[5]s where k.%[6]s = c.%[7]s)::int`,
		t.Col(grading.BookletPages), t.Table(grading.LinkCopy), t.Table(grading.BookletID), t.Col(grading.BookletID),
		t.Col(grading.LinkBooklet), t.Col(grading.LinkCopy), t.Col(grading.CopyID))
}

// actors reads who did what, newest last, so that the last one stays.
func (t Tables) actors(ctx context.Context, tx pgx.Tx, f *Facts, id string) error {
	sql := fmt.Sprintf(`select %[1]s::text, coalesce(%[2]s::bigint, 0), count(*)::int,
 count(*) filter (where %[3]s::jsonb ->> 'success' = 'false')::int
 from %[4]s where %[5]s = $1::text::%[6]s and %[1]s in ('LOCK', 'FINALIZE', 'CREATE_ANN', 'IMPORT')
 and not (%[1]s <> 'FINALIZE' and coalesce(%[3]s::jsonb ->> 'tool', '') = 'gradecockpit')
 group by 1, 2 order by max(%[7]s)`, t.Col(grading.EventAction), t.Col(grading.EventActor), t.Col(grading.EventMeta),
		t.Table(grading.EventID), t.Col(grading.EventCopy), t.typ(grading.EventCopy), t.Col(grading.EventAt))
	rows, err := tx.Query(ctx, sql, id)
	if err != nil {
		return fmt.Errorf("read the copy's events: %w", err)
	}
	var action string
	var actor int64
	var count, failed int
	_, err = pgx.ForEachRow(rows, []any{&action, &actor, &count, &failed}, func() error {
		f.add(action, actor, count, failed)
		return nil
	})
	if err != nil {
		return fmt.Errorf("read the copy's events: %w", err)
	}
	return nil
}

func (f *Facts) add(action string, actor int64, count, failed int) {
	switch action {
	case "LOCK":
		f.LastLock = actor
	case "IMPORT":
		f.LastImport = actor
	case "CREATE_ANN":
		f.LastAnn, f.LastWork = actor, actor
	case "FINALIZE":
		f.Finalizes[actor] += count
		f.Failures += failed
		f.LastWork = actor
	}
}

// Name looks up a user; the name is empty where it cannot be read.
func (t Tables) Name(ctx context.Context, tx pgx.Tx, id int64) (grading.User, error) {
	if !t.Has(grading.UserID, grading.UserName) {
		return grading.User{ID: id}, nil
	}
	var name *string
	if err := tx.QueryRow(ctx, "select "+t.userName("$1"), id).Scan(&name); err != nil {
		return grading.User{}, fmt.Errorf("look up user %d: %w", id, err)
	}
	return grading.User{ID: id, Name: clean.Text(or(name, ""))}, nil
}
