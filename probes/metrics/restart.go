package metrics

import (
	"slices"
	"time"
)

const (
	maxRestarts = 60              // one a minute is no news any more
	clockSlack  = 2 * time.Second // the Date header has whole seconds
)

// seenRestart is a restart and when the new process was met, by our clock.
type seenRestart struct {
	Restart
	url string
	met time.Time
}

// noteRestart keeps that a process began while we looked on, by the clock of
// the application. One that began before was only not met until now, and one
// that was forgotten and answers again is not new.
func (t *tracker) noteRestart(r *reading) {
	start := startTime(r.start)
	known := slices.ContainsFunc(t.restarts, func(x seenRestart) bool { return x.url == r.url && x.At.Equal(start) })
	if start.IsZero() || known || !start.After(t.began[r.url].Add(r.skew+clockSlack)) {
		return
	}
	t.restarts = append(t.restarts, seenRestart{Restart{At: start, Address: hostOf(r.url)}, r.url, r.at})
	t.restarts = t.restarts[max(0, len(t.restarts)-maxRestarts):]
}

// begun gives the restarts of the last hour.
func (t *tracker) begun(now time.Time) (out []Restart) {
	t.restarts = slices.DeleteFunc(t.restarts, func(x seenRestart) bool { return now.Sub(x.met) > hourLen })
	t.pair()
	for _, x := range t.restarts {
		out = append(out, x.Restart)
	}
	return out
}

// pair finds which process each new one took the place of: one that has not
// answered since. It waits until there are as many of the one as of the other,
// because those that live answer sooner or later.
func (t *tracker) pair() {
	for url := range t.began {
		var open []*seenRestart
		for i := range t.restarts {
			if x := &t.restarts[i]; x.url == url && x.Before.IsZero() {
				open = append(open, x)
			}
		}
		if len(open) == 0 {
			continue
		}
		silent := t.silent(url, open[0].met)
		if len(silent) != len(open) {
			continue
		}
		for i, x := range open {
			x.Before = startTime(silent[i].start)
		}
	}
}

// silent are the processes of a URL that have not answered since a moment and
// whose place is not taken yet, the longest silent first.
func (t *tracker) silent(url string, since time.Time) (out []*process) {
	for _, p := range t.bySight() {
		taken := slices.ContainsFunc(t.restarts, func(x seenRestart) bool { return x.Before.Equal(startTime(p.start)) })
		if p.url == url && p.last().at.Before(since) && !taken && !startTime(p.start).IsZero() {
			out = append(out, p)
		}
	}
	return out
}
