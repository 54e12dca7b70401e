package actions

import "time"

// RecordKind says what a journal line is.
type RecordKind string

// An intent is written and synced before anything is sent, what was executed
// once it is known, and the outcome when watching ends: so a session that is
// killed loses neither the fact nor the way back. Refusals and cancelled plans
// are recorded too. Torn stands for a line that a crash cut off.
const (
	Intent   RecordKind = "intent"
	Executed RecordKind = "executed"
	Outcome  RecordKind = "outcome"
	Refused  RecordKind = "refused"
	Cancel   RecordKind = "cancelled"
	Torn     RecordKind = "torn"
)

// Record is one line of the journal.
type Record struct {
	Kind     RecordKind        `json:"kind"`
	ActionID string            `json:"action_id"` // Plan.ID: ties outcome to intent
	Action   string            `json:"action"`
	Title    string            `json:"title,omitempty"`
	At       time.Time         `json:"at"`
	Actor    string            `json:"actor"`
	Host     string            `json:"host,omitempty"`
	UserID   int64             `json:"user_id,omitempty"`
	Env      string            `json:"env,omitempty"` // which environment: two may share one journal
	Reason   string            `json:"reason,omitempty"`
	Target   Target            `json:"target"`
	Choice   string            `json:"choice,omitempty"`
	Seen     map[string]string `json:"seen,omitempty"`
	Steps    []Step            `json:"steps,omitempty"`
	Verdict  VerdictKind       `json:"verdict,omitempty"`
	Says     string            `json:"says,omitempty"`
	Evidence []string          `json:"evidence,omitempty"`
	Did      []string          `json:"did,omitempty"`
	Skip     []string          `json:"skip,omitempty"`
	Values   map[string]string `json:"values,omitempty"`
	Undo     *Undo             `json:"undo,omitempty"`
	// Session is the process that wrote the record, as "host/pid": an intent of
	// a process that still runs is not left over.
	Session string `json:"session,omitempty"`
}

// Journal keeps records. Append returns only once the record is on disk.
type Journal interface {
	Append(Record) error
	// Records gives all records, oldest first.
	Records() ([]Record, error)
}
