package host

import (
	"slices"
	"testing"
	"time"
)

// The time of each restart is kept, of the last ones only, and a look that was
// handed out stays as it was.
func TestRestartsHaveATime(t *testing.T) {
	at := time.Unix(1_700_000_000, 0)
	p := New(Config{}).Probe()
	p.now = func() time.Time { return at }
	look := func() Group {
		return p.group(map[string][]member{"celery": {{pid: 1, created: at}}})[0]
	}
	if g := look(); g.Restarts != 0 || len(g.Restarted) != 0 {
		t.Errorf("at first: %+v", g)
	}
	var first Group
	for i := range keptRestarts + 3 {
		at = at.Add(time.Minute)
		if g := look(); i == 0 {
			first = g
		}
	}
	last := look()
	if last.Restarts != keptRestarts+3 || len(last.Restarted) != keptRestarts || !last.Restarted[keptRestarts-1].Equal(at) {
		t.Errorf("at last: %+v", last)
	}
	if want := time.Unix(1_700_000_060, 0); !slices.Equal(first.Restarted, []time.Time{want}) {
		t.Errorf("the first one is now %v", first.Restarted)
	}
}
