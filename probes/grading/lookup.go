package grading

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"gradecockpit/probes/clean"
)

// NotFound says that no copy has an id or anonymous id that begins so.
type NotFound struct {
	ID   string
	Near []CopyRef // copies with a similar anonymous id
}

// Error gives one sentence, with what is near.
func (e *NotFound) Error() string {
	words := fmt.Sprintf("no copy is called %s", e.ID)
	if len(e.Near) > 0 {
		words += ". Near it: " + labels(e.Near)
	}
	return words
}

// Ambiguous says that several copies begin so.
type Ambiguous struct {
	ID      string
	Matches []CopyRef // the first ones
	More    bool
}

// Error gives one sentence with the matches.
func (e *Ambiguous) Error() string {
	words := fmt.Sprintf("several copies begin with %s: %s", e.ID, labels(e.Matches))
	if e.More {
		words += ", …"
	}
	return words
}

func labels(refs []CopyRef) string {
	var out []string
	for _, r := range refs {
		out = append(out, r.Label())
	}
	return strings.Join(out, ", ")
}

// maxMatches bounds what an error lists.
const maxMatches = 8

// match is a copy that an id may mean. Exact ones have it in full.
type match struct {
	ref   CopyRef
	exact bool
	like  bool // it begins so
}

// Find gives the one copy meant by a uuid, an anonymous id (in any case) or
// the unique beginning of either. Else the error is a *NotFound or *Ambiguous.
func (p *Probe) Find(ctx context.Context, id string) (CopyRef, error) {
	var matches []match
	id = strings.TrimSpace(id)
	err := p.with(ctx, "find the copy", func(f found) error {
		if why, fix := f.schema.Why(CopyID); why != "" {
			return missing(why, fix)
		}
		return p.ask(ctx, question{f.sql["find"], []any{id, maxMatches + 1}, func(rows pgx.Rows) (err error) {
			matches, err = readMatches(rows)
			return err
		}})
	})
	if err != nil {
		return CopyRef{}, err
	}
	return choose(clean.Capped(id, maxName), matches)
}

func readMatches(rows pgx.Rows) ([]match, error) {
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (match, error) {
		var m match
		var id string
		var anon pgtype.Text
		err := row.Scan(&id, &anon, &m.exact, &m.like)
		m.ref = ref(id, anon)
		return m, err
	})
}

// choose takes matches with the exact ones first, then those that begin so.
func choose(id string, matches []match) (CopyRef, error) {
	var exact, like, near []CopyRef
	for _, m := range matches {
		switch {
		case m.exact:
			exact = append(exact, m.ref)
		case m.like:
			like = append(like, m.ref)
		default:
			near = append(near, m.ref)
		}
	}
	for _, candidates := range [][]CopyRef{exact, like} {
		if len(candidates) == 1 {
			return candidates[0], nil
		}
		if n := len(candidates); n > 1 {
			return CopyRef{}, &Ambiguous{ID: id, Matches: candidates[:min(n, maxMatches)], More: n > maxMatches}
		}
	}
	return CopyRef{}, &NotFound{ID: id, Near: near[:min(len(near), maxMatches)]}
}
