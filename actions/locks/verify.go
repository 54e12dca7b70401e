package locks

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"gradecockpit/actions"
	"gradecockpit/actions/rows"
)

// state is what a look at freed copies shows.
type state struct {
	now    map[string]*rows.Copy
	signed map[string]bool
}

func (d Deps) state(ctx context.Context, actionID string, ids []string) (s state, err error) {
	err = rows.Read(ctx, d.Writer, func(ctx context.Context, tx pgx.Tx, t rows.Tables) (err error) {
		if s.now, err = t.Read(ctx, tx, ids); err != nil {
			return err
		}
		if t.Has(rows.EventFields...) {
			s.signed, err = t.Signed(ctx, tx, actionID, ids)
		}
		return err
	})
	return s, err
}

// watch looks until the locks have stayed away for a while, or somebody has
// taken one again, which is the application going on and no failure.
func (d Deps) watch(ctx context.Context, p actions.Plan, s *seen, say func(string)) actions.Verdict {
	var last error
	until := time.Now().Add(d.Timings.Stay)
	for {
		st, err := d.state(ctx, p.ID, ids(s.copies))
		if err == nil {
			v, over := s.judge(st)
			if over || !time.Now().Before(until) {
				return v
			}
			say("freed; watching whether somebody locks it again")
		}
		if last = err; !pause(ctx, d.Timings.Poll) {
			return unwatched(last)
		}
	}
}

// unwatched is the end of a watch that could not see enough.
func unwatched(err error) actions.Verdict {
	v := actions.Verdict{Kind: actions.Unverdict, Says: "It was written, but watching ended before it could be seen again.", Next: "Look at the locks pane."}
	if err != nil {
		v.Evidence = []string{err.Error()}
	}
	return v
}

// judge compares what is there with what was meant. over is true when further
// watching cannot change it.
func (s *seen) judge(st state) (v actions.Verdict, over bool) {
	var wrong, again, fine []string
	for _, c := range s.copies {
		is := st.now[c.ID]
		switch {
		case is == nil:
			wrong = append(wrong, c.Label()+" is gone")
		case c.Lock != nil && is.Lock != nil && is.Lock.ID == c.Lock.ID:
			wrong = append(wrong, "the lock on "+c.Label()+" is still there")
		case !s.unsigned && !st.signed[c.ID]:
			wrong = append(wrong, c.Label()+" has no UNLOCK event of this action")
		case is.Lock != nil:
			again = append(again, fmt.Sprintf("%s has locked %s again", is.Lock.Holder(), c.Label()))
		default:
			fine = append(fine, c.Label()+" is "+is.Status)
		}
	}
	evidence := append(append(append([]string{}, wrong...), again...), fine...)
	switch {
	case len(wrong) > 0:
		return actions.Verdict{Kind: actions.NotFixed, Says: sentenceOf(wrong), Evidence: evidence, Next: "Look again."}, true
	case len(again) > 0:
		return actions.Verdict{Kind: actions.Fixed, Says: "Unlocked. Meanwhile " + actions.Names(again, 3) + ".", Evidence: evidence}, true
	}
	return actions.Verdict{Kind: actions.Fixed, Says: sentenceOf(fine) + " Nobody has locked it again.", Evidence: evidence}, false
}

func sentenceOf(parts []string) string { return actions.Names(parts, 5) + "." }

// settle finds out from the audit trail whether a transaction was committed:
// its events carry the action's id.
func (d Deps) settle(ctx context.Context, r actions.Record) actions.Verdict {
	var evidence []string
	signed := 0
	err := rows.Read(ctx, d.Writer, func(ctx context.Context, tx pgx.Tx, t rows.Tables) error {
		if !t.Has(rows.EventFields...) {
			return nil
		}
		found, err := t.SignedSince(ctx, tx, r.ActionID, r.At.Add(-skew))
		if signed = len(found); err != nil || signed == 0 {
			return err
		}
		now, err := t.Read(ctx, tx, found)
		evidence = describe(now)
		return err
	})
	switch {
	case err != nil:
		return actions.Verdict{Kind: actions.Unverdict, Says: "It is not known whether this was done: the database cannot be read.", Evidence: []string{err.Error()}}
	case signed > 0 && signed < planned(r) && len(r.Did) == 0:
		return actions.Verdict{Kind: actions.Unverdict, Evidence: evidence, Next: "Look at the locks, then decide anew.",
			Says: fmt.Sprintf("It was done for %d of %d copies; the others were not reached, or were left alone.", signed, planned(r))}
	case signed > 0:
		return actions.Verdict{Kind: actions.Fixed, Says: "It was done: the audit trail has its event.", Evidence: evidence}
	case len(r.Did) > 0:
		return actions.Verdict{Kind: actions.Unverdict, Says: "It was done, but nobody watched what followed.", Evidence: r.Did}
	case r.Seen[gap] != "":
		return actions.Verdict{Kind: actions.Unverdict, Says: "It is not known whether this was done: it was to write no event.", Next: "Look at the copy."}
	}
	return actions.Verdict{Kind: actions.NotFixed, Says: "It was not done: the audit trail has no event of it.", Next: "Look again, then decide anew."}
}

// planned counts the copies that an intent was about.
func planned(r actions.Record) (n int) {
	for name := range r.Seen {
		if strings.HasSuffix(name, " status") {
			n++
		}
	}
	return n
}

// skew is more than any two clocks should differ.
const skew = time.Hour

// describe says how copies stand.
func describe(now map[string]*rows.Copy) []string {
	var out []string
	for _, c := range now {
		out = append(out, fmt.Sprintf("%s is %s, lock: %s", c.Label(), c.Status, rows.Row(c.Lock)))
	}
	slices.Sort(out)
	return out[:min(len(out), 20)]
}

// pause waits, and tells whether there is time left.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}
