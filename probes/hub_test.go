package probes

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake is a probe whose behaviour is a function.
type fake struct {
	id     ID
	source SourceID
	sample func(ctx context.Context, run int) (any, error)
	runs   atomic.Int64
	active atomic.Int64
	most   atomic.Int64
}

func (f *fake) ID() ID           { return f.id }
func (f *fake) Source() SourceID { return f.source }
func (f *fake) Sample(ctx context.Context) (any, error) {
	if n := f.active.Add(1); n > f.most.Load() {
		f.most.Store(n)
	}
	defer f.active.Add(-1)
	return f.sample(ctx, int(f.runs.Add(1)))
}

func every(d time.Duration, p Probe) Entry {
	return Entry{p, Schedule{Interval: d, Deadline: d / 2}}
}

// run starts a hub in a synctest bubble and stops it before the bubble ends.
func run(t *testing.T, h *Hub) (context.Context, func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { h.Run(ctx); close(done) }()
	return ctx, func() { cancel(); <-done }
}

func TestHubSamplesAtItsInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &fake{id: "a", source: Redis, sample: func(context.Context, int) (any, error) { return "x", nil }}
		h := NewHub([]Entry{every(2*time.Second, p)}, nil)
		_, stop := run(t, h)
		defer stop()
		time.Sleep(11 * time.Second)
		synctest.Wait()
		if got := p.runs.Load(); got != 6 {
			t.Fatalf("runs in 11 s at 2 s: got %d, want 6", got)
		}
		h.Slower()
		time.Sleep(11 * time.Second)
		synctest.Wait()
		if got := p.runs.Load(); got != 8 {
			t.Fatalf("runs after another 11 s at 5 s: got %d, want 8", got)
		}
	})
}

func TestHubKeepsTheLastGoodPayloadAndRecovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		down := atomic.Bool{}
		p := &fake{id: "a", source: Redis, sample: func(_ context.Context, run int) (any, error) {
			if down.Load() {
				return nil, &Error{Source: Redis, Op: "connect", Cause: "refused"}
			}
			return run, nil
		}}
		h := NewHub([]Entry{every(2*time.Second, p)}, nil)
		_, stop := run(t, h)
		defer stop()
		synctest.Wait()
		down.Store(true)
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		n, snap, ok := Of[int](h.Latest(), "a")
		if !ok || n != 1 || snap.Health() != Stale {
			t.Fatalf("after ten minutes of failure: payload %v %v, health %v", n, ok, snap.Health())
		}
		if since := time.Since(snap.FailedSince); since < 9*time.Minute {
			t.Errorf("FailedSince moved: %v ago", since)
		}
		if runs := p.runs.Load(); runs < 30 || runs > 60 {
			t.Errorf("attempts in ten minutes of failure: %d; want a back-off to about one in 15 s that never ends", runs)
		}
		down.Store(false)
		time.Sleep(backOffMost * 12 / 10)
		synctest.Wait()
		if got := h.Latest().Get("a").Health(); got != Live {
			t.Errorf("not recovered within the longest back-off: %v", got)
		}
	})
}

func TestHubSurvivesPanicsAndHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		boom := &fake{id: "boom", source: Redis, sample: func(context.Context, int) (any, error) { panic("bad row") }}
		release := make(chan struct{})
		hang := &fake{id: "hang", source: Logs, sample: func(context.Context, int) (any, error) { <-release; return 1, nil }}
		good := &fake{id: "good", source: Postgres, sample: func(context.Context, int) (any, error) { return 1, nil }}
		h := NewHub([]Entry{every(2*time.Second, boom), every(2*time.Second, hang), every(2*time.Second, good)}, nil)
		_, stop := run(t, h)
		defer stop()
		time.Sleep(20 * time.Second)
		synctest.Wait()
		set := h.Latest()
		if err := set.Get("boom").Err; err == nil || strings.Contains(err.Error(), "bad row") {
			t.Errorf("a panic must be told without its payload: %v", err)
		}
		if err := set.Get("hang").Err; !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a probe that ignores its deadline must be told: %v", err)
		}
		if hang.most.Load() != 1 || hang.runs.Load() != 1 {
			t.Errorf("a hanging probe ran %d times, %d at once", hang.runs.Load(), hang.most.Load())
		}
		if got := good.runs.Load(); got < 9 {
			t.Errorf("a good source was delayed: %d runs in 20 s", got)
		}
		close(release)
		synctest.Wait()
		if got := h.Latest().Get("hang").Health(); got != Live {
			t.Errorf("after it answered: %v", got)
		}
	})
}

func TestHubNeverAsksASourceTwiceAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var active, most atomic.Int64
		slow := func(ctx context.Context, _ int) (any, error) {
			if n := active.Add(1); n > most.Load() {
				most.Store(n)
			}
			defer active.Add(-1)
			time.Sleep(700 * time.Millisecond)
			return 1, nil
		}
		a := &fake{id: "a", source: Postgres, sample: slow}
		b := &fake{id: "b", source: Postgres, sample: slow}
		h := NewHub([]Entry{every(2*time.Second, a), every(2*time.Second, b)}, nil)
		_, stop := run(t, h)
		defer stop()
		for range 20 {
			time.Sleep(300 * time.Millisecond)
			h.Refresh()
		}
		if most.Load() != 1 {
			t.Errorf("%d questions at once to one source", most.Load())
		}
		if a.runs.Load() < 3 || b.runs.Load() < 3 {
			t.Errorf("a probe starved: %d and %d runs", a.runs.Load(), b.runs.Load())
		}
	})
}

func TestHubPauseRefreshAndHidden(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &fake{id: "a", source: Redis, sample: func(context.Context, int) (any, error) { return 1, nil }}
		h := NewHub([]Entry{every(2*time.Second, p)}, nil)
		_, stop := run(t, h)
		defer stop()
		synctest.Wait()
		h.SetPaused(true)
		time.Sleep(time.Minute)
		if got := p.runs.Load(); got != 1 {
			t.Fatalf("ran %d times while paused", got)
		}
		h.Refresh()
		synctest.Wait()
		if got := p.runs.Load(); got != 2 {
			t.Fatalf("refresh while paused: %d runs, want 2", got)
		}
		h.SetPaused(false)
		h.SetVisible([]ID{"other"})
		before := p.runs.Load()
		time.Sleep(81 * time.Second)
		if got := p.runs.Load() - before; got < 9 || got > 11 {
			t.Errorf("hidden for 81 s at 4 x 2 s: %d runs", got)
		}
		h.SlowHidden(8)
		before = p.runs.Load()
		time.Sleep(81 * time.Second)
		if got := p.runs.Load() - before; got < 4 || got > 6 {
			t.Errorf("hidden for 81 s at 8 x 2 s: %d runs", got)
		}
	})
}

func TestHubNextGathersNews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mk := func(id ID, s SourceID) *fake {
			return &fake{id: id, source: s, sample: func(context.Context, int) (any, error) { return 1, nil }}
		}
		h := NewHub([]Entry{every(time.Second, mk("a", Redis)), every(time.Second, mk("b", Logs))}, nil)
		ctx, stop := run(t, h)
		defer stop()
		sets := 0
		for start := time.Now(); time.Since(start) < 10*time.Second; sets++ {
			if _, err := h.Next(ctx, 100*time.Millisecond); err != nil {
				t.Fatal(err)
			}
		}
		if sets > 12 {
			t.Errorf("%d sets in 10 s of two probes at 1 s: news is not gathered", sets)
		}
	})
}

func TestHubNextEndsWithItsContext(t *testing.T) {
	h := NewHub(nil, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := h.Next(ctx, 0); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestSampleAll(t *testing.T) {
	a := &fake{id: "a", source: Redis, sample: func(context.Context, int) (any, error) { return 7, nil }}
	b := &fake{id: "b", source: Logs, sample: func(context.Context, int) (any, error) { return nil, NotConfigured(Logs, "GRADING_LOG_DIR") }}
	set := NewHub([]Entry{every(time.Second, a), every(time.Second, b)}, nil).SampleAll(t.Context())
	if n, _, ok := Of[int](set, "a"); !ok || n != 7 {
		t.Errorf("a: %v %v", n, ok)
	}
	if got := set.SourceHealth(Logs).Health(); got != Unknown {
		t.Errorf("a source that was never configured is %v, want unknown", got)
	}
}

// What costs too much to be seen by nobody runs while it is named alone, also
// where everything is asked anew, and leaves no trace before.
func TestAProbeThatRunsOnScreen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fails := false
		dear := &fake{id: "dear", source: Host, sample: func(context.Context, int) (any, error) {
			if fails {
				return nil, errors.New("no")
			}
			return 1, nil
		}}
		cheap := &fake{id: "cheap", source: Host, sample: func(context.Context, int) (any, error) { return 1, nil }}
		entry := Entry{dear, Schedule{Interval: 10 * time.Second, Deadline: time.Second, OnScreen: true}}
		h := NewHub([]Entry{entry, every(10*time.Second, cheap)}, nil)
		runs := func(want int64) {
			t.Helper()
			synctest.Wait()
			if got := dear.runs.Load(); got != want {
				t.Errorf("%d runs, want %d", got, want)
			}
		}
		set := h.SampleAll(t.Context())
		runs(0)
		if s := set.Get("dear"); s.Seq != 0 || set.SourceHealth(Host).Health() != Live {
			t.Errorf("%+v, and the source is %v", s, set.SourceHealth(Host).Health())
		}
		_, stop := run(t, h)
		defer stop()
		h.Refresh()
		time.Sleep(time.Minute)
		runs(0)
		h.SetVisible([]ID{"dear"})
		time.Sleep(25 * time.Second)
		runs(3)
		if s := h.Latest().Get("dear"); s.ID != "dear" || s.Source != Host || s.Seq != 3 {
			t.Errorf("%+v", s)
		}
		h.SetVisible([]ID{"cheap"})
		time.Sleep(time.Minute)
		runs(3)
		fails = true
		h.SetVisible([]ID{"dear", "cheap"})
		time.Sleep(time.Second)
		runs(4)
		if h.Latest().SourceHealth(Host).Health() != Stale {
			t.Error("it failed, and the source does not say so")
		}
		h.SetVisible(nil)
		if h.Latest().SourceHealth(Host).Health() != Live {
			t.Error("it is not asked any more, and its source stays stale")
		}
	})
}

// A probe that takes all the time it gets leaves the others of its source theirs.
func TestSampleAllSharesTheTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left := func(ctx context.Context) time.Duration {
			end, _ := ctx.Deadline()
			return time.Until(end)
		}
		slow := &fake{id: "slow", source: Postgres, sample: func(ctx context.Context, _ int) (any, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}}
		quick := &fake{id: "quick", source: Postgres, sample: func(ctx context.Context, _ int) (any, error) { return left(ctx), nil }}
		last := &fake{id: "last", source: Postgres, sample: quick.sample}
		h := NewHub([]Entry{every(time.Minute, slow), every(time.Minute, quick), every(time.Minute, last)}, nil)
		ctx, cancel := context.WithTimeout(t.Context(), 6*time.Second)
		defer cancel()
		set := h.SampleAll(ctx)
		if err := set.Get("slow").Err; !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("slow: %v", err)
		}
		for id, want := range map[ID]time.Duration{"quick": 2 * time.Second, "last": 4 * time.Second} {
			if got, _, _ := Of[time.Duration](set, id); got != want {
				t.Errorf("%s has %v, want %v", id, got, want)
			}
		}
	})
}

func TestSampleOne(t *testing.T) {
	a := &fake{id: "a", source: Redis, sample: func(_ context.Context, run int) (any, error) { return run, nil }}
	b := &fake{id: "b", source: Redis, sample: a.sample}
	h := NewHub([]Entry{every(time.Second, a), every(time.Second, b)}, nil)
	h.SampleAll(t.Context())
	set := h.Sample(t.Context(), "a")
	if set.Get("a").Seq != 2 || set.Get("b").Seq != 1 {
		t.Errorf("a ran %d times, b %d", set.Get("a").Seq, set.Get("b").Seq)
	}
}

func TestErrorNamesSourceOperationCauseAndNext(t *testing.T) {
	err := &Error{Source: Postgres, Op: "connect", Cause: "too many clients already", Next: "Free a connection."}
	if got, want := err.Error(), "postgres: connect: too many clients already. Free a connection."; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := Brief(err); got != "too many clients already" {
		t.Errorf("brief: %q", got)
	}
}

func TestBackOffStaysBetweenTheIntervalAndTheMost(t *testing.T) {
	for failures := 1; failures < 100; failures++ {
		got := backOff(2*time.Second, failures)
		if got < 1800*time.Millisecond || got > backOffMost*12/10 {
			t.Fatalf("after %d failures: %v", failures, got)
		}
	}
}
