package rows

import (
	"fmt"
	"time"

	"gradecockpit/actions"
	"gradecockpit/probes/grading"
)

// Changed says in words how a copy differs from what was seen, and every value
// that does; "" when it is the same.
func Changed(was, is *Copy) (string, []actions.Diff) {
	if is == nil {
		return "the copy is gone", []actions.Diff{{Name: "copy", Was: was.Label(), Is: "gone"}}
	}
	var d differ
	d.lock(was.Lock, is.Lock)
	d.add("status", was.Status, is.Status)
	d.add("locked by", User(was.LockedBy), User(is.LockedBy))
	d.add("locked at", Moment(was.LockedAt), Moment(is.LockedAt))
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

func (d *differ) lock(was, is *Lock) {
	if was == nil || is == nil {
		d.add("lock", Row(was), Row(is))
		return
	}
	d.add("lock id", was.ID, is.ID)
	if was.Owner.ID != is.Owner.ID {
		d.diffs = append(d.diffs, actions.Diff{Name: "owner", Was: was.Holder(), Is: is.Holder()})
	}
	d.add("expires", Moment(was.Expires), Moment(is.Expires))
	if was.Token != is.Token {
		d.diffs = append(d.diffs, actions.Diff{Name: "token", Was: was.Prefix(), Is: is.Prefix()})
	}
}

// sentence picks the change that explains the others.
func sentence(was, is *Copy) string {
	w, i := was.Lock, is.Lock
	switch {
	case w != nil && i == nil:
		return "the lock of " + w.Holder() + " was released meanwhile"
	case w == nil && i != nil:
		return i.Holder() + " has locked it meanwhile"
	case w != nil && w.Owner.ID != i.Owner.ID:
		return i.Holder() + " has taken the lock meanwhile"
	case w != nil && (w.ID != i.ID || w.Token != i.Token):
		return i.Holder() + " has locked it anew meanwhile"
	case w != nil && !w.Expires.Equal(i.Expires):
		return i.Holder() + " has renewed the lock meanwhile"
	case was.Status != is.Status:
		return fmt.Sprintf("it went from %s to %s meanwhile", was.Status, is.Status)
	}
	return "it was locked by another hand meanwhile"
}

// Row names a lock row, or says that there is none.
func Row(l *Lock) string {
	if l == nil {
		return "none"
	}
	return "lock " + l.ID + " of " + l.Holder()
}

// Holder names the owner of a lock.
func (l *Lock) Holder() string { return Person(l.Owner) }

// Person names a user, or gives the number where the name cannot be read.
func Person(u grading.User) string {
	if u.Name != "" {
		return u.Name
	}
	return User(u.ID)
}

// User names a user by number alone.
func User(id int64) string {
	if id == 0 {
		return "nobody"
	}
	return fmt.Sprintf("user %d", id)
}

// Moment gives every digit that the database keeps: two values that differ
// must never look alike.
func Moment(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.UTC().Format("2006-01-02 15:04:05.999999 UTC")
}
