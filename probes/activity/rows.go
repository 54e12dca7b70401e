package activity

import (
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"gradecockpit/probes/clean"
)

// maxName bounds names on the screen, in characters: identifiers have 63 bytes.
const maxName = 80

// mostLines bounds a whole query on the page of its session.
const mostLines = 300

func (l *look) readFacts(rows pgx.Rows) error {
	o := &l.over
	var app pgtype.Text
	var oldest pgtype.Timestamptz
	_, err := pgx.CollectExactlyOneRow(rows, func(row pgx.CollectableRow) (struct{}, error) {
		return struct{}{}, row.Scan(&o.ServerTime, &o.Rights.Role, &o.Self, &o.Rights.SeesAll, &o.Rights.Signals, &o.Rights.Superuser, &app, &o.Rights.OfApp,
			&o.Limits.Max, &o.Limits.Superuser, &o.Limits.Reserved, &o.Limits.Database, &o.Limits.Role, &o.Limits.Used, &o.Hidden, &o.Idle,
			&o.Limits.InDatabase, &o.Limits.OfRole, &oldest)
	})
	o.ServerTime, o.OldestTx = o.ServerTime.UTC(), moment(oldest)
	o.Rights.Role = clean.Capped(pgx.Identifier{o.Rights.Role}.Sanitize(), maxName)
	o.AppRole = clean.Capped(app.String, maxName)
	return err
}

func (l *look) readGroups(rows pgx.Rows) (err error) {
	l.over.Groups, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (g Group, err error) {
		var app bool
		err = row.Scan(&g.Database, &g.User, &g.App, &app, &g.Total, &g.Active, &g.Idle, &g.InTx)
		g.Kind = kind("client backend", g.App, app)
		g.Database, g.User, g.App = clean.Capped(g.Database, maxName), clean.Capped(g.User, maxName), clean.Capped(g.App, maxName)
		return g, err
	})
	return err
}

func (l *look) readSessions(rows pgx.Rows) error {
	o := &l.over
	total := 0
	helpers := map[int][]int{} // of a leader: the workers' blockers
	workers := map[int]int{}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Session, error) {
		s, leader, n, err := l.scanSession(row)
		if total = n; leader != 0 && leader != s.PID {
			helpers[leader] = append(helpers[leader], s.BlockedBy...)
			workers[leader]++
			s.PID = 0 // counted with its leader
		}
		return s, err
	})
	if err != nil {
		return err
	}
	o.LeftOut = total - len(list)
	o.Sessions = slices.DeleteFunc(list, func(s Session) bool { return s.PID == 0 })
	for i := range o.Sessions {
		s := &o.Sessions[i]
		s.Workers = workers[s.PID]
		s.BlockedBy = distinct(append(s.BlockedBy, helpers[s.PID]...), s.PID)
	}
	return nil
}

// distinct drops what a parallel query brings: the same pid several times, and
// the session itself.
func distinct(pids []int, self int) []int {
	slices.Sort(pids)
	return slices.DeleteFunc(slices.Compact(pids), func(pid int) bool { return pid == self })
}

func (l *look) scanSession(row pgx.CollectableRow) (s Session, leader, total int, err error) {
	var start, since, xact, query, waitSince pgtype.Timestamptz
	var blockers []int32
	var held, modes []string
	var app, wantsRow bool
	var port int
	var wants, text string
	err = row.Scan(&s.PID, &start, &s.Database, &s.User, &s.App, &app, &s.Client, &port, &s.Backend, &s.State,
		&since, &xact, &query, &s.WaitType, &s.WaitEvent, &s.Wrote, &text, &leader, &s.QueryID,
		&blockers, &held, &modes, &wants, &wantsRow, &waitSince, &s.Superuser, &s.MaySignal, &s.Hidden, &total)
	if err != nil {
		return s, 0, 0, err
	}
	s.Start, s.Since, s.Xact, s.QueryAt, s.WaitSince = moment(start), moment(since), moment(xact), moment(query), moment(waitSince)
	s.Kind = kind(s.Backend, s.App, app)
	if s.Client == "" && port == -1 && s.Backend == "client backend" {
		s.Client = "local socket"
	}
	for _, pid := range blockers {
		s.BlockedBy = append(s.BlockedBy, int(pid))
	}
	for i := range min(len(held), len(modes)) {
		s.Holds = append(s.Holds, Held{clean.Capped(held[i], maxName), clean.Text(modes[i])})
	}
	s.say(text, wants, wantsRow)
	if slices.Contains(l.asked, s.PID) && !s.Hidden {
		s.Lines = clean.Lines(clean.SQL(text), mostLines, shortText)
	}
	s.Database, s.User, s.App = clean.Capped(s.Database, maxName), clean.Capped(s.User, maxName), clean.Capped(s.App, maxName)
	return s, leader, total, nil
}

// say fills in what is told in words, from texts that nobody has cleaned.
func (s *Session) say(text, wants string, wantsRow bool) {
	if !s.Hidden {
		s.Copies = copiesIn(text)
		s.Finalizes = finalizes(*s, text)
		s.Text = oneLine(text)
	}
	s.Waits = waits(*s, clean.Capped(wants, maxName), wantsRow)
}

func (l *look) readPrepared(rows pgx.Rows) (err error) {
	l.over.Prepared, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (p Prepared, err error) {
		err = row.Scan(&p.Name, &p.At, &p.Owner, &p.Database)
		p.Name, p.Owner, p.Database = clean.Capped(p.Name, maxName), clean.Capped(p.Owner, maxName), clean.Capped(p.Database, maxName)
		return p, err
	})
	return err
}

func moment(t pgtype.Timestamptz) time.Time {
	if !t.Valid || t.InfinityModifier != pgtype.Finite {
		return time.Time{}
	}
	return t.Time.UTC()
}

// people are programs that somebody sits at, by the start of the name they give
// themselves; Django and Celery give none.
var people = []string{"psql", "pgadmin", "pgcli", "dbeaver", "datagrip", "tableplus", "navicat", "pg_dump", "pg_restore", "pg_activity", "pg_basebackup"}

func kind(backend, app string, ofApp bool) Kind {
	name := strings.ToLower(app)
	tool := func(prefix string) bool { return strings.HasPrefix(name, prefix) }
	switch {
	case backend == "walsender":
		return Replication
	case strings.HasPrefix(backend, "autovacuum"):
		return Autovacuum
	case backend != "client backend" && backend != "":
		return Background
	case tool("gradecockpit/"):
		return Cockpit
	case slices.ContainsFunc(people, tool):
		return Person
	case ofApp:
		return Application
	}
	return Other
}
