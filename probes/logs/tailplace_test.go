package logs

import (
	"context"
	"strings"
	"testing"
)

// TestWhatIsFollowedCanBeOpened: a record of the tail is read again by its
// place, also one that came in two pieces, and after a rotation.
func TestWhatIsFollowedCanBeOpened(t *testing.T) {
	d, dir := folder(t, Config{})
	half := jsonText("ERROR", 3)
	write(t, dir, "django.log", jsonText("ERROR", 1)+"\n"+stampAt(2)+" ERROR grading two\n  its trace\n"+half[:50])
	sample(t, d)
	appendTo(t, dir, "django.log", half[50:]+"\n"+jsonText("INFO", 4)+"\n")
	sample(t, d)
	rename(t, dir, "django.log", "django.log.1")
	write(t, dir, "django.log", jsonText("INFO", 5)+"\n")
	o := sample(t, d)
	if len(o.Recent) != 5 {
		t.Fatalf("got %d records", len(o.Recent))
	}
	for _, l := range o.Recent {
		r, err := d.ReadLine(context.Background(), l.Place)
		if err != nil || r.Message != l.Message || r.RequestID != l.RequestID || strings.Join(r.Trace, "|") != strings.Join(l.Trace, "|") {
			t.Errorf("%q at %q: got %q, %v", l.Message, l.Place, r.Message, err)
		}
	}
}
