// Package storage looks at PostgreSQL as the place where the grading system
// keeps its data: sizes and growth, cache hits, scans, dead rows, wraparound,
// indexes with their use and those that are missing, replication, the settings
// that matter in an incident, and what pg_stat_statements counted.
//
// A role with pg_monitor sees all of it. What the present role does not see is
// named in [Overview.Hidden], never shown as zero. Sizes are bytes, times
// seconds. What counts "since the statistics" counts since
// [Database.StatsSince]; what is Recent was counted between two looks of this
// probe, at most [Overview.Window] ago.
package storage

import (
	"math"
	"time"

	"gradecockpit/probes"
)

// ID is the probe of this package. Its payload is an Overview.
const ID probes.ID = "storage"

// Unknown stands for a size or a number that could not be read.
const Unknown int64 = -1

// Overview is one look at the database.
type Overview struct {
	At          time.Time     // by the server's clock
	Window      time.Duration // what Recent figures stand for; 0: there was only one look
	Database    Database
	Tables      []Table // the largest first; those of the grading system are always among them
	TableCount  int     // all tables there are
	Settings    []Setting
	Replication Replication
	Statements  Statements
	Missing     []Missing // indexes that queries would want, what matters first
	Hidden      []string  // what the role cannot see, a sentence each with what to grant
}

// Database is the database as a whole.
type Database struct {
	Name, Role string
	Version    string // "15.18"
	Size       int64  // pg_database_size; Unknown
	Growth     Growth
	// CacheHits is the share of blocks found in shared_buffers, 0…1; NaN where
	// none was asked for. What the operating system had cached counts as a miss.
	CacheHits       float64 // since the statistics
	RecentCacheHits float64 // in the window
	StatsSince      time.Time
	// XIDAge is the age of the oldest transaction id of the database that is
	// the oldest of the server, and OldestName is its name. At about 2 billion
	// the server stops taking writes.
	XIDAge     int64
	OldestName string
	FreezeMax  int64 // autovacuum_freeze_max_age, from which autovacuum forces itself on
	// DataDir is the folder of the data; "" where the role may not know.
	DataDir string
	// Local: the server runs on the machine that the cockpit runs on, as far as
	// the connection tells.
	Local bool
}

// Growth is by how much a size changed over a time.
type Growth struct {
	Bytes int64
	Over  time.Duration // 0: not known, there was only one look
}

// Known tells whether there were two looks.
func (g Growth) Known() bool { return g.Over > 0 }

// PerHour spreads it; NaN when it is not known.
func (g Growth) PerHour() float64 {
	if !g.Known() {
		return math.NaN()
	}
	return float64(g.Bytes) / g.Over.Hours()
}

// Table is one table with its indexes.
type Table struct {
	Schema, Name         string
	Grading              bool // one of the grading system's
	Locked               bool // ALTER TABLE, VACUUM FULL or the like holds it: its sizes are Unknown
	Heap, Indexes, Toast int64
	Growth               Growth // of all three
	Rows, Dead           int64  // estimates of the server's
	Scans                Scans  // since the statistics
	Recent               Scans  // in the window
	RecentKnown          bool
	Vacuumed, Analyzed   time.Time // by hand or by autovacuum, the later one; zero: never
	XIDAge               int64
	List                 []Index // the used ones first
	Columns              []string
}

// Ref names it, as in "public.exams_copy".
func (t Table) Ref() string { return t.Schema + "." + t.Name }

// Total is the size of the table with everything; Unknown when a part is.
func (t Table) Total() int64 {
	if t.Heap < 0 || t.Indexes < 0 || t.Toast < 0 {
		return Unknown
	}
	return t.Heap + t.Indexes + t.Toast
}

// Scans counts how a table was read.
type Scans struct {
	Seq     int64 // sequential scans
	SeqRows int64 // rows that those read
	Index   int64
}

// DeadShare is the share of dead rows, 0…1; NaN for an empty table.
func (t Table) DeadShare() float64 { return ratio(t.Dead, t.Rows+t.Dead) }

// Index is one index with its use.
type Index struct {
	Name, Definition string
	Columns          []string // key columns; "(expression)" for one that is none
	Size             int64
	Scans            int64 // since the statistics
	LastScan         time.Time
	Unique, Primary  bool
	Constraint       bool // a constraint needs it
	Valid            bool // false: a CREATE INDEX CONCURRENTLY that failed, or still runs
	Partial          bool
	// DuplicateOf names an index with the same keys that can stay when this one
	// goes; "" when there is none.
	DuplicateOf string

	keys string // what two duplicates have in common
}

// Unused tells that nothing has read it since the statistics began, and no
// constraint needs it.
func (i Index) Unused() bool { return i.Scans == 0 && !i.Unique && !i.Primary && !i.Constraint }

// Setting is one of the server's settings, as our own session has it: roles and
// databases may have their own.
type Setting struct {
	Name, Value string // the value with its unit: "1000 ms"
	Says        string // what that means in an incident
	Restart     bool   // the file has another value, which waits for a restart
}

// Replication says who follows this server, or how far behind it is itself.
type Replication struct {
	Replica bool          // this server follows another
	Lag     time.Duration // of a replica, since the last transaction it replayed
	LagSize int64         // received and not yet replayed; Unknown
	// Standbys follow this server. Blind: there are some, which the role cannot look at.
	Standbys []Standby
	Blind    bool
}

// Standby is one server that follows.
type Standby struct {
	Name, Address, State, Sync string
	Lag                        time.Duration // to replay; negative: not known
	Behind                     int64         // bytes not replayed; Unknown
}

func ratio(part, whole int64) float64 {
	if whole <= 0 {
		return math.NaN()
	}
	return float64(part) / float64(whole)
}
