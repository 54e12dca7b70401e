package sessions

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"gradecockpit/actions"
	"gradecockpit/probes/activity"
)

// signal is one statement that compares and sends. %s is the function and the
// comparison. All sessions of a plan are compared in one snapshot, so that the
// end of the first does not change what is seen of the second; each is signalled
// only if it is as it was. The functions run after the join has found a row.
const signal = `select a.pid, %s(a.pid)
from unnest($1::int[], $2::text[], $3::text[], $4::text[]) w(pid, began, xact, query)
join pg_stat_activity a on a.pid = w.pid
where a.backend_start = w.began::timestamptz
  and a.backend_type = 'client backend' and a.application_name not like 'gradecockpit/%%' and a.pid <> pg_backend_pid()
  and %s`

// The comparisons beyond the session's start.
const (
	sameTransaction = `a.xact_start is not distinct from nullif(w.xact, '')::timestamptz`
	sameQuery       = `a.query_start is not distinct from nullif(w.query, '')::timestamptz and a.state = 'active' and ` + sameTransaction
	anything        = `true`
)

func cancelSQL() string { return fmt.Sprintf(signal, "pg_cancel_backend", sameQuery) }

func endSQL(anyway bool) string {
	same := sameTransaction
	if anyway {
		same = anything
	}
	return fmt.Sprintf(signal, "pg_terminate_backend", same)
}

// arguments are what a signal compares with.
func arguments(list []activity.Session) []any {
	var pids []int32
	var began, xact, query []string
	for _, s := range list {
		pids = append(pids, int32(s.PID))
		began, xact, query = append(began, stamp(s.Start)), append(xact, stamp(s.Xact)), append(query, stamp(s.QueryAt))
	}
	return []any{pids, began, xact, query}
}

// stamp gives a time with all the digits that PostgreSQL keeps; "" none.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05.000000+00")
}

// sending is one execution: what it sends to whom, and what came of it.
type sending struct {
	sql  string
	list []activity.Session
	verb string // "cancelled the query of"
	// moved says what is not as it was; "" where only the signal missed.
	moved func(was activity.Session, is *activity.Session) (string, []actions.Diff)

	sent   bool         // the statement has left
	obeyed map[int]bool // by pid: what the function returned
	left   []actions.Diff
	skip   []string
}

// run sends, in one transaction of the Writer's whose first statement it is:
// PostgreSQL shows one transaction the sessions as they were at its first look.
func (b base) run(ctx context.Context, x *sending) (actions.Effect, error) {
	err := b.Writer.Tx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		x.sent = true
		if err := x.send(ctx, tx); err != nil {
			return err
		}
		return x.compare(ctx, tx)
	})
	if err != nil && x.obeyed == nil {
		return actions.Effect{}, explain(err, x.sent, len(x.list))
	}
	// What was signalled stays so, whatever became of the transaction.
	return x.effect()
}

func (x *sending) send(ctx context.Context, tx pgx.Tx) error {
	rows, err := tx.Query(ctx, x.sql, arguments(x.list)...)
	if err != nil {
		return err
	}
	obeyed := map[int]bool{}
	var pid int
	var yes bool
	_, err = pgx.ForEachRow(rows, []any{&pid, &yes}, func() error { obeyed[pid] = yes; return nil })
	if err == nil {
		x.obeyed = obeyed
	}
	return err
}

// compare names what had moved, from the very snapshot that was compared.
func (x *sending) compare(ctx context.Context, tx pgx.Tx) error {
	var missed []int
	for _, s := range x.list {
		if _, sent := x.obeyed[s.PID]; !sent {
			missed = append(missed, s.PID)
		}
	}
	if len(missed) == 0 {
		return nil
	}
	now, err := activity.Look(ctx, tx, missed...)
	if err != nil {
		return err
	}
	for _, s := range x.list {
		if _, sent := x.obeyed[s.PID]; sent {
			continue
		}
		is, _ := now.Find(s.PID)
		says, diffs := x.moved(s, is)
		x.skip = append(x.skip, label(s)+": "+says)
		for _, d := range diffs {
			if len(x.list) > 1 {
				d.Name = fmt.Sprintf("%d %s", s.PID, d.Name)
			}
			x.left = append(x.left, d)
		}
	}
	return nil
}

// effect says what was done. Where no session was as the plan saw it, nothing was.
func (x *sending) effect() (actions.Effect, error) {
	e := actions.Effect{Values: map[string]string{}}
	var done []string
	for _, s := range x.list {
		switch yes, sent := x.obeyed[s.PID]; {
		case yes:
			e.Did = append(e.Did, x.verb+" "+label(s))
			done = append(done, s.ID())
		case sent:
			x.skip = append(x.skip, label(s)+": PostgreSQL found no such process any more")
		}
	}
	e.Skip, e.Values["sessions"] = x.skip, strings.Join(done, " ")
	if len(done) > 0 {
		return e, nil
	}
	if len(x.skip) == 0 { // what it is now could not be read any more
		x.skip = []string{subject(x.list) + " " + isAre(len(x.list)) + " not as you saw"}
	}
	return actions.Effect{}, &actions.Moved{Says: strings.Join(x.skip, ". ") + ".", Diffs: x.left}
}
