package celery

import (
	"strings"
	"testing"
	"time"
)

// The table of section h of the wire facts, and what lies between its lines.
func TestJudge(t *testing.T) {
	t0 := time.Date(2026, 2, 1, 14, 0, 0, 0, time.UTC)
	at := func(seconds int) time.Time { return t0.Add(time.Duration(seconds) * time.Second) }
	w := func(name string, running, reserved int) answer {
		a := answer{Worker: Worker{Name: name, Pool: 2, Queues: []string{"celery"}, Prefetch: 8, Reserved: reserved}, limit: 5 * time.Minute}
		for i := range running {
			a.Running = append(a.Running, Running{ID: name + string(rune('0'+i)), Started: t0.Add(-time.Minute)})
		}
		return a
	}
	look := func(second, receivers int, answers ...answer) sight {
		s := sight{at: at(second), receivers: receivers, replies: len(answers), answered: map[string]answer{},
			blocked: 1, others: 3, runID: "r1", redisUp: time.Hour, taken: true}
		for _, a := range answers {
			s.answered[a.Name] = a
		}
		return s
	}
	with := func(s sight, change func(*sight)) sight { change(&s); return s }
	offline := func(second int) func(*sight) {
		return func(s *sight) { s.beats = map[string]beat{"w1": {at: at(second), offline: true, active: 1}} }
	}
	depth := func(d map[string]int64) func(*sight) { return func(s *sight) { s.depth = d } }
	restarted := func(up, others int) func(*sight) {
		return func(s *sight) { s.runID, s.redisUp, s.others = "r2", time.Duration(up)*time.Second, others }
	}
	solo := w("w1", 1, 0)
	solo.solo, solo.Pool = true, 1
	grown := w("w1", 2, 0)
	grown.Processes = []int{1, 2, 3}
	paused := w("w1", 0, 0)
	paused.Queues = nil
	other := w("w2", 0, 0)
	other.Queues = []string{"finalize"}
	late := w("w1", 2, 6)
	late.kept = 2

	for _, c := range []struct {
		name  string
		looks []sight
		want  WorkerState
		says  string
	}{
		{"idle", []sight{look(0, 1, w("w1", 0, 0))}, Healthy, "0 of 2 slots"},
		{"one slot free", []sight{look(0, 1, w("w1", 1, 0))}, Healthy, "1 of 2"},
		{"busy", []sight{look(0, 1, w("w1", 2, 1))}, Busy, "oldest for 1m of at most 5m"},
		{"a grown pool has more slots than max-concurrency", []sight{look(0, 1, grown)}, Healthy, "2 of 3"},
		{"prefetch full", []sight{look(0, 1, w("w1", 2, 8))}, PrefetchFull, "holds 8 more"},
		{"late acknowledgement counts what runs", []sight{look(0, 1, late)}, PrefetchFull, "holds 8 more"},
		{"a rate limit keeps tasks back", []sight{with(look(0, 1, w("w1", 0, 0)), func(s *sight) { s.unacked = 8 })}, PrefetchFull, "rate limit"},
		{"unacked of two workers is told apart by nobody", []sight{with(look(0, 2, w("w1", 0, 0), other), func(s *sight) { s.unacked = 8 })}, Healthy, ""},
		{"wrong queue", []sight{with(look(0, 1, w("w1", 0, 0)), depth(map[string]int64{"finalize": 3, "celery": 0}))}, WrongQueue, "finalize (3)"},
		{"told to consume nothing", []sight{with(look(0, 1, paused), depth(map[string]int64{"celery": 3}))}, WrongQueue, "takes no queue"},
		{"another takes it", []sight{with(look(0, 2, w("w1", 0, 0), other), depth(map[string]int64{"finalize": 3}))}, Healthy, ""},
		{"its own queue has tasks too", []sight{with(look(0, 1, w("w1", 0, 0)), depth(map[string]int64{"finalize": 3, "celery": 1}))}, Healthy, ""},
		{"a silent one may take it", []sight{with(look(0, 2, w("w1", 0, 0)), func(s *sight) { s.depth, s.taken = map[string]int64{"finalize": 3}, false })}, Healthy, ""},
		{"silent once", []sight{look(0, 1, w("w1", 0, 0)), look(2, 1)}, Unsure, "asked again"},
		{"silent twice", []sight{look(0, 1, w("w1", 1, 3)), look(2, 1), look(4, 1)}, Frozen, "Restart it. Lost with it: 1 running task"},
		{"silent with a pulse", []sight{look(0, 1, w("w1", 0, 0)), look(2, 1), with(look(4, 1), func(s *sight) { s.beats = map[string]beat{"w1": {at: at(3)}} })}, Unsure, "very busy"},
		{"a solo pool runs a task", []sight{look(0, 1, solo), look(2, 1), look(4, 1)}, Busy, "solo"},
		{"answers again", []sight{look(0, 1, w("w1", 0, 0)), look(2, 1), look(4, 1), look(6, 1, w("w1", 0, 0))}, Healthy, ""},
		{"killed", []sight{look(0, 1, w("w1", 1, 0)), with(look(2, 0), func(s *sight) { s.bound = []string{"w1"} })}, Gone, "no goodbye"},
		{"killed with its task open", []sight{look(0, 1, w("w1", 1, 0)), with(look(2, 0), func(s *sight) {
			s.bound, s.unfinished = []string{"w1"}, map[string]bool{"w10": true}
		})}, Gone, "Lost with it"},
		{"unbound with its task open", []sight{look(0, 1, w("w1", 1, 0)), with(look(2, 0), func(s *sight) { s.unfinished = map[string]bool{"w10": true} })}, Stopping, "warm stop"},
		{"said goodbye with its task open", []sight{look(0, 1, w("w1", 1, 0)), with(with(look(2, 0), offline(1)), func(s *sight) { s.unfinished = map[string]bool{"w10": true} })}, Stopping, "Wait"},
		{"said goodbye and is done", []sight{look(0, 1, w("w1", 1, 0)), with(look(2, 0), offline(1))}, Gone, "in order"},
		{"said goodbye before and is back", []sight{with(look(2, 1, w("w1", 0, 0)), offline(1))}, Healthy, ""},
		{"a new one died after an old goodbye", []sight{with(look(2, 1, w("w1", 0, 0)), offline(1)), with(look(4, 0), offline(1))}, Gone, "no goodbye"},
		{"Redis restarted just now", []sight{look(0, 1, w("w1", 0, 0)), with(look(2, 0), restarted(1, 2)), with(look(4, 0), restarted(3, 2))}, Unsure, "about to come back"},
		{"deaf", []sight{look(0, 1, w("w1", 0, 0)), with(look(9, 0), restarted(8, 2)), with(look(11, 0), restarted(10, 2))}, Deaf, "Restart it"},
		{"deaf, though it said goodbye when it lost Redis", []sight{look(0, 1, w("w1", 0, 0)), with(with(look(9, 0), restarted(8, 2)), offline(3)), with(with(look(11, 0), restarted(10, 2)), offline(3))}, Deaf, ""},
		{"deaf with a pulse", []sight{look(0, 1, w("w1", 0, 0)), with(look(9, 0), restarted(8, 2)), with(with(look(11, 0), restarted(10, 2)), func(s *sight) { s.beats = map[string]beat{"w1": {at: at(10)}} })}, Deaf, "heartbeats"},
		{"CLIENT LIST is denied", []sight{look(0, 1, w("w1", 0, 0)), with(look(9, 0), restarted(8, -1)), with(look(11, 0), restarted(10, -1))}, Deaf, ""},
		{"nobody is connected since Redis restarted", []sight{look(0, 1, w("w1", 0, 0)), with(look(9, 0), restarted(8, 0)), with(look(11, 0), restarted(10, 0))}, Unsure, "between attempts"},
		{"nor later", []sight{look(0, 1, w("w1", 0, 0)), with(look(9, 0), restarted(8, 0)), with(look(40, 0), restarted(39, 0))}, Gone, "process is gone"},
		{"one of two that keep silent listens", []sight{look(0, 2, w("w1", 0, 0), other), look(2, 1), look(4, 1)}, Unsure, "1 of 2"},
		{"the other one stops, this one is frozen", []sight{look(0, 2, w("w1", 0, 0), other), with(look(2, 1), func(s *sight) { s.beats = map[string]beat{"w2": {at: at(1), offline: true}} }),
			with(look(4, 1), func(s *sight) { s.beats = map[string]beat{"w2": {at: at(1), offline: true}} })}, Frozen, ""},
		{"no remote control", []sight{with(look(2, 0), func(s *sight) { s.beats = map[string]beat{"w1": {at: at(1)}} }),
			with(look(4, 0), func(s *sight) { s.beats = map[string]beat{"w1": {at: at(3)}} })}, Unsure, "worker_enable_remote_control"},
		{"only its binding is left", []sight{with(look(0, 0), func(s *sight) { s.bound = []string{"w1"} })}, Gone, "still bound"},
		{"the one that is bound is the one that is silent", []sight{with(look(0, 1), func(s *sight) { s.bound = []string{"w1"} }), with(look(2, 1), func(s *sight) { s.bound = []string{"w1"} })}, Frozen, ""},
		{"vanished long ago", []sight{look(0, 1, w("w1", 0, 0)), look(2, 0), look(700, 0)}, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := roster{}
			for _, s := range c.looks {
				r = r.next(s)
			}
			m := r["w1"]
			if m.State != c.want || !strings.Contains(m.Why, c.says) {
				t.Errorf("%q (%s), want %q (…%s…)", m.State, m.Why, c.want, c.says)
			}
			if (m.Why == "") != (m.State == "") {
				t.Errorf("state %q has the reason %q", m.State, m.Why)
			}
		})
	}
}

// TestTheLastBeatOfASilentWorker: one that never answered is known by its
// heartbeats, and what it sent last is kept when they end.
func TestTheLastBeatOfASilentWorker(t *testing.T) {
	at := func(seconds int64) time.Time { return time.Unix(1000+seconds, 0) }
	r := roster{}
	for _, c := range []struct{ look, beat, want int64 }{{2, 1, 1}, {4, 3, 3}, {6, 0, 3}} {
		s := sight{at: at(c.look)}
		if c.beat > 0 {
			s.beats = map[string]beat{"w1": {at: at(c.beat)}}
		}
		r = r.next(s)
		if got := r["w1"].LastBeat; !got.Equal(at(c.want)) {
			t.Errorf("second %d: the last beat is of %v, want %v", c.look, got, at(c.want))
		}
	}
}

func TestSilentListenersWithoutAName(t *testing.T) {
	s := sight{at: time.Unix(1000, 0), receivers: 2, bound: []string{"a", "b", "c", "d"}}
	r := roster{}.next(s)
	if len(r) != 1 || r[nameless].State != Unsure {
		t.Errorf("once: %+v", r)
	}
	s.at = s.at.Add(time.Second)
	if r = r.next(s); r[nameless].State != Frozen || r[nameless].Name != nameless {
		t.Errorf("twice: %+v", r)
	}
}
