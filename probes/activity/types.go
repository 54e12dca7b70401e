// Package activity reads what the sessions of PostgreSQL do: who waits for
// whom, which transactions stand open, how many connections are taken. It is
// pg_stat_activity with the application's own sessions told apart from people,
// from PostgreSQL's helpers and from cockpits, in one round trip a look.
//
// A role without pg_monitor sees of other roles' sessions that they are there
// and who blocks whom, but neither their state nor their query; they are
// counted as hidden and never taken for idle.
package activity

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"gradecockpit/probes"
)

// ID is the probe of the sessions. Its payload is an [Overview].
const ID probes.ID = "activity"

// Kind tells whose session it is.
type Kind string

// The kinds of sessions.
const (
	Application Kind = "application" // of the role that owns the grading tables
	Person      Kind = "person"      // a tool that people use: psql, pgAdmin, a dump
	Other       Kind = "other"       // another role or program
	Cockpit     Kind = "cockpit"     // a gradecockpit, ours or another's
	Autovacuum  Kind = "autovacuum"
	Replication Kind = "replication" // a walsender: a standby or a base backup
	Background  Kind = "background"  // workers of PostgreSQL and its extensions
)

// State is what a session does, as PostgreSQL calls it.
type State string

// The states. Unseen is a session whose state our role may not see.
const (
	Unseen  State = ""
	Active  State = "active"
	Idle    State = "idle"
	IdleTx  State = "idle in transaction"
	Aborted State = "idle in transaction (aborted)"
)

// Sureness is how sure something is.
type Sureness int

// No, perhaps, yes.
const (
	No Sureness = iota
	Perhaps
	Yes
)

// Session is one backend. All text is cleaned and bounded.
type Session struct {
	PID   int
	Start time.Time // backend_start; zero: our role may not see it
	Kind  Kind

	Database, User, App string
	Client              string // address, "local socket", or "" where hidden
	Backend             string // backend_type

	State     State
	Since     time.Time // in this state
	Xact      time.Time // start of its transaction; zero: none, or hidden
	QueryAt   time.Time // start of its newest query
	Wrote     bool      // its transaction has an id: it wrote or locked rows
	Text      string    // the newest query, on one line
	Lines     []string  // the same as it was sent, only of sessions asked for
	QueryID   string    // pg_stat_statements' queryid; "" unknown
	Copies    []string  // ids of the copies that the query names, lower case
	Finalizes Sureness  // whether it is a finalization in flight

	WaitType, WaitEvent string
	Waits               string    // for what, in words; "" it does not wait
	WaitSince           time.Time // since when it waits for a lock; zero unknown

	BlockedBy []int // pids, each once; 0 is a prepared transaction
	Holds     []Held
	Workers   int  // parallel workers that work for it
	Hidden    bool // our role may not see what it does

	Superuser bool // of its role
	MaySignal bool // whether we have the rights of its role
}

// Held is a lock on a table.
type Held struct{ Table, Mode string }

// Prepared is a prepared transaction: locks without a session.
type Prepared struct {
	Name, Owner, Database string
	At                    time.Time
}

// Group counts the connections of one user and application to one database.
type Group struct {
	Kind                      Kind
	Database, User, App       string
	Total, Active, Idle, InTx int
}

// Limits is how many connections there may be, and are.
type Limits struct {
	Max, Superuser, Reserved int // reserved: for pg_use_reserved_connections, from 16
	Used                     int // client backends
	// Database and Role are the limits of this database and of the
	// application's role; -1: none. InDatabase and OfRole count.
	Database, Role, InDatabase, OfRole int
}

// Free is how many connections an ordinary role can still open.
func (l Limits) Free() int { return max(l.Ordinary()-l.Used, 0) }

// Ordinary is how many an ordinary role can have.
func (l Limits) Ordinary() int { return max(l.Max-l.Superuser-l.Reserved, 0) }

// Full is the share of them that is taken, from 0 to 1 or more.
func (l Limits) Full() float64 {
	if l.Ordinary() == 0 {
		return 0
	}
	return float64(l.Used) / float64(l.Ordinary())
}

// Rights are what our role may see and do.
type Rights struct {
	Role      string
	SeesAll   bool // pg_read_all_stats, which pg_monitor brings
	Signals   bool // pg_signal_backend
	Superuser bool
	OfApp     bool // has the rights of the application's role
}

// SeeGrant is what lets a role see every session.
func (r Rights) SeeGrant() string { return "GRANT pg_monitor TO " + r.Role + ";" }

// SignalGrant is what lets it cancel and end them.
func (r Rights) SignalGrant() string { return "GRANT pg_signal_backend TO " + r.Role + ";" }

// Overview is one look at all sessions.
type Overview struct {
	ServerTime time.Time
	Version    int    // server_version_num
	Self       int    // the pid of our own reading session
	AppRole    string // owner of the grading tables; "" not found
	Rights     Rights
	Limits     Limits

	// Sessions are those that are not idle, and idle ones that block somebody;
	// LeftOut counts what was more than a look takes.
	Sessions []Session
	LeftOut  int
	Idle     int // sessions that are idle
	Hidden   int // sessions of which we do not know what they do
	OldestTx time.Time
	Groups   []Group
	Prepared []Prepared
	Chains   []Link // the blocking trees, flat: root first, then its children
	Pooled   bool   // our own session changed hands: a pooler is in between
}

// Find gives a session by its pid.
func (o *Overview) Find(pid int) (*Session, bool) {
	i := slices.IndexFunc(o.Sessions, func(s Session) bool { return s.PID == pid })
	if i < 0 {
		return nil, false
	}
	return &o.Sessions[i], true
}

// FindID gives the session of an ID: the same pid and the same start.
func (o *Overview) FindID(id string) (*Session, bool) {
	pid, start, err := ParseID(id)
	if err != nil {
		return nil, false
	}
	s, ok := o.Find(pid)
	if !ok || !start.IsZero() && !s.Start.Equal(start) {
		return nil, false
	}
	return s, true
}

// Waiting counts the sessions that wait for a lock, and the roots of all waits.
func (o *Overview) Waiting() (blocked, roots int) {
	for _, l := range o.Chains {
		if l.Depth == 0 {
			roots++
		} else {
			blocked++
		}
	}
	return blocked, roots
}

// ID names a session for good: a pid alone is given away again.
func (s *Session) ID() string {
	if s.Start.IsZero() {
		return strconv.Itoa(s.PID)
	}
	return fmt.Sprintf("%d/%d", s.PID, s.Start.UnixMicro())
}

// InTx tells whether a transaction is open in it.
func (s *Session) InTx() bool { return !s.Xact.IsZero() }

// Who names it for people: the program or the role.
func (s *Session) Who() string { return who(s.Kind, s.User, s.App) }

// Who names the connections of a group.
func (g Group) Who() string { return who(g.Kind, g.User, g.App) }

func who(k Kind, user, app string) string {
	switch {
	case k == Cockpit:
		parts := strings.SplitN(app, "/", 3)
		return strings.TrimSpace("cockpit " + strings.Join(parts[min(2, len(parts)):], ""))
	case k == Autovacuum || k == Background:
		return string(k)
	case k == Replication:
		return strings.TrimSpace("replication " + app)
	case k == Person:
		return app + " as " + user
	case app != "" && user != "":
		return user + " " + app
	case user == "" && app == "":
		return "unknown"
	}
	return user + app
}

// ParseID reads "pid/start in microseconds since 1970" or a pid alone.
func ParseID(id string) (pid int, start time.Time, err error) {
	first, rest, whole := strings.Cut(strings.TrimSpace(id), "/")
	pid, err = strconv.Atoi(first)
	if err == nil && whole {
		var us int64
		us, err = strconv.ParseInt(rest, 10, 64)
		start = time.UnixMicro(us).UTC()
	}
	if err != nil || pid <= 0 {
		return 0, time.Time{}, fmt.Errorf("a session is named by its PID, or by PID/START")
	}
	return pid, start, nil
}
