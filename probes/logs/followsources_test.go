package logs

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"gradecockpit/probes/logs/loki/lokitest"
)

// firstFollowed collects the first n records that following a source gives, a
// minute at most; begun is called when it follows.
func firstFollowed(t *testing.T, s Follower, q Query, last, n int, begun func()) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var got []string
	time.AfterFunc(followEvery, begun)
	err := s.Follow(ctx, q, last, func(l Line) {
		if got = append(got, fmt.Sprint(l.Message, " ", len(l.Trace))); len(got) == n {
			cancel()
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestCommandAndLokiAreFollowedTogether(t *testing.T) {
	c, file := printing(t, stampAt(0)+" ERROR a older\n"+stampAt(0)+" ERROR a old\n")
	overviewOf(t, c, func(o Overview) bool { return len(o.Recent) == 2 })
	server := lokitest.New(t)
	spread(server, "backend", noon.Add(-time.Minute), stampAt(-2*time.Minute)+" ERROR a older\n"+stampAt(-time.Minute)+" ERROR a old loki")
	l := lokiOf(t, server.URL)
	got := firstFollowed(t, mergeOf([]Source{c, l}), Query{Level: "ERROR"}, 1, 6, func() {
		appendTo(t, filepath.Dir(file), "output", stampAt(1)+" ERROR a command\n  trace\n"+stampAt(2)+" INFO a quiet\n"+stampAt(3)+" ERROR a last\n")
		spread(server, "backend", noon.Add(time.Second), stampAt(time.Second)+" ERROR a loki\n  one\n  two\n"+stampAt(time.Second)+" INFO a quiet")
		spread(server, "celery", noon.Add(2*time.Second), stampAt(2*time.Second)+" ERROR a loki end\n  one")
	})
	slices.Sort(got)
	if want := []string{"command 1", "last 0", "loki 2", "loki end 1", "old 0", "old loki 0"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestFollowingWhatIsNotThere(t *testing.T) {
	c := script(t, "exit 1")
	if err := c.Follow(context.Background(), Query{}, 0, func(Line) {}); err == nil {
		t.Error("a command that ended at once is not followed, and nobody says so")
	}
}
