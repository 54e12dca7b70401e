package celery

import (
	"crypto/sha1"
	"time"
)

const (
	keptDepths = 60
	// slopeOver is the window of the slope: long enough to smooth a batch of
	// uploads, short enough to see that workers stopped.
	slopeOver = 2 * time.Minute
	// maxSighted bounds what is remembered of messages, in number.
	maxSighted = 4096
)

// track remembers a queue over the samples.
type track struct {
	depths  []depthAt
	sighted map[[sha1.Size]byte]time.Time // first sighting of a message
}

type depthAt struct {
	n  int64
	at time.Time
}

func (t *track) add(n int64, at time.Time) {
	t.depths = append(t.depths, depthAt{n, at})
	if extra := len(t.depths) - keptDepths; extra > 0 {
		t.depths = append([]depthAt(nil), t.depths[extra:]...)
	}
}

func (t *track) history() []int64 {
	out := make([]int64, len(t.depths))
	for i, d := range t.depths {
		out[i] = d.n
	}
	return out
}

// slope is the least-squares line through the depths of the last two minutes,
// in messages a minute.
func (t *track) slope() (perMinute float64, known bool) {
	if len(t.depths) == 0 {
		return 0, false
	}
	last := t.depths[len(t.depths)-1].at
	var n, sx, sy, sxx, sxy float64
	for _, d := range t.depths {
		x := d.at.Sub(last).Minutes()
		if x < -slopeOver.Minutes() {
			continue
		}
		y := float64(d.n)
		n, sx, sy, sxx, sxy = n+1, sx+x, sy+y, sxx+x*x, sxy+x*y
	}
	if spread := n*sxx - sx*sx; n >= 3 && spread > 1e-12 {
		return (n*sxy - sx*sy) / spread, true
	}
	return 0, false
}

// oldest says since when the message that is next to run has been seen here.
// Messages carry no time, so the truth is that or earlier.
func (t *track) oldest(sample []Message, now time.Time) time.Time {
	if len(sample) == 0 {
		t.sighted = nil
		return time.Time{}
	}
	if len(t.sighted) > maxSighted {
		t.forget(sample)
	}
	if t.sighted == nil {
		t.sighted = map[[sha1.Size]byte]time.Time{}
	}
	for _, m := range sample {
		if sum := sha1.Sum(m.Raw); t.sighted[sum].IsZero() {
			t.sighted[sum] = now
		}
	}
	return t.sighted[sha1.Sum(sample[0].Raw)]
}

// forget keeps only the messages that are still in sight.
func (t *track) forget(sample []Message) {
	kept := make(map[[sha1.Size]byte]time.Time, len(sample))
	for _, m := range sample {
		if sum := sha1.Sum(m.Raw); !t.sighted[sum].IsZero() {
			kept[sum] = t.sighted[sum]
		}
	}
	t.sighted = kept
}
