package celery

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// sight is the evidence of one look at the broker about all workers. What may
// be denied or missing has a value for "not known".
type sight struct {
	at        time.Time
	receivers int               // subscribers of the control channel
	replies   int               // workers that answered; two may share one name
	answered  map[string]answer // by name
	beats     map[string]beat   // newest event by name
	bound     []string          // names in the control channel's binding set, stale ones included
	blocked   int               // clients that wait in BRPOP; -1 unknown
	others    int               // clients that are not cockpits; -1 unknown
	runID     string            // of the Redis server; "" unknown
	redisUp   time.Duration     // since its start; 0 unknown
	unacked   int64
	depth     map[string]int64 // waiting messages by queue
	taken     bool             // every listener said which queues it takes
	// unfinished are tasks whose result still says STARTED, among those that
	// vanished workers last ran.
	unfinished map[string]bool
}

// answer is what a worker told of itself in one look.
type answer struct {
	Worker
	solo  bool          // it runs tasks in its main process
	limit time.Duration // hard time limit of a task; 0 none or unknown
	kept  int           // running tasks that are not acknowledged yet
}

// member is what is remembered of a worker from look to look.
type member struct {
	answer
	seen   time.Time // when it last answered; zero: never
	missed time.Time // the first look in a row at which it kept silent; zero: none
	misses int
	runID  string // of the Redis on which it last answered
}

// roster is every worker that is there, or was until a while ago, by name.
type roster map[string]member

const (
	// keepVanished is how long a worker that vanished stays listed.
	keepVanished = 10 * time.Minute
	// comeBack is how long a worker may take to find Redis again after a
	// restart: kombu waits up to 30 s between attempts.
	comeBack = 30 * time.Second
	// reconnects is how long one may take that is connected again: it looks
	// for its neighbours before it listens.
	reconnects = 8 * time.Second
	// maxBound bounds the workers listed because of a stale binding alone.
	maxBound = 5
	// nameless is a worker that listens, and never said who it is.
	nameless = "(never answered)"
)

// next judges every worker by the evidence of one look and by what is
// remembered of the looks before.
func (r roster) next(s sight) roster {
	out := roster{}
	for name, a := range s.answered {
		out[name] = s.present(a)
	}
	silent := s.receivers - s.replies
	missing, mute := r.missing(s, silent), 0
	for _, m := range missing {
		if !s.left(m) {
			mute++
		}
	}
	for name, m := range missing {
		if m.missed.IsZero() {
			m.missed = s.at
		}
		m.misses++
		if at := s.beats[name].at; at.After(m.LastBeat) {
			m.LastBeat = at
		}
		m.State, m.Why = s.absent(m, silent, mute)
		if s.at.Sub(m.missed) < keepVanished {
			out[name] = m
		}
	}
	return out
}

// missing are the workers that should be there and did not answer: those that
// did before, those that send events, and, when somebody listens silently or
// nobody listens at all, those that the binding set names.
func (r roster) missing(s sight, silent int) map[string]member {
	out := map[string]member{}
	add := func(name string) {
		if _, there := s.answered[name]; there || name == nameless {
			return
		}
		m, known := r[name]
		if !known {
			m = member{answer: answer{Worker: Worker{Name: name, Pool: -1, Prefetch: -1, Reserved: -1, Scheduled: -1}}}
		}
		out[name] = m
	}
	for name := range r {
		add(name)
	}
	for name, b := range s.beats {
		if !b.offline && s.at.Sub(b.at) < time.Minute {
			add(name)
		}
	}
	if room := s.listed(silent - len(out)); len(s.bound) <= room {
		for _, name := range s.bound {
			add(name)
		}
	}
	if silent > len(out) {
		m := r[nameless]
		m.Name, m.Pool, m.Prefetch, m.Reserved, m.Scheduled = nameless, -1, -1, -1, -1
		out[nameless] = m
	}
	return out
}

// listed is how many bound names may stand for workers: names stay bound for
// ever when a worker is killed, so they count only while they can be told
// apart.
func (s sight) listed(silent int) int {
	if s.receivers == 0 {
		return maxBound
	}
	return silent + len(s.answered)
}

// present judges a worker that answered.
func (s sight) present(a answer) member {
	m := member{answer: a, seen: s.at, runID: s.runID}
	m.LastBeat = s.beats[a.Name].at
	slots, n := a.slots(), len(a.Running)
	held := max(a.Reserved, 0) + max(a.Scheduled, 0) + a.kept
	if s.receivers == 1 { // then all that is unacknowledged is its own, also what a rate limit holds back
		held = max(held, int(s.unacked))
	}
	full := a.Prefetch > 0 && held >= a.Prefetch
	stranded := s.stranded(a)
	switch {
	case slots > 0 && n >= slots && full:
		m.State = PrefetchFull
		m.Why = fmt.Sprintf("all %d slots run a task (%s) and it holds %d more, all it may: it fetches again when one ends", slots, a.oldest(s.at), held)
	case slots > 0 && n >= slots:
		m.State = Busy
		m.Why = fmt.Sprintf("all %d slots run a task (%s)", slots, a.oldest(s.at))
	case stranded != "":
		m.State, m.Why = WrongQueue, stranded
	case full:
		m.State = PrefetchFull
		m.Why = fmt.Sprintf("it holds %d tasks, all it may, and runs %d: a rate limit or an eta keeps them back, or they are about to start", held, n)
	default:
		m.State = Healthy
		m.Why = fmt.Sprintf("answers; %d of %s slots run a task", n, orUnknown(slots)) + s.waiting()
	}
	return m
}

// slots is how many tasks it runs at once. The processes are counted because
// max-concurrency stays as it was when a pool grows.
func (a answer) slots() int {
	if len(a.Processes) > 0 && !a.solo {
		return len(a.Processes)
	}
	return a.Pool
}

func orUnknown(n int) string {
	if n < 0 {
		return "an unknown number of"
	}
	return fmt.Sprint(n)
}

// oldest tells how long the task that began first has run.
func (a answer) oldest(now time.Time) string {
	var first time.Time
	for _, t := range a.Running {
		if !t.Started.IsZero() && (first.IsZero() || t.Started.Before(first)) {
			first = t.Started
		}
	}
	switch {
	case first.IsZero():
		return "since when is not known"
	case a.limit > 0:
		return fmt.Sprintf("the oldest for %s of at most %s", span(now.Sub(first)), span(a.limit))
	}
	return "the oldest for " + span(now.Sub(first))
}

func span(d time.Duration) string {
	s := max(d, 0).Truncate(time.Second).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

func (s sight) waiting() string {
	if s.blocked < 0 {
		return ""
	}
	return fmt.Sprintf("; clients that wait for a message: %d", s.blocked)
}

// stranded says that tasks wait where nobody takes them, and none where this
// worker does.
func (s sight) stranded(a answer) string {
	taken := map[string]bool{}
	for _, other := range s.answered {
		for _, q := range other.Queues {
			taken[q] = true
		}
	}
	var left []string
	for _, q := range slices.Sorted(maps.Keys(s.depth)) {
		switch {
		case s.depth[q] == 0:
		case slices.Contains(a.Queues, q):
			return ""
		case !taken[q]:
			left = append(left, fmt.Sprintf("%s (%d)", q, s.depth[q]))
		}
	}
	if len(left) == 0 || !s.taken {
		return ""
	}
	takes := "no queue: it was told to stop, or is paused"
	if len(a.Queues) > 0 {
		takes = "only " + strings.Join(a.Queues, ", ")
	}
	return fmt.Sprintf("tasks wait on %s, which nobody takes; it takes %s. Let it consume that queue, or start a worker with -Q", strings.Join(left, ", "), takes)
}

// left says that a worker said goodbye. One that loses Redis says it too, when
// it is back.
func (s sight) left(m member) bool {
	b := s.beats[m.Name]
	return b.offline && !b.at.Before(m.seen) && !s.restarted(m)
}

// absent judges a worker that did not answer. silent is how many listen and
// keep silent, missing among how many those are.
func (s sight) absent(m member, silent, missing int) (WorkerState, string) {
	b, gone := s.beats[m.Name], span(s.at.Sub(m.missed))
	switch {
	case s.left(m):
		return s.leaving(m, b)
	case silent >= missing:
		return s.mute(m, b)
	case silent > 0:
		return Unsure, fmt.Sprintf("%d of %d workers that do not answer still listen; which of them is not known", silent, missing)
	case s.restarted(m):
		return s.afterRestart(m, b.at.After(m.missed) && !b.offline)
	case b.at.After(m.missed) && !b.offline:
		return Unsure, "sends heartbeats and does not listen for control: worker_enable_remote_control may be off"
	case m.seen.IsZero():
		return Gone, "its name is still bound and nobody listens: it was killed, or is deaf since Redis restarted. Restart it"
	case s.running(m) > 0 && s.unbound(m.Name):
		return Stopping, fmt.Sprintf("it no longer listens, and %s it ran is not finished: a warm stop. It ends with its tasks", plural(s.running(m), "task"))
	}
	return Gone, "nobody listens under its name for " + gone + ", and it said no goodbye: killed or crashed. " + s.lost(m) + "Start it again"
}

// leaving judges a worker that said goodbye: it ends when its tasks do.
func (s sight) leaving(m member, b beat) (WorkerState, string) {
	ago := span(s.at.Sub(b.at))
	n := s.running(m)
	if m.seen.IsZero() {
		n = b.active
	}
	if n > 0 {
		return Stopping, fmt.Sprintf("it said goodbye %s ago and still runs %s. Wait: it gives back what it holds, and ends, when that is done", ago, plural(n, "task"))
	}
	return Gone, "it stopped in order " + ago + " ago; what it held went back to its queues. Start it if nobody takes those"
}

// mute judges a worker that listens and keeps silent. Once may be chance.
func (s sight) mute(m member, b beat) (WorkerState, string) {
	since := span(s.at.Sub(m.missed))
	switch {
	case m.misses < 2:
		return Unsure, "it listens and did not answer in time; it is asked again"
	case b.at.After(m.missed):
		return Unsure, "it listens and sends heartbeats, and did not answer for " + since + ": its main process is very busy"
	case m.solo && len(m.Running) > 0:
		return Busy, "it listens and does not answer: with a solo pool it cannot while it runs a task (" + m.oldest(s.at) + ")"
	}
	return Frozen, fmt.Sprintf("it listens and did not answer for %s, asked %d times: its main process is stopped or hangs. Restart it. %sWhat it reserved stays unacknowledged until it is restored", since, m.misses, s.lost(m))
}

// restarted says that Redis is another process than when the worker answered.
func (s sight) restarted(m member) bool { return m.runID != "" && s.runID != "" && m.runID != s.runID }

func (s sight) afterRestart(m member, beats bool) (WorkerState, string) {
	up := "Redis restarted " + span(s.redisUp) + " ago and it "
	switch {
	case m.misses < 2 || s.redisUp < reconnects:
		return Unsure, up + "does not listen yet; it may be about to come back"
	case beats:
		return Deaf, up + "sends heartbeats and does not listen since: it takes no tasks. Restart it; --without-mingle or kombu 5.4 avoids this"
	case s.others == 0 && s.redisUp < comeBack:
		return Unsure, up + "has not connected again yet; it may wait up to 30 s between attempts"
	case s.others == 0:
		return Gone, up + "has not connected again: its process is gone. Start it"
	}
	return Deaf, up + "does not listen since, though clients are connected: its process may be up and its log say Connected. Restart it; --without-mingle or kombu 5.4 avoids this"
}

// running counts the tasks which a vanished worker last ran and whose results
// are still open.
func (s sight) running(m member) int {
	n := 0
	for _, t := range m.Running {
		if s.unfinished[t.ID] {
			n++
		}
	}
	return n
}

func (s sight) unbound(name string) bool { return !slices.Contains(s.bound, name) }

func (s sight) lost(m member) string {
	if n := len(m.Running); n > 0 {
		return "Lost with it: " + plural(n, "running task") + ". "
	}
	return ""
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// workers lists the roster by name. Those that vanished are among them, with
// nothing in their hands: what they ran is told by its results.
func (r roster) workers() []Worker {
	out := make([]Worker, 0, len(r))
	for _, m := range r {
		if m.State == Gone || m.State == Deaf {
			m.Running = nil
		}
		out = append(out, m.Worker)
	}
	slices.SortFunc(out, func(a, b Worker) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

// mute says that a worker listens and has kept silent for long.
func (r roster) mute() bool {
	for _, m := range r {
		if m.misses >= 4 && (m.State == Frozen || m.State == Unsure) {
			return true
		}
	}
	return false
}

// settled says that no worker needs to be asked again soon.
func (r roster) settled() bool {
	for _, m := range r {
		if m.misses > 0 && m.misses < 4 || m.State == Stopping {
			return false
		}
	}
	return true
}
