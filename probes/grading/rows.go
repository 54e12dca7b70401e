package grading

import (
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgtype"

	"gradecockpit/probes/clean"
)

// maxName bounds names and ids on the screen, in characters.
const maxName = 150

// ref names a copy; both parts are text from outside.
func ref(id string, anon pgtype.Text) CopyRef {
	return CopyRef{ID: clean.Capped(id, maxName), Anon: clean.Capped(anon.String, maxName)}
}

func user(id pgtype.Int8, name pgtype.Text) User {
	return User{ID: id.Int64, Name: clean.Capped(name.String, maxName)}
}

// moment gives the zero time for NULL, and for infinity a time that is far off
// and can still be compared and printed.
func moment(t pgtype.Timestamptz) time.Time {
	switch {
	case !t.Valid:
		return time.Time{}
	case t.InfinityModifier == pgtype.Infinity:
		return time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)
	case t.InfinityModifier == pgtype.NegativeInfinity:
		return time.Date(1, 1, 2, 0, 0, 0, 0, time.UTC)
	}
	return t.Time.UTC()
}

// orMinus gives -1, "unknown", for NULL.
func orMinus(n pgtype.Int8) int {
	if !n.Valid {
		return -1
	}
	return int(n.Int64)
}

// span writes a duration as the panes do: 40s, 52m, 1h02m, 3d4h.
func span(d time.Duration) string {
	switch d = max(d, 0); {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 24*time.Hour:
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%dd%dh", int(d.Hours())/24, int(d.Hours())%24)
}
