package activity

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"gradecockpit/probes"
	"gradecockpit/probes/clean"
)

// Lock is a lock of one session, held or waited for.
type Lock struct {
	Type, Mode string
	Granted    bool
	Since      time.Time // of a wait; zero: held, or unknown
	Relation   string    // "grading_copylock", with its schema where that is not public; "" none or another database's
	Index      bool
	Detail     string // page and row, or transaction
}

// Detail is everything about one session.
type Detail struct {
	Overview
	Asked    string
	Session  *Session // nil: it has ended
	Replaced bool     // its pid was given to another session since
	Locks    []Lock
	More     int // locks that were left out
}

// Session reads all about one, by its ID or its pid alone.
func (p *Probe) Session(ctx context.Context, id string) (Detail, error) {
	pid, start, err := ParseID(id)
	if err != nil {
		return Detail{}, &probes.Error{Source: probes.Postgres, Op: "look for the session", Cause: err.Error(), Err: err}
	}
	l, err := p.look(ctx, []int{pid})
	if err != nil {
		return Detail{}, err
	}
	d := Detail{Overview: l.over, Asked: id}
	s, ok := l.over.Find(pid)
	d.Replaced = ok && !start.IsZero() && !s.Start.IsZero() && !s.Start.Equal(start)
	if ok && !d.Replaced {
		d.Session, d.Locks, d.More = s, l.locks, l.more
	}
	return d, nil
}

func (l *look) readLocks(rows pgx.Rows) (err error) {
	total := 0
	l.locks, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (k Lock, err error) {
		var since pgtype.Timestamptz
		var schema, kind, transaction string
		var page, tuple int
		err = row.Scan(&k.Type, &k.Mode, &k.Granted, &since, &schema, &k.Relation, &kind, &page, &tuple, &transaction, &total)
		k.Since, k.Index = moment(since), kind == "i"
		if schema != "" && schema != "public" {
			k.Relation = schema + "." + k.Relation
		}
		switch {
		case tuple >= 0:
			k.Detail = fmt.Sprintf("page %d, row %d", page, tuple)
		case k.Type == "transactionid":
			k.Detail = "transaction " + transaction
		}
		k.Relation, k.Detail = clean.Capped(k.Relation, 2*maxName), clean.Text(k.Detail)
		return k, err
	})
	l.more = total - len(l.locks)
	return err
}
