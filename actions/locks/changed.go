package locks

import (
	"fmt"
	"time"

	"gradecockpit/actions"
	"gradecockpit/actions/rows"
	"gradecockpit/probes/grading"
)

// changed says in words how a copy differs from what was seen, and every value
// that does; "" when it is the same.
func changed(was, is *rows.Copy) (string, []actions.Diff) {
	if is == nil {
		return "the copy is gone", []actions.Diff{{Name: "copy", Was: was.Label(), Is: "gone"}}
	}
	var d differ
	d.lock(was.Lock, is.Lock)
	d.add("status", was.Status, is.Status)
	d.add("locked by", user(was.LockedBy), user(is.LockedBy))
	d.add("locked at", moment(was.LockedAt), moment(is.LockedAt))
	if len(d.diffs) == 0 {
		return "", nil
	}
	return sentence(was, is), d.diffs
}

type differ struct{ diffs []actions.Diff }

func (d *differ) add(name, was, is string) {
	if was != is {
		d.diffs = append(d.diffs, actions.Diff{Name: name, Was: was, Is: is})
	}
}

func (d *differ) lock(was, is *rows.Lock) {
	if was == nil || is == nil {
		d.add("lock", row(was), row(is))
		return
	}
	d.add("lock id", was.ID, is.ID)
	d.add("owner", owner(was), owner(is))
	d.add("expires", moment(was.Expires), moment(is.Expires))
	if was.Token != is.Token {
		d.diffs = append(d.diffs, actions.Diff{Name: "token", Was: was.Prefix(), Is: is.Prefix()})
	}
}

// sentence picks the change that explains the others.
func sentence(was, is *rows.Copy) string {
	w, i := was.Lock, is.Lock
	switch {
	case w != nil && i == nil:
		return "the lock of " + owner(w) + " was released meanwhile"
	case w == nil && i != nil:
		return owner(i) + " has locked it meanwhile"
	case w != nil && w.Owner.ID != i.Owner.ID:
		return owner(i) + " has taken the lock meanwhile"
	case w != nil && (w.ID != i.ID || w.Token != i.Token):
		return owner(i) + " has locked it anew meanwhile"
	case w != nil && !w.Expires.Equal(i.Expires):
		return owner(i) + " has renewed the lock meanwhile"
	case was.Status != is.Status:
		return fmt.Sprintf("it went from %s to %s meanwhile", was.Status, is.Status)
	}
	return "it was locked by another hand meanwhile"
}

func row(l *rows.Lock) string {
	if l == nil {
		return "none"
	}
	return "lock " + l.ID + " of " + owner(l)
}

func owner(l *rows.Lock) string { return name(l.Owner) }

func name(u grading.User) string {
	if u.Name != "" {
		return u.Name
	}
	return user(u.ID)
}

func user(id int64) string {
	if id == 0 {
		return "nobody"
	}
	return fmt.Sprintf("user %d", id)
}

// moment gives every digit that the database keeps: two values that differ
// must never look alike.
func moment(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.UTC().Format("2006-01-02 15:04:05.999999 UTC")
}
