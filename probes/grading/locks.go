package grading

import (
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"gradecockpit/probes/clean"
)

// missedBeats is how long a browser may be silent: it beats every 30 s, and
// three missed ones mean that nobody is there (facts, section 3).
const missedBeats = 90 * time.Second

// readLocks takes the rows of the locks query.
func readLocks(rows pgx.Rows, now time.Time, ttl time.Duration) ([]Lock, error) {
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (Lock, error) {
		var l Lock
		var id, copyID, anon, name, token, status pgtype.Text
		var owner, draft pgtype.Int8
		var since, expires pgtype.Timestamptz
		var expired pgtype.Bool
		err := row.Scan(&id, &copyID, &anon, &owner, &name, &since, &expires, &expired, &token, &status, &draft)
		l = Lock{
			LockID: clean.Capped(id.String, maxName), Copy: ref(copyID.String, anon), Owner: user(owner, name),
			Since: moment(since), Expires: moment(expires), Expired: expired.Bool,
			TokenPrefix: clean.Text(token.String), CopyStatus: clean.Text(status.String), DraftVersion: orMinus(draft),
		}
		l.LastBeat = lastBeat(l, now, ttl)
		l.Abandoned = !l.LastBeat.IsZero() && now.Sub(l.LastBeat) > missedBeats
		return l, err
	})
}

// lastBeat infers the last heartbeat: each sets expires_at to its own time plus
// the TTL. It is zero when the TTL setting cannot be the application's: the
// beat would lie in the future, or before the lock was made.
func lastBeat(l Lock, now time.Time, ttl time.Duration) time.Time {
	const slack = 5 * time.Second // between the application's clock and the database's
	beat := l.Expires.Add(-ttl)
	if ttl <= 0 || beat.After(now.Add(slack)) || !l.Since.IsZero() && beat.Before(l.Since.Add(-slack)) {
		return time.Time{}
	}
	return beat
}

// evidence is what tells whether the application uses locks.
type evidence struct {
	table  bool // there is a lock table
	recent int  // lock rows of the last 24 hours
	held   int  // lock rows at all
	copies []history
	now    time.Time
}

// inUse decides by the setting, else by what is seen. Old lock rows prove
// nothing, because the table outlived the code (facts, section 1).
func (e evidence) inUse(mode LockMode) (Tri, string) {
	switch {
	case mode == LocksOn:
		return TriYes, "set in the configuration"
	case mode == LocksOff:
		return TriNo, "set in the configuration"
	case !e.table:
		return TriNo, "there is no lock table"
	case e.recent > 0:
		return TriYes, fmt.Sprintf("%d locks of the last 24 hours", e.recent)
	}
	with, without := 0, 0
	for _, h := range e.copies {
		switch work, lock := h.last("FINALIZE", "CREATE_ANN"), h.last("LOCK"); {
		case e.now.Sub(lock) < 24*time.Hour:
			with++
		case e.now.Sub(work) < 24*time.Hour && lock.IsZero():
			without++
		}
	}
	switch {
	case with > 0:
		return TriYes, fmt.Sprintf("LOCK events on %d copies in the last 24 hours", with)
	case without >= 3: // fewer might have lost their events
		return TriNo, fmt.Sprintf("%d copies were worked on in the last 24 hours without a LOCK event", without)
	case e.held > 0:
		return TriUnknown, "only old lock rows, and no LOCK event in the last 24 hours"
	}
	return TriUnknown, "no lock and no LOCK event in the last 24 hours"
}
