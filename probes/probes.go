// Package probes is the reading half of the cockpit: what a probe is, what it
// saw last, and the hub that runs the probes in the background.
//
// A probe is a plain function of its clients: no goroutine, no sleeping, no
// retry. The [Hub] owns intervals, deadlines, back-off and panics, with one
// goroutine a source, so a source never gets two questions at once from it.
// Samples may be dropped on the way to the screen; only the newest counts.
//
// This package knows no client and no screen. The packages below it hold the
// sources: grading and postgres, celery, metrics, logs; clean is the one choke
// point for untrusted bytes; lab starts throwaway servers for demo and tests.
package probes

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"
)

// ID names a probe, such as "grading".
type ID string

// SourceID names a source of data, such as "postgres". A source is what can be
// out of reach; one or more probes read it.
type SourceID string

// The sources, in the order in which the screen lists them.
const (
	Postgres SourceID = "postgres"
	Redis    SourceID = "redis"
	Metrics  SourceID = "metrics"
	Logs     SourceID = "logs"
	// Prometheus is a server that scrapes the application; there need not be one.
	Prometheus SourceID = "prometheus"
	// Host is the machine that the cockpit runs on.
	Host SourceID = "host"
)

// Sources lists them in the order of the screen.
func Sources() []SourceID { return []SourceID{Postgres, Redis, Metrics, Logs, Prometheus, Host} }

// Optional tells of a source that is not spoken of where no probe reads it.
func (s SourceID) Optional() bool { return s == Prometheus || s == Host }

// Probe reads one thing from one source.
type Probe interface {
	// ID is unique among all probes.
	ID() ID
	// Source tells whose health this probe speaks for.
	Source() SourceID
	// Sample reads once, within ctx. The payload is immutable from then on.
	// An error should be an [*Error], which can be shown as it is.
	Sample(ctx context.Context) (any, error)
}

// Schedule says how often a probe runs and how long one run may take.
// Deadline is below Interval; the hub cuts it down where it is not.
type Schedule struct {
	Interval time.Duration
	Deadline time.Duration
	// OnScreen is for a look that costs too much to be taken unseen: the probe
	// runs only while [Hub.SetVisible] names it. Before its first run the set has
	// no snapshot of it.
	OnScreen bool
}

// Health is what is known of a source.
type Health int

// A source that never answered is Unknown, one that answered and fails now is
// Stale, one that answers with a refusal is Denied.
const (
	Unknown Health = iota
	Live
	Stale
	Denied
)

// String gives the word that the screen and the JSON output use.
func (h Health) String() string {
	return [...]string{"unknown", "live", "stale", "denied"}[h]
}

// Error is a failure of a source in words for a responder. It holds no secret:
// whoever builds it cleans Cause and keeps DSNs and tokens out.
type Error struct {
	Source SourceID
	Op     string // what was tried: "connect", "read locks"
	Cause  string // what the source said, in one line
	Next   string // what to do now; may be empty
	Denied bool   // the source is up and refuses us
	Err    error  // the cause, for errors.Is; never printed
}

// Error gives one line: source, operation, cause, next step.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(string(e.Source))
	for _, s := range []string{e.Op, e.Cause} {
		if s != "" {
			b.WriteString(": " + s)
		}
	}
	if e.Next != "" {
		b.WriteString(". " + e.Next)
	}
	return b.String()
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Brief gives the cause alone, for places where the source is already named.
func Brief(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Cause
	}
	if err == nil {
		return ""
	}
	return err.Error()
}

// NotConfigured is the error of a source that nobody told us the address of.
func NotConfigured(source SourceID, setting string) *Error {
	return &Error{Source: source, Op: "not configured", Next: "Set " + setting + "."}
}

// Snapshot is the newest that a probe saw. A failure keeps the last good
// payload, so that a pane shows it with its age.
type Snapshot struct {
	ID     ID
	Source SourceID
	Seq    uint64 // counts the runs of this probe, from 1; 0 is "has not run yet"

	At          time.Time     // when the last run ended
	Good        time.Time     // when Payload was read; zero: never
	FailedSince time.Time     // start of the present run of failures; zero: none
	Cost        time.Duration // how long the last run took
	Payload     any           // what the last good run read
	Err         error         // why the last run failed, nil when it did not
}

// Health judges a snapshot.
func (s Snapshot) Health() Health {
	var e *Error
	switch {
	case s.Seq == 0:
		return Unknown
	case s.Err == nil:
		return Live
	case errors.As(s.Err, &e) && e.Denied:
		return Denied
	case s.Good.IsZero():
		return Unknown
	default:
		return Stale
	}
}

// Set is the newest snapshot of each probe at one moment. It is a copy: who
// holds it sees it unchanged.
type Set struct {
	snaps map[ID]Snapshot
}

// NewSet makes a set of the given snapshots; for tests and one-shot commands.
func NewSet(snaps ...Snapshot) Set {
	m := make(map[ID]Snapshot, len(snaps))
	for _, s := range snaps {
		m[s.ID] = s
	}
	return Set{m}
}

// Get gives the snapshot of a probe; the zero snapshot (Seq 0) when it has not
// run.
func (s Set) Get(id ID) Snapshot { return s.snaps[id] }

// Has tells whether a probe of the source belongs to the set.
func (s Set) Has(source SourceID) bool {
	for _, snap := range s.snaps {
		if snap.Source == source {
			return true
		}
	}
	return false
}

// Snapshots gives all of them, by the ID of their probe.
func (s Set) Snapshots() []Snapshot {
	return slices.SortedFunc(maps.Values(s.snaps), func(a, b Snapshot) int { return strings.Compare(string(a.ID), string(b.ID)) })
}

// With gives a set in which one snapshot more, or another one, stands.
func (s Set) With(snap Snapshot) Set {
	m := make(map[ID]Snapshot, len(s.snaps)+1)
	maps.Copy(m, s.snaps)
	m[snap.ID] = snap
	return Set{m}
}

// Of gives the typed payload of a probe and its snapshot. ok is false when
// there has never been a good one.
func Of[T any](s Set, id ID) (payload T, snap Snapshot, ok bool) {
	snap = s.Get(id)
	payload, ok = snap.Payload.(T)
	return payload, snap, ok
}

// SourceHealth is the state of a source over all its probes: the worst one
// speaks, because that is what a responder has to know. Of several in the same
// state it is always the same one.
func (s Set) SourceHealth(source SourceID) Snapshot {
	var worst Snapshot
	found := false
	for _, snap := range s.snaps {
		if snap.Source != source {
			continue
		}
		if now, before := rank(snap.Health()), rank(worst.Health()); !found || now > before || now == before && snap.ID < worst.ID {
			worst, found = snap, true
		}
	}
	worst.Source = source
	return worst
}

func rank(h Health) int {
	return map[Health]int{Live: 0, Unknown: 1, Stale: 2, Denied: 3}[h]
}
