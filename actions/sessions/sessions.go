// Package sessions holds the actions on PostgreSQL sessions: cancel what one
// runs, and disconnect it. PostgreSQL knows a session by a process number that
// is given away again, and what it runs changes within milliseconds; so the
// statement that sends the signal compares, in the same breath, when the
// session began and what it is at with what the plan showed.
//
// The signals are no writes of SQL, but they go through the Writer, which sends
// nothing where nothing may be written.
package sessions

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"gradecockpit/actions"
	"gradecockpit/probes"
	"gradecockpit/probes/activity"
	"gradecockpit/probes/clean"
	"gradecockpit/probes/postgres"
)

// Deps is what these actions need.
type Deps struct {
	Writer  *postgres.Writer
	Timings Timings
}

// Timings bound the watching. Zero values take the defaults.
type Timings struct {
	Watch time.Duration // how long an end is awaited: 15 s
	Poll  time.Duration // between two looks: 300 ms
}

// most is how many sessions one plan takes: more than that is the work of
// whoever stops the application.
const most = 20

// All gives the actions of this package in menu order.
func All(d Deps) []actions.Action {
	if d.Timings.Watch <= 0 {
		d.Timings.Watch = 15 * time.Second
	}
	if d.Timings.Poll <= 0 {
		d.Timings.Poll = 300 * time.Millisecond
	}
	return []actions.Action{cancelQuery{base{d}}, endSession{base{d}}}
}

// base is what both share.
type base struct{ Deps }

func (base) Kinds() []actions.TargetKind { return []actions.TargetKind{actions.OnSession} }

// Watch is the bound of Verify.
func (b base) Watch() time.Duration { return b.Timings.Watch }

// Impossible says why no session can be signalled here at all.
func (b base) Impossible(set probes.Set) string {
	ov, why := overview(set)
	if why != "" {
		return why
	}
	return incapable(ov.Rights)
}

// overview gives what the probe saw, or why there is nothing to judge by.
func overview(set probes.Set) (activity.Overview, string) {
	ov, snap, ok := probes.Of[activity.Overview](set, activity.ID)
	switch {
	case ok:
		return ov, ""
	case snap.Err != nil:
		return ov, "The sessions cannot be read: " + strings.TrimRight(snap.Err.Error(), ".") + "."
	}
	return ov, "The sessions have not been read yet."
}

// incapable says which right is missing for the application's sessions. Without
// the first one cannot tell one session from the next of the same number.
func incapable(r activity.Rights) string {
	var missing []string
	if !r.SeesAll && !r.OfApp {
		missing = append(missing, r.SeeGrant())
	}
	if !r.Signals && !r.OfApp && !r.Superuser {
		missing = append(missing, r.SignalGrant())
	}
	if len(missing) == 0 {
		return ""
	}
	return fmt.Sprintf("Role %s may not see and signal the sessions of others. %s", r.Role, strings.Join(missing, " "))
}

// disabled judges by what the probe saw. A session that it does not list may be
// idle; the plan looks itself.
func (b base) disabled(set probes.Set, t actions.Target, why func(activity.Session) string) string {
	ov, missing := overview(set)
	if missing != "" {
		return missing
	}
	for _, one := range t.All() {
		s, ok := ov.FindID(one.ID)
		if !ok {
			continue
		}
		if no := forbidden(*s, ov.Rights); no != "" {
			return no
		}
		if no := why(*s); no != "" {
			return no
		}
	}
	return ""
}

// forbidden says why a session is left alone, whoever asks.
func forbidden(s activity.Session, r activity.Rights) string {
	name := label(s)
	switch {
	case s.Kind == activity.Cockpit:
		return name + " is a session of a cockpit: it ends with it, and one that writes ends by itself within seconds."
	case s.Kind == activity.Autovacuum:
		return name + " is an autovacuum worker: it gives way by itself to whoever waits for its lock, and one that does not keeps transaction numbers from running out."
	case s.Kind == activity.Replication:
		return name + " feeds a standby or a backup: it would connect again at once, and a backup would be lost."
	case s.Kind == activity.Background:
		return name + " is a helper of PostgreSQL (" + s.Backend + "): it is not a client's."
	case s.Hidden || s.Start.IsZero():
		return fmt.Sprintf("Role %s may not see when %s began, so it could be another by the time of the signal. %s", r.Role, name, r.SeeGrant())
	case s.Superuser && !r.Superuser:
		return fmt.Sprintf("%s is a superuser's: only a superuser may end it, and %s is none.", name, r.Role)
	case !s.MaySignal && !r.Signals && !r.Superuser:
		return fmt.Sprintf("Role %s may not signal sessions of %s. %s", r.Role, s.User, r.SignalGrant())
	}
	return ""
}

// label is a session for people: its number and whose it is.
func label(s activity.Session) string { return fmt.Sprintf("%d (%s)", s.PID, s.Who()) }

// look reads the sessions of a target as they are now. One that has ended, that
// is another by now or that is left alone is a refusal.
func (b base) look(ctx context.Context, t actions.Target) (ov activity.Overview, list []activity.Session, err error) {
	targets := t.All()
	if len(targets) > most {
		return ov, nil, refuse(fmt.Sprintf("%d sessions are too many for one plan; %d is the most.", len(targets), most), "Restart the application instead: that ends all of its sessions.")
	}
	ov, err = b.read(ctx, targets)
	if err != nil {
		return ov, nil, err
	}
	for _, one := range targets {
		s, err := pick(ov, one)
		if err != nil {
			return ov, nil, err
		}
		if !slices.ContainsFunc(list, func(o activity.Session) bool { return o.PID == s.PID }) {
			list = append(list, s)
		}
	}
	return ov, list, nil
}

// read looks at the sessions of some targets on a connection of its own.
func (b base) read(ctx context.Context, targets []actions.Target) (ov activity.Overview, err error) {
	if b.Writer == nil {
		return ov, probes.NotConfigured(probes.Postgres, "DATABASE_URL, or PGHOST and PGDATABASE")
	}
	var pids []int
	for _, t := range targets {
		pid, _, err := activity.ParseID(t.ID)
		if err != nil {
			return ov, refuse(clean.Text(t.ID)+": "+err.Error()+".", "")
		}
		pids = append(pids, pid)
	}
	err = b.Writer.Read(ctx, func(ctx context.Context, tx pgx.Tx) (err error) {
		ov, err = activity.Look(ctx, tx, pids...)
		return err
	})
	var pg *pgconn.PgError
	switch {
	case errors.As(err, &pg) && pg.Code == "53300":
		return ov, refuse("Every connection slot is taken, and a signal needs one of its own.",
			"Restart what leaks them, which gives its own back, or act as a superuser. From PostgreSQL 16 on, reserved_connections and GRANT pg_use_reserved_connections keep one for the cockpit.")
	case err != nil:
		return ov, postgres.Describe("read sessions", err)
	}
	return ov, nil
}

func pick(ov activity.Overview, t actions.Target) (activity.Session, error) {
	pid, start, _ := activity.ParseID(t.ID) // read has parsed it
	s, ok := ov.Find(pid)
	switch {
	case !ok || pid == ov.Self:
		return activity.Session{}, refuse(fmt.Sprintf("Session %d has ended.", pid), "Look again.")
	case !start.IsZero() && !s.Start.IsZero() && !s.Start.Equal(start):
		return *s, refuse(fmt.Sprintf("Session %d has ended; its number belongs to another now, which began at %s.", pid, clock(s.Start)), "Look again.")
	}
	if why := forbidden(*s, ov.Rights); why != "" {
		return *s, refuse(why, "")
	}
	return *s, nil
}

func refuse(why, next string) error { return &actions.Refusal{Why: why, Next: next} }

// explain turns the failure of a signal into what an action reports. sent tells
// whether the statement had left: then nobody knows whether it was obeyed,
// unless the server itself refused the only session there was.
func explain(err error, sent bool, sessions int) error {
	var no *actions.Refusal
	var moved *actions.Moved
	var pg *pgconn.PgError
	known := errors.As(err, &pg) && pg.Severity == "ERROR" && pg.Code != "57014" && sessions == 1
	switch {
	case errors.As(err, &no), errors.As(err, &moved):
		return err
	case errors.Is(err, postgres.ErrReadOnly):
		return refuse(clean.Text(err.Error())+".", "")
	case known && pg.Code == "42501":
		return refuse(clean.Text(pg.Message)+".", "Ask for the GRANT; doctor prints the exact line.")
	case sent && !known:
		return &actions.Unsure{Err: postgres.Describe("signal", err)}
	}
	return postgres.Describe("signal", err)
}

func clock(t time.Time) string { return t.UTC().Format("15:04:05 UTC") }
