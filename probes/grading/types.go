package grading

import (
	"time"

	"gradecockpit/probes"
)

// ID is the probe that reads the grading tables: locks, copies and events in
// one round trip. Its payload is an Overview.
const ID probes.ID = "grading"

// Dialect says whose names the tables use.
type Dialect string

// Deployed is what the real system has (owner_id, locked_at, page_index, …),
// Playbook what the playbook says (locked_by_id, created_at, page, …). Mixed
// has names of both and is served column by column like the others.
const (
	Deployed Dialect = "deployed"
	Playbook Dialect = "playbook"
	Mixed    Dialect = "mixed"
)

// LockMode is the setting that says whether the application uses locks: the
// schema cannot tell (the table outlived the code).
type LockMode string

// LocksAuto decides from what is seen (lock rows, recent LOCK events).
const (
	LocksAuto LockMode = "auto"
	LocksOn   LockMode = "on"
	LocksOff  LockMode = "off"
)

// Part is a piece of a payload that an installation may not have, or that our
// role may not read.
type Part[T any] struct {
	Value   T
	Missing string // why it is not here, as a sentence; "" means it is here
	Fix     string // the GRANT or setting that would bring it; may be empty
}

// Here tells whether the part was read.
func (p Part[T]) Here() bool { return p.Missing == "" }

// CopyRef names a copy: the row id that the tables use and the anonymous id
// that people use.
type CopyRef struct {
	ID   string // uuid (deployed) or whatever the id column holds, as text
	Anon string // anonymous_id; "" when the column is not here
}

// Label is what the screen shows: the anonymous id, else the start of the row id.
func (c CopyRef) Label() string {
	if c.Anon != "" {
		return c.Anon
	}
	if len(c.ID) > 8 {
		return c.ID[:8]
	}
	return c.ID
}

// User is an auth_user row; Name is empty when it cannot be read.
type User struct {
	ID   int64 // 0: nobody
	Name string
}

// Overview is everything that the locks, stuck and timeline panes need, read
// in one round trip and judged by the database's clock.
type Overview struct {
	Schema     *Schema
	ServerTime time.Time     // now() of the database
	Skew       time.Duration // database clock minus ours, at the middle of the round trip

	LocksInUse Tri    // by the setting, or by what is seen
	LocksWhy   string // the reason in words

	Locks   Part[Locks]
	Stuck   Part[Stucks]
	Events  Part[Events]
	Status  Part[[]StatusCount]
	Started time.Time // when this cockpit began to look: bounds what "first seen" can mean
}

// Tri is an answer that may be unknown.
type Tri int

// Unknown is a legal answer and is shown as such.
const (
	TriUnknown Tri = iota
	TriNo
	TriYes
)

// Locks is the head of the lock table, oldest expiry first, with totals over
// all rows.
type Locks struct {
	Rows    []Lock
	Total   int
	Expired int
	Oldest  time.Time // when the oldest was made; zero: there is none, or that is not known
}

// Lock is one row of grading_copylock.
type Lock struct {
	LockID      string // primary key, as text
	Copy        CopyRef
	Owner       User
	Since       time.Time
	Expires     time.Time
	Expired     bool   // judged by the database's clock
	TokenPrefix string // first 8 characters; the full token never leaves an action
	CopyStatus  string
	// LastBeat is the last heartbeat, inferred from expires_at minus the TTL
	// setting; zero when the TTL is unknown.
	LastBeat time.Time
	// Abandoned is set when the browser has missed three heartbeats of 30 s.
	Abandoned bool
	// DraftVersion counts the autosaves of the owner's draft; -1 when there is
	// none or it cannot be read.
	DraftVersion int
}

// Stucks is the head of the stuck copies, longest first, with totals over all.
type Stucks struct {
	Rows    []Stuck
	Total   int
	ByCause map[Cause]int // a cause that is not in it has none
}

// Cause says by which rule a copy counts as stuck.
type Cause string

// The rules; their source is section 3 of the facts about the deployed system
// ("Age without created_at", "Statuses x what a finalize task does").
const (
	CauseImport     Cause = "import"      // STAGING without any page
	CauseFailed     Cause = "failed"      // GRADING_FAILED, or LOCKED with a failed FINALIZE event
	CauseInProgress Cause = "in-progress" // GRADING_IN_PROGRESS past the task limit
	CauseNoLock     Cause = "no-lock"     // LOCKED, locks in use, and no lock row
	CauseExpired    Cause = "expired"     // LOCKED behind a lock that expired: finalize fails for ever
	CauseDeadEnd    Cause = "dead-end"    // LOCKED where locks are not in use any more
	CauseNoPDF      Cause = "no-pdf"      // GRADED without a final PDF
)

// Stuck is a copy that does not move by itself any more.
type Stuck struct {
	Copy   CopyRef
	Status string
	Cause  Cause
	Why    string // one short sentence
	Since  time.Time
	// SinceFrom says which timestamp Since is: "lock", "IMPORT event",
	// "first seen". Guess marks those that only bound it: the first sighting, the
	// last event before it, the making of the exam.
	SinceFrom string
	Guess     bool
	Pages     int // -1: unknown
	Holder    User
}

// Events is the newest part of the audit timeline, newest first.
type Events struct {
	Rows     []Event
	LastHour int
	Gaps     int // rows of Rows that carry a Gap
	More     bool

	// Failed are the FINALIZE events of the last hour that tell of a failure.
	// None is no proof: the deployed system rolls them back (facts, section 0).
	Failed int
	// Finalized are the FINALIZE events of the last hour that tell of a success,
	// by copy id, to the second; the newest 1000. A copy that is graded again has
	// none, because the application reuses its first one.
	Finalized map[string]time.Time
	// ByAction counts the events by kind, most first. It is nil until the whole
	// table could be counted.
	ByAction []ActionCount
	// Eventless counts the copies without any event, by status, as of EventlessAt
	// (zero: not known). An exam upload writes none, so some are as they should be.
	Eventless   []StatusCount
	EventlessAt time.Time
}

// ActionCount counts the events of one kind.
type ActionCount struct {
	Action string
	// Total is how many there were when they were first counted, and every one
	// that came since: rows that are deleted do not take it down.
	Total    int
	LastHour int
	Last     time.Time // the newest; zero unknown
}

// Cursor is a place in the timeline for keyset paging: the rows before it.
type Cursor struct {
	At time.Time
	ID string
}

// Event is one row of grading_gradingevent, or a gap that was found in it.
type Event struct {
	ID     string
	At     time.Time
	Action string
	Copy   CopyRef
	Actor  User
	Detail string // what the metadata says, in words
	Failed bool   // FINALIZE with success:false
	// Gap is set on a row that is no event but the place of missing ones, such
	// as "IMPORT → FINALIZE: no VALIDATE". Its time is that of the event after it.
	Gap string
}

// StatusCount counts the copies in one status.
type StatusCount struct {
	Status string
	Count  int
}

// Dossier is what the database knows of one copy.
type Dossier struct {
	Copy       CopyRef
	ServerTime time.Time
	Status     string
	Since      time.Time
	SinceFrom  string
	Guess      bool
	Exam       string
	Booklets   int // -1: unknown
	Pages      int // -1: unknown
	PDFSource  string
	FinalPDF   string // "" none
	GradedAt   time.Time
	LockedBy   User
	LockedAt   time.Time
	Corrector  User
	Error      string // grading_error_message
	Retries    int    // -1: unknown

	Annotations []PageAnnotations
	// Score is what a finalization would write now, with its parts:
	// "14 (annotations 12 + questions 2)"; ScoreKnown false: cannot be computed.
	Score      string
	ScoreKnown bool

	Lock    *Lock
	Events  []Event  // newest first, gaps included
	Notes   []string // what a responder must know: duplicate FINALIZE events, no lock row, …
	Missing []string // parts this installation or role does not give, as sentences
}

// PageAnnotations counts the annotations of one page.
type PageAnnotations struct {
	Page   int
	Count  int
	Points float64
}

// Thresholds bound the rules for stuck copies.
type Thresholds struct {
	Import     time.Duration // STAGING without pages for longer is stuck
	InProgress time.Duration // GRADING_IN_PROGRESS for longer is stuck
	Locked     time.Duration // LOCKED without a usable lock for longer is stuck
	LockTTL    time.Duration // the application's lock TTL (600 s; 1800 s from 02-20)
}

// DefaultThresholds are the facts sheet's: tasks end at 300 s, the default TTL is 600 s.
func DefaultThresholds() Thresholds {
	return Thresholds{
		Import:     10 * time.Minute,
		InProgress: 5 * time.Minute,
		Locked:     10 * time.Minute,
		LockTTL:    10 * time.Minute,
	}
}
