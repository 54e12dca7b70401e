package reality

import (
	"fmt"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"gradecockpit/probes"
	"gradecockpit/probes/celery"
	"gradecockpit/probes/grading"
	"gradecockpit/probes/host"
	"gradecockpit/probes/logs"
	"gradecockpit/probes/metrics"
)

// name is a column by the incident playbook's name, and what to say where the
// table has none of that meaning.
type name struct {
	field   grading.Field
	here    string // the playbook's name
	missing string // a sentence for a table without it; "" gives the schema's own
}

// columns wants columns of one table under the playbook's names.
func columns(table string, names ...name) need {
	return func(h *Here) verdict {
		s := h.schema()
		if s == nil {
			return h.unread(grading.ID, "The database")
		}
		if _, ok := s.Rights[table]; !ok {
			return as(Impossible, "This database has no table "+table+".")
		}
		var out []string
		for _, n := range names {
			switch c, ok := s.Columns[n.field]; {
			case ok && c.Name == n.here:
			case ok:
				out = append(out, n.here+" is "+c.Name+" here.")
			case s.Fixes[n.field] != "":
				return as(Unknown, s.Absent[n.field])
			case n.missing != "":
				out = append(out, n.missing)
			default:
				out = append(out, s.Absent[n.field])
			}
		}
		if len(out) > 0 {
			return as(Rewritten, strings.Join(out, " "))
		}
		return fine
	}
}

// where is an outcome for the generation that a column gives away.
func where(field grading.Field, o Outcome, why string) need {
	return func(h *Here) verdict {
		if h.schema() == nil {
			return h.unread(grading.ID, "The database")
		}
		if h.schema().Has(field) {
			return as(o, why)
		}
		return fine
	}
}

// remark says something of that generation, and nothing hangs on it.
func remark(field grading.Field, why string) need {
	return func(h *Here) verdict {
		if s := h.schema(); s != nil && s.Has(field) {
			return as(AsWritten, why)
		}
		return fine
	}
}

// always is what holds for every installation.
func always(o Outcome, why string) need {
	return func(*Here) verdict { return as(o, why) }
}

// expiryMethod: a lock whose holder is owner_id is the model without
// is_expired().
func expiryMethod(h *Here) verdict {
	s := h.schema()
	if s != nil && s.Columns[grading.LockOwner].Name == "owner_id" {
		return as(Rewritten, "A lock has no is_expired(): expired is expires_at < now().")
	}
	return fine
}

// slicedToken: token[:8] works on text only.
func slicedToken(h *Here) verdict {
	s := h.schema()
	if s != nil && s.Columns[grading.LockToken].Type == "uuid" {
		return as(Rewritten, "The token is a uuid, which token[:8] cannot slice.")
	}
	return fine
}

// inUse adds where the application does not use locks any more: the commands
// run, and answer nothing.
func inUse(h *Here) verdict {
	ov, _, _ := probes.Of[grading.Overview](h.Set, grading.ID)
	if ov.LocksInUse == grading.TriNo {
		return as(AsWritten, "It runs, but locks are not in use here.")
	}
	return fine
}

// staysLocked: a deleted lock takes the status of its copy with it only when
// the application looks the next time.
func staysLocked(h *Here) verdict {
	if v := inUse(h); v.why != "" {
		return v
	}
	return remark(grading.CopyLockedBy, "The copies stay LOCKED until somebody opens them.")(h)
}

// freed: where locks are not in use any more, no lock row keeps anybody out,
// and a LOCKED copy stays so without one.
func freed(h *Here) verdict {
	if v := inUse(h); v.why != "" {
		return as(Impossible, "Locks are not in use here: a LOCKED copy is freed by gradecockpit give-back, never by its lock.")
	}
	return fine
}

// onlyHolder: who may finalize without a token.
func onlyHolder(h *Here) verdict {
	s := h.schema()
	switch {
	case s == nil:
		return h.unread(grading.ID, "The database")
	case !s.Has(grading.CopyLockedBy):
		return fine
	case inUse(h).why != "":
		return as(Rewritten, "Locks are not in use here: it grades any READY copy, corrected or not, and fails on a LOCKED one.")
	}
	return as(Rewritten, "Only locked_by may finalize, and a refusal hides in a SUCCESS.")
}

// databaseName wants the database to be called so.
func databaseName(want string) need {
	return func(h *Here) verdict {
		s := h.schema()
		switch {
		case s == nil:
			return h.unread(grading.ID, "The database")
		case s.Database != want:
			return as(Rewritten, "The database is called "+s.Database+".")
		}
		return fine
	}
}

// inPublic wants the tables in the schema public.
func inPublic(h *Here) verdict {
	s := h.schema()
	if s == nil {
		return h.unread(grading.ID, "The database")
	}
	if c := s.Columns[grading.CopyID]; c.Schema != "" && c.Schema != "public" {
		return as(Rewritten, "The tables are in the schema "+c.Schema+".")
	}
	return fine
}

// file wants a log file to be in a folder.
func file(want string) need {
	return func(h *Here) verdict {
		ov, snap, ok := probes.Of[logs.Overview](h.Set, logs.ID)
		if !ok || snap.Err != nil {
			return h.unread(logs.ID, "The log")
		}
		if !slices.ContainsFunc(ov.Files, func(f logs.File) bool { return f.Name == want }) {
			return as(Rewritten, "There is no "+want+": the logs come from "+ov.Dir+".")
		}
		return fine
	}
}

// together: two greps in a row meet only where a record is one line, which has
// its level, its function and its traceback.
func together(h *Here) verdict {
	ov, _, _ := probes.Of[logs.Overview](h.Set, logs.ID)
	for _, f := range ov.Files {
		if f.Name == "django.log" && f.Format != "json" && f.Format != "" {
			return as(Rewritten, "The log is text: a traceback stands on lines of its own, and a line names no function.")
		}
	}
	return fine
}

// words wants the logs to hold what a grep looks for; instead says what is
// written in its place.
func words(query, instead string) need {
	return func(h *Here) verdict {
		if _, snap, ok := probes.Of[logs.Overview](h.Set, logs.ID); !ok || snap.Err != nil || h.Holds == nil {
			return h.unread(logs.ID, "The log")
		}
		switch held, err := h.Holds(query); {
		case err != nil:
			return as(Unknown, "The logs cannot be searched: "+reason(err))
		case !held:
			return as(Rewritten, "What it looks for is in no record. "+instead)
		}
		return fine
	}
}

// broker wants Redis to be read.
func broker(h *Here) verdict {
	ov, snap, ok := probes.Of[celery.Overview](h.Set, celery.ID)
	switch {
	case !ok || snap.Err != nil:
		return h.unread(celery.ID, "The broker")
	case ov.Receivers == 0 && ov.WorkersErr == "":
		return as(AsWritten, "No worker is there to answer.")
	}
	return fine
}

// inView: inspect tells of what workers hold, and nothing of a queue that none takes.
func inView(h *Here) verdict {
	ov, _, _ := probes.Of[celery.Overview](h.Set, celery.ID)
	for _, q := range ov.Queues {
		if q.Depth > 0 && q.Consumed == celery.No {
			return as(Rewritten, fmt.Sprintf("%d tasks wait on %s, which no worker takes: inspect shows none of them.", q.Depth, q.Name))
		}
	}
	return fine
}

// taken wants a worker to take the queue that a task is sent to.
func taken(routed string) need {
	return func(h *Here) verdict {
		s := h.schema()
		ov, snap, ok := probes.Of[celery.Overview](h.Set, celery.ID)
		switch {
		case !ok || snap.Err != nil:
			return h.unread(celery.ID, "The broker")
		case s == nil:
			return h.unread(grading.ID, "The database")
		}
		queue := "celery"
		if s.RoutedQueues {
			queue = routed
		}
		for _, q := range ov.Queues {
			if q.Name == queue && q.Consumed == celery.No {
				return as(Rewritten, "It goes to "+queue+", which no worker takes: it would wait for ever.")
			}
		}
		return fine
	}
}

// container is how Docker names a machine, and so a worker on it.
var container = regexp.MustCompile(`@[0-9a-f]{12}$`)

// unit wants the workers to be a unit of systemd.
func unit(h *Here) verdict {
	if h.Restart != "" {
		return as(Rewritten, "The workers are restarted by: "+h.Restart)
	}
	ov, _, _ := probes.Of[celery.Overview](h.Set, celery.ID)
	for _, w := range ov.Workers {
		if container.MatchString(w.Name) {
			return as(Rewritten, w.Name+" runs in a container, where there is no such unit.")
		}
	}
	m, _, _ := probes.Of[host.Overview](h.Set, host.ID)
	for _, g := range m.Groups {
		for _, c := range g.Cgroups {
			if strings.Contains(c.Name, "celery") && strings.HasSuffix(c.Name, ".service") {
				return fine
			}
		}
	}
	return as(Unknown, "Nothing tells from here what starts the workers; set restart_command.")
}

// mounted wants a folder of the application on this machine.
func mounted(role host.Role) need {
	return func(h *Here) verdict {
		ov, snap, ok := probes.Of[host.Overview](h.Set, host.ID)
		if !ok || snap.Err != nil {
			return h.unread(host.ID, "The machine")
		}
		for _, f := range ov.Folders {
			if f.Role == role && f.Mount != "" {
				return fine
			}
		}
		return as(Rewritten, "The "+string(role)+" folder is not on this machine.")
	}
}

// databaseBelow wants PostgreSQL's data, where it is on this machine, in a folder
// below one.
func databaseBelow(dir string) need {
	return func(h *Here) verdict {
		ov, _, _ := probes.Of[host.Overview](h.Set, host.ID)
		for _, f := range ov.Folders {
			if f.Role == host.Database && f.Path != dir && !strings.HasPrefix(f.Path, dir+"/") {
				return as(Rewritten, "The database's folder is "+f.Path+".")
			}
		}
		return fine
	}
}

// endpoint wants the metrics where the playbook scrapes them.
func endpoint(h *Here) verdict {
	ov, snap, ok := probes.Of[metrics.Overview](h.Set, metrics.ID)
	switch {
	case h.Metrics == "":
		return as(Unknown, "The address of the metrics is not known; set metrics_url.")
	case snap.Err != nil:
		if strings.Contains(snap.Err.Error(), "web page") {
			return as(Rewritten, "The address answers with the web page: the proxy does not pass /metrics on.")
		}
		return h.unread(metrics.ID, "The metrics endpoint")
	case !ok:
		return h.unread(metrics.ID, "The metrics endpoint")
	}
	var why []string
	if u, err := url.Parse(h.Metrics); err == nil && !playbooks(u) {
		why = append(why, "The metrics are at "+u.Host+".")
	}
	if h.Token {
		why = append(why, "A token has to be sent.")
	}
	if n := len(ov.Processes); n > 1 {
		why = append(why, fmt.Sprintf("A scrape is answered by one of %d processes with its own counters.", n))
	}
	if len(why) > 0 {
		return as(Rewritten, strings.Join(why, " "))
	}
	return fine
}

// playbooks tells whether an address is the one in the incident playbook.
func playbooks(u *url.URL) bool {
	host, port, err := net.SplitHostPort(u.Host)
	return err == nil && (host == "localhost" || host == "127.0.0.1") && port == "8088"
}

// counted: the counter that the playbook wants added may be there.
func counted(h *Here) verdict {
	ov, snap, ok := probes.Of[metrics.Overview](h.Set, metrics.ID)
	if !ok || snap.Err != nil {
		return h.unread(metrics.ID, "The metrics endpoint")
	}
	if len(ov.Domain.Conflicts) > 0 {
		return as(AsWritten, "It is there already.")
	}
	return fine
}
