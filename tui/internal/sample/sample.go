// Package sample is sample data for the tests of the screen and of its panes:
// one world of payloads in the states a screen must stand, with fixed clocks so
// that golden frames stay. Nothing but tests imports it.
package sample

import (
	"errors"
	"time"

	"gradecockpit/probes"
	"gradecockpit/probes/celery"
	"gradecockpit/probes/grading"
	"gradecockpit/probes/logs"
	"gradecockpit/probes/metrics"
	"gradecockpit/probes/storage"
)

// The moment of all samples by the clock of the cockpit, and by that of the
// database, which is ahead.
var (
	Now    = time.Date(2026, 2, 1, 14, 30, 45, 0, time.UTC)
	Server = Now.Add(3 * time.Second)
)

// Two copies as tasks name them.
const (
	UUIDA = "8c3b1f0a-52a1-4b7e-9c60-0f4d7f1f0a42"
	UUIDB = "1d0e3c55-9b7d-4a1c-8a8e-5b2f6f3c0007"
)

// Ago is a moment of the past by the clock of the database.
func Ago(d time.Duration) time.Time { return Server.Add(-d) }

// Ref is the copy of an anonymous number.
func Ref(anon string) grading.CopyRef { return grading.CopyRef{ID: "id-" + anon, Anon: anon} }

// User is somebody of that name.
func User(name string) grading.User { return grading.User{ID: int64(len(name)), Name: name} }

// Situation is one state of the world that the screen is shown in.
type Situation struct {
	Name string
	Set  func() probes.Set
}

// Part is the sample of one probe beyond the first ones, in each state of its
// source. Cost is of its last look.
type Part struct {
	ID                     probes.ID
	Source                 probes.SourceID
	Cost                   time.Duration
	Normal, Empty, Hostile any
	// Setting is what somebody has to set for the source to be there, for the
	// situation in which nobody did; "" where it fails like its source.
	Setting string
}

// parts lists them: a line each, with the payloads in a file of their own.
func parts() []Part {
	return append([]Part{
		sessionsPart(),
		{storage.ID, probes.Postgres, 21 * time.Millisecond, Storage(), emptyStorage(), hostileStorage(), "DATABASE_URL"},
	}, hostParts()...)
}

// with adds the parts to a set, as pick gives their payload.
func with(set probes.Set, seq uint64, pick func(Part) any) probes.Set {
	snaps := set.Snapshots()
	for _, p := range parts() {
		snaps = append(snaps, probes.Snapshot{ID: p.ID, Source: p.Source, Seq: seq, At: Now, Good: Now, Cost: p.Cost, Payload: pick(p)})
	}
	return probes.NewSet(snaps...)
}

// Situations are those that the whole screen and each of its panes must stand,
// with the broker that the test looks at. A source that failed says what is next.
func Situations(broker func() celery.Overview, next string) []Situation {
	return []Situation{
		{"normal", func() probes.Set { return Live(7, Grading(), broker(), Traffic(), Logged()) }},
		{"empty", func() probes.Set {
			return with(Live(7, emptyGrading(), emptyBroker(), emptyTraffic(), emptyLogged()), 7, func(p Part) any { return p.Empty })
		}},
		{"stale", func() probes.Set { return Failing(broker(), Refused(next)) }},
		{"denied", func() probes.Set { return Failing(broker(), denied()) }},
		{"never", func() probes.Set { return probes.NewSet() }},
		{"unreached", unreached},
		{"hostile", func() probes.Set {
			return with(Live(7, hostileGrading(), hostileBroker(), hostileTraffic(), hostileLogged()), 7, func(p Part) any { return p.Hostile })
		}},
	}
}

// Live is a set in which all sources have just answered, for the seq-th time.
func Live(seq uint64, g grading.Overview, c celery.Overview, m metrics.Overview, l logs.Overview) probes.Set {
	good := func(id probes.ID, source probes.SourceID, cost time.Duration, payload any) probes.Snapshot {
		return probes.Snapshot{ID: id, Source: source, Seq: seq, At: Now, Good: Now, Cost: cost, Payload: payload}
	}
	return with(probes.NewSet(
		good(grading.ID, probes.Postgres, 3*time.Millisecond, g), good(celery.ID, probes.Redis, time.Millisecond, c),
		good(metrics.ID, probes.Metrics, 12*time.Millisecond, m), good(logs.ID, probes.Logs, 400*time.Microsecond, l),
		good(celery.TasksID, probes.Redis, 2*time.Millisecond, tasksOf(c)),
	), seq, func(p Part) any { return p.Normal })
}

// Refused is why nothing was read from a source that is away.
func Refused(next string) probes.Error {
	return probes.Error{Op: "connect", Cause: "connection refused", Next: next}
}

func denied() probes.Error {
	return probes.Error{Op: "read", Cause: "permission denied", Denied: true,
		Next: "Grant it: GRANT SELECT ON grading_copylock TO cockpit;"}
}

// Failing has data of 42 s ago from sources that all fail now, each with that
// error of its own.
func Failing(c celery.Overview, why probes.Error) probes.Set {
	set := Live(7, Grading(), c, Traffic(), Logged())
	var snaps []probes.Snapshot
	for _, s := range set.Snapshots() {
		e := why
		s.Good, s.FailedSince = Now.Add(-44*time.Second), Now.Add(-42*time.Second)
		e.Source = s.Source
		s.Err = &e
		snaps = append(snaps, s)
	}
	return probes.NewSet(snaps...)
}

// unreached is a start into a broken world: sources that failed from the first
// try on, and one that nobody configured.
func unreached() probes.Set {
	fail := func(id probes.ID, source probes.SourceID, err error) probes.Snapshot {
		return probes.Snapshot{ID: id, Source: source, Seq: 3, At: Now, FailedSince: Now.Add(-2 * time.Minute), Err: err}
	}
	snaps := []probes.Snapshot{
		fail(grading.ID, probes.Postgres, &probes.Error{Source: probes.Postgres, Op: "connect", Cause: "too many clients already",
			Next: "Free a connection; this one keeps trying."}),
		fail(celery.ID, probes.Redis, errors.New("dial tcp 10.0.0.7:6379: i/o timeout")),
		fail(celery.TasksID, probes.Redis, errors.New("dial tcp 10.0.0.7:6379: i/o timeout")),
		fail(metrics.ID, probes.Metrics, probes.NotConfigured(probes.Metrics, "METRICS_URL")),
		fail(logs.ID, probes.Logs, probes.NotConfigured(probes.Logs, "GRADING_LOG_DIR")),
	}
	for _, p := range parts() {
		err := error(&probes.Error{Source: p.Source, Op: "connect", Cause: "connection refused", Next: "It is tried again."})
		if p.Setting != "" {
			err = probes.NotConfigured(p.Source, p.Setting)
		}
		snaps = append(snaps, fail(p.ID, p.Source, err))
	}
	return probes.NewSet(snaps...)
}
