// Package celery speaks Celery's wire over Redis: envelopes, control, queues,
// results. It is ours because no Go library does it without Python beside it.
// A malformed message kills workers, so there is one encoder for each kind of
// message and nothing else builds one.
package celery

import (
	"time"

	"gradecockpit/probes"
)

// ID is the probe that reads the broker. Its payload is an Overview.
const ID probes.ID = "queues"

// Overview is the broker at one moment.
type Overview struct {
	Server  string // "redis 7.0.15"; "" when INFO is refused
	DB      int
	Queues  []Queue // every known queue, deepest first
	Waiting int64   // sum of all depths

	// Unacked is what workers took and have not acknowledged: prefetched,
	// scheduled, or orphaned by a killed worker. Running tasks (early
	// acknowledgement) are not in it.
	Unacked int64

	Workers     []Worker // by name; also those that vanished in the last ten minutes
	Receivers   int      // subscribers of the control channel: the wait-free census
	WorkersErr  string
	WorkersAt   time.Time // when Workers was asked; control is asked less often than depth
	Quarantines []Quarantine
}

// Queue is one Celery queue: four Redis lists, one a priority step.
type Queue struct {
	Name       string
	Depth      int64
	ByPriority map[int]int64 // 0, 3, 6, 9; 0 is the most urgent
	// Sample is decoded from both ends of the lists, next to run first.
	Sample []Message
	// ByTask counts the sample by task name, most first. Sampled says that the
	// sample is smaller than the queue.
	ByTask  []TaskCount
	Sampled bool
	// Oldest is a lower bound: when this cockpit first saw the message that is
	// next to run. Messages carry no time of their own.
	Oldest time.Time
	// Consumed says whether a worker takes this queue, by active_queues.
	Consumed Answer
	// History is the depth over the last samples, oldest first; Slope is in
	// messages a minute, meaningful from three samples on.
	History    []int64
	Slope      float64
	SlopeKnown bool
}

// Answer may be unknown.
type Answer int

// No worker answered: Unknown. Workers answered and none takes it: No.
const (
	Unknown Answer = iota
	No
	Yes
)

// TaskCount counts messages by task.
type TaskCount struct {
	Task  string // "async_finalize_copy": the last part of the dotted name
	Count int
}

// Message is one decoded task message. The bytes stay as they were: a message
// that is moved is moved as Raw.
type Message struct {
	ID       string
	Task     string // full dotted name
	CopyID   string // from the arguments, dashed lower-case uuid or as it stood; "" none
	Args     string // arguments in short, cleaned
	Retries  int
	ETA      time.Time
	Queue    string
	Priority int
	Bad      string // why it cannot be read, or would kill the worker that takes it; "" when it is sound
	Kills    bool   // Bad is of the kind that kills the worker that takes it
	Raw      []byte
}

// Worker is one worker with what it runs and what is known of its health.
type Worker struct {
	Name    string
	Pool    int // -1 unknown
	Queues  []string
	Running []Running
	Uptime  time.Duration
	PID     int

	// State is judged from independent evidence; Why gives the reason in words.
	// "" means that nothing judged it.
	State     WorkerState
	Why       string
	Prefetch  int         // prefetch_count; -1 unknown
	Reserved  int         // taken and not started; -1 unknown
	Scheduled int         // held until their eta; -1 unknown
	Version   string      // "celery 5.2.6"; "" unknown
	Totals    []TaskCount // finished since its start, by task, most first
	LastBeat  time.Time   // our clock, when its last event came; zero: none seen
	Processes []int       // pids of its pool
}

// WorkerState is what the evidence about a worker adds up to (section h of the
// wire facts): receivers of the control channel, ping, heartbeats, clients that
// block on BRPOP.
type WorkerState string

// The states. Unsure is a legal answer.
const (
	Healthy      WorkerState = "healthy"
	Busy         WorkerState = "busy"          // every slot runs a task
	PrefetchFull WorkerState = "prefetch full" // and it holds all it may beyond that
	Frozen       WorkerState = "frozen"        // listens and does not answer
	Stopping     WorkerState = "stopping"      // finishes its tasks and ends
	Gone         WorkerState = "gone"          // was there and is not any more
	Deaf         WorkerState = "deaf"          // alive, connected, and takes nothing since Redis restarted
	WrongQueue   WorkerState = "wrong queue"   // works, but on no queue where tasks wait
	Unsure       WorkerState = "unknown"
)

// TasksID is the probe that follows tasks through their states. Its payload is
// a Tasks.
const TasksID probes.ID = "tasks"

// Tasks are the tasks in every state, those that need a look first.
type Tasks struct {
	Rows   []TaskRow
	Counts map[TaskState]int
	// Sampled says in a sentence what was left out because there is too much
	// of it; "" when everything was read.
	Sampled string
	// Partial: the results have not all been gone through yet, or cannot be
	// read, so that the counts of ended tasks still grow with old ones.
	Partial bool
	Limit   time.Duration // the workers' hard time limit; 0 unknown
}

// TaskState is where a task is. It is judged by its effect, not by the word in
// its result.
type TaskState string

// The states.
const (
	TaskWaiting   TaskState = "waiting"
	TaskReserved  TaskState = "reserved"  // prefetched by a worker
	TaskScheduled TaskState = "scheduled" // held until its eta
	TaskRunning   TaskState = "running"
	TaskOrphaned  TaskState = "orphaned" // unacknowledged, and no worker holds it
	TaskDone      TaskState = "done"
	TaskFailed    TaskState = "failed"
	TaskSwallowed TaskState = "failed, said success" // {"status": "error"} inside a SUCCESS
	TaskRetrying  TaskState = "retrying"
	TaskRevoked   TaskState = "revoked"
	TaskLost      TaskState = "lost" // STARTED past the limit, and no worker runs it
	TaskBad       TaskState = "cannot be decoded"
)

// TaskRow is one task.
type TaskRow struct {
	ID       string
	Task     string // full dotted name; "" unknown (results do not store it)
	CopyID   string
	Args     string
	State    TaskState
	Worker   string
	Queue    string
	Priority int
	Retries  int
	ETA      time.Time
	// Since is when it came into this state; zero unknown. AtLeast: it is when
	// this cockpit first saw it there.
	Since   time.Time
	AtLeast bool
	// Nobody: its result says STARTED, and of the workers that were asked since
	// none runs it. Until its time is over it is not lost for certain.
	Nobody bool
	Says   string   // the result, the error, or why it counts as lost
	Trace  []string // traceback, a line each
}

// Running is a task in a worker's hands.
type Running struct {
	ID      string
	Task    string
	CopyID  string
	Args    string
	Started time.Time // zero when unknown
	State   string    // "running", "reserved", "scheduled"; also "waiting", "unacked" from Live
	Worker  string
	Queue   string // where it waits or came from; "" when the worker does not say
}

// Quarantine is a purged queue that can be restored.
type Quarantine struct {
	ID     string // incident or action id, part of the key
	Queue  string
	Count  int64
	At     time.Time // from the id; zero when unknown
	Prefix string    // "cockpit:quarantine:<id>:"
}
