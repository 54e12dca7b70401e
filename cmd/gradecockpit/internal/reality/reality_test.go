package reality_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gradecockpit/actions/playbook"
	"gradecockpit/cmd/gradecockpit/internal/reality"
	"gradecockpit/probes"
	"gradecockpit/probes/celery"
	"gradecockpit/probes/grading"
	"gradecockpit/probes/host"
	"gradecockpit/probes/logs"
	"gradecockpit/probes/metrics"
)

// books are read once: that takes longest.
var books = sync.OnceValue(playbook.Books)

var noon = time.Date(2026, 2, 20, 12, 0, 0, 0, time.UTC)

// site is a system as the probes saw it, made by hand: one thing at a time is
// changed in it.
type site struct {
	tables  grading.Overview
	queues  celery.Overview
	logs    logs.Overview
	metrics metrics.Overview
	machine host.Overview
	failed  map[probes.ID]error
	here    reality.Here
	holds   string // what the logs hold; a query is its text
}

// columnsOf gives tables by "field column type" lines.
func columnsOf(lines string) map[grading.Field]grading.Column {
	out := map[grading.Field]grading.Column{}
	for l := range strings.Lines(lines) {
		if w := strings.Fields(l); len(w) > 1 {
			out[grading.Field(w[0])] = grading.Column{Schema: "public", Name: w[1], Type: strings.Join(w[2:], " ")}
		}
	}
	return out
}

const common = `
	copy.id id
	copy.status status
	booklet.pages_images pages_images
	copy_booklet.copy_id copy_id
	lock.copy_id copy_id
	lock.expires_at expires_at
	event.copy_id copy_id
	event.action action
	event.actor_id actor_id
	event.timestamp timestamp
	event.metadata metadata
`

// deployed is the system of the facts: the locks in use, the tasks on celery,
// JSON logs in a folder, metrics behind a token in three processes, the worker
// in a container and the media of another machine.
func deployed() *site {
	s := written()
	s.tables.Schema.Columns = columnsOf(common + `
	copy.final_pdf final_pdf
	copy.locked_by_id locked_by_id
	copy.retries grading_retries
	copy.pdf_source pdf_source
	exam.name name
	lock.owner owner_id
	lock.since locked_at
	lock.token token uuid
	annotation.page page_index
	annotation.type type
	annotation.points score_delta
`)
	s.tables.Schema.Absent = map[grading.Field]string{
		grading.CopyScore: "exams_copy has no column final_score.", grading.CopyCreated: "exams_copy has no column created_at.",
	}
	s.tables.Schema.Dialect = grading.Deployed
	s.here.Metrics, s.here.Token = "http://10.0.0.7:8000/metrics", true
	s.metrics.Processes = make([]metrics.Process, 3)
	s.queues.Workers = []celery.Worker{{Name: "celery@0123456789ab", State: celery.Healthy}}
	s.machine = host.Overview{Folders: []host.Folder{{Role: host.Media}}}
	s.holds = ""
	return s
}

// written is the system that the incident playbook was written for, whatever is
// wrong with its commands themselves.
func written() *site {
	s := &site{failed: map[probes.ID]error{}, holds: "LockConflictError already_locked async_finalize_copy ERROR GradingEvent"}
	s.tables = grading.Overview{LocksInUse: grading.TriYes, Schema: &grading.Schema{
		Database: "viatique", Dialect: grading.Playbook, Rights: map[string]map[string]bool{},
		Columns: columnsOf(common + `
	copy.created_at created_at
	copy.final_pdf final_copy_pdf
	copy.score final_score
	exam.name title
	lock.owner locked_by_id
	lock.since created_at
	lock.token token text
	annotation.page page
	annotation.type annotation_type
	annotation.points score
`)}}
	for _, table := range []string{"exams_copy", "exams_exam", "exams_booklet", "exams_copy_booklets", "grading_copylock", "grading_gradingevent", "grading_annotation"} {
		s.tables.Schema.Rights[table] = map[string]bool{}
	}
	s.queues = celery.Overview{Receivers: 1, Workers: []celery.Worker{{Name: "celery@app1", State: celery.Healthy}},
		Queues: []celery.Queue{{Name: "celery", Depth: 2, Consumed: celery.Yes}, {Name: "finalize", Consumed: celery.No}, {Name: "import", Consumed: celery.No}}}
	s.logs = logs.Overview{Dir: "/app/logs", Files: []logs.File{{Name: "django.log", Format: "json"}, {Name: "audit.log", Format: "json"}}}
	s.metrics.Processes = make([]metrics.Process, 1)
	s.machine = host.Overview{
		Folders: []host.Folder{{Role: host.Media, Path: "/app/media", Mount: "/"}, {Role: host.Database, Path: "/var/lib/postgresql/15/main", Mount: "/"}},
		Groups:  []host.Group{{Name: "celery", Cgroups: []host.Cgroup{{Name: "/system.slice/celery-worker.service"}}}},
	}
	s.here = reality.Here{Metrics: "http://localhost:8088/metrics", Names: map[string]string{"log_dir": "/app/logs", "metrics_url": "http://localhost:8088/metrics"}}
	return s
}

// judge goes through all steps, by section.
func (s *site) judge(t *testing.T) map[string]reality.Line {
	t.Helper()
	var all []probes.Snapshot
	for id, payload := range map[probes.ID]any{grading.ID: s.tables, celery.ID: s.queues, logs.ID: s.logs, metrics.ID: s.metrics, host.ID: s.machine} {
		snap := probes.Snapshot{ID: id, Seq: 1, At: noon, Good: noon, Payload: payload}
		if err := s.failed[id]; err != nil {
			snap.Err, snap.Payload = err, nil
		}
		all = append(all, snap)
	}
	h := s.here
	h.Set, h.Books = probes.NewSet(all...), books()
	h.Holds = func(query string) (bool, error) {
		q, err := logs.ParseQuery(query, noon, time.UTC)
		return err == nil && q.Matches(logs.Line{At: noon}, []byte(s.holds)), err
	}
	out := map[string]reality.Line{}
	for _, l := range reality.Judge(h) {
		if _, twice := out[l.Section]; twice {
			t.Errorf("%s is judged twice", l.Section)
		}
		out[l.Section] = l
	}
	return out
}

// outcomes are the sections by what becomes of them; those that run as written
// are left out.
func outcomes(lines map[string]reality.Line) map[reality.Outcome]string {
	by := map[reality.Outcome][]string{}
	for section, l := range lines {
		if l.Outcome != reality.AsWritten {
			by[l.Outcome] = append(by[l.Outcome], section)
		}
	}
	out := map[reality.Outcome]string{}
	for o, sections := range by {
		slices.Sort(sections)
		out[o] = strings.Join(sections, " ")
	}
	return out
}

// What is wrong with the playbook's commands wherever they are run.
const everywhere = "6.2/2 6.2/5 6.4/1 6.4/5 6.4/6 7.4/3 7.4/4 7.4/5"

func sorted(sections ...string) string {
	all := strings.Fields(strings.Join(sections, " "))
	slices.Sort(all)
	return strings.Join(all, " ")
}

// TestWhatThePlaybookWasWrittenFor: there only its own mistakes are left.
func TestWhatThePlaybookWasWrittenFor(t *testing.T) {
	got := outcomes(written().judge(t))
	want := map[reality.Outcome]string{reality.Rewritten: sorted(everywhere), reality.Impossible: "4.4/5"}
	for _, o := range []reality.Outcome{reality.Rewritten, reality.Impossible, reality.Unknown} {
		if got[o] != want[o] {
			t.Errorf("%s: %q, want %q", o, got[o], want[o])
		}
	}
}

// TestTheDeployedSystem: what the facts say of it, step by step, with the words
// that give the reason.
func TestTheDeployedSystem(t *testing.T) {
	lines := deployed().judge(t)
	got := outcomes(lines)
	want := map[reality.Outcome]string{
		reality.Rewritten:  sorted(everywhere, "3.4/1 3.4/3 3.4/4 4.2/1 4.2/2 4.2/5 4.4/1 4.4/2 4.4/3 4.4/4 5.2/1 5.2/2 5.2/4 5.4/2 5.4/4 6.2/1 6.4/2 6.4/4 7.2/2 7.2/5"),
		reality.Impossible: "3.4/2 4.4/5",
	}
	for _, o := range []reality.Outcome{reality.Rewritten, reality.Impossible, reality.Unknown} {
		if got[o] != want[o] {
			t.Errorf("%s: %q, want %q", o, got[o], want[o])
		}
	}
	for section, words := range map[string][]string{
		"3.2/1": {"succeeds leaves no line"},
		"3.2/3": {"whole exam"},
		"3.2/4": {"over HTTP uses no task"},
		"3.4/1": {"celery@0123456789ab runs in a container"},
		"3.4/2": {"No task of this application imports", "TypeError"},
		"3.4/3": {"media folder is not on this machine", "database folder is not on this machine"},
		"4.2/1": {"no final_score", "final_copy_pdf is final_pdf here"},
		"4.2/2": {"rolled back with its event", "detail"},
		"4.2/4": {"uses no task", "always 1"},
		"4.2/5": {"locked_by_id is owner_id here", "expires_at < now()"},
		"4.4/1": {"in no record"},
		"4.4/2": {"page is page_index here", "annotation_type is type here", "score is score_delta here"},
		"4.4/4": {"Only locked_by may finalize", "SUCCESS"},
		"4.4/5": {"CopyLock"},
		"5.2/2": {"created_at is locked_at here", "uuid"},
		"5.2/4": {"in no record", "Conflict with the path"},
		"5.4/1": {"stay LOCKED until somebody opens them"},
		"5.4/2": {"stays LOCKED", "no UNLOCK event"},
		"5.4/3": {"No version has one"},
		"6.2/1": {"10.0.0.7:8000", "A token has to be sent", "one of 3 processes"},
		"6.2/3": {"idle in a transaction"},
		"6.4/2": {"no column created_at"},
		"6.4/4": {"title is name here"},
		"7.2/2": {"Events are logged nowhere"},
		"7.2/3": {"EXPORT is never written", "Django 3.2"},
		"7.2/5": {"get_or_create"},
		"7.4/3": {"dated now", "second FINALIZE"},
	} {
		for _, w := range words {
			if !strings.Contains(lines[section].Why, w) {
				t.Errorf("%s: %q does not say %q", section, lines[section].Why, w)
			}
		}
	}
	for section, words := range map[string]string{"4.2/1": "nullif(c.final_pdf, '')", "4.4/4": "gradecockpit retry COPY", "5.2/1": "l.owner_id"} {
		if !strings.Contains(lines[section].How, words) {
			t.Errorf("%s is rewritten to %q, without %q", section, lines[section].How, words)
		}
	}
}

// TestOneThingAtATime: each change of what is there changes the outcome of the
// steps that hang on it, and of no others.
func TestOneThingAtATime(t *testing.T) {
	refused := &probes.Error{Source: probes.Redis, Op: "connect", Cause: "connection refused"}
	for _, c := range []struct {
		name   string
		from   func() *site
		change func(*site)
		to     reality.Outcome
		of     string // the sections that come to that
		says   string
	}{
		{"the database has another name", written, func(s *site) { s.tables.Schema.Database = "grading" }, reality.Rewritten, "6.2/3", "called grading"},
		{"the tables have a schema of their own", written, func(s *site) {
			s.tables.Schema.Columns[grading.CopyID] = grading.Column{Schema: "app", Name: "id"}
		}, reality.Rewritten, "6.2/3 6.4/3", "in the schema app"},
		{"a column may not be read", written, func(s *site) {
			delete(s.tables.Schema.Columns, grading.BookletPages)
			s.tables.Schema.Absent = map[grading.Field]string{grading.BookletPages: "It may not be read."}
			s.tables.Schema.Fixes = map[grading.Field]string{grading.BookletPages: "GRANT …"}
		}, reality.Unknown, "3.2/2", "may not be read"},
		{"there is no table of annotations", written, func(s *site) { delete(s.tables.Schema.Rights, "grading_annotation") }, reality.Impossible, "4.4/2", "no table grading_annotation"},
		{"there is no table of locks", written, func(s *site) { delete(s.tables.Schema.Rights, "grading_copylock") }, reality.Impossible,
			"4.2/5 4.4/3 5.2/1 5.2/2 5.2/5 5.4/1 5.4/2 5.4/3 5.4/4", "no table grading_copylock"},
		{"locks are not in use", deployed, func(s *site) { s.tables.LocksInUse = grading.TriNo }, reality.Impossible, "5.4/2", "give-back"},
		{"the database cannot be read", written, func(s *site) { s.failed[grading.ID] = refused }, reality.Unknown,
			"3.2/2 3.2/3 3.4/2 4.2/1 4.2/2 4.2/5 4.4/2 4.4/3 4.4/4 5.2/1 5.2/2 5.2/3 5.2/5 5.4/1 5.4/2 5.4/3 5.4/4 6.2/3 6.2/4 6.4/2 6.4/3 6.4/4 7.2/1 7.2/3 7.2/5 7.4/3", "cannot be read: "},

		{"tasks wait where nobody takes them", written, func(s *site) { s.queues.Queues[1].Depth = 4 }, reality.Rewritten, "3.2/4", "4 tasks wait on finalize"},
		{"tasks are routed", written, func(s *site) { s.tables.Schema.RoutedQueues = true }, reality.Rewritten, "3.4/2 4.4/4", "which no worker takes"},
		{"tasks are routed, and taken", written, func(s *site) {
			s.tables.Schema.RoutedQueues = true
			s.queues.Queues[1].Consumed, s.queues.Queues[2].Consumed = celery.Yes, celery.Yes
		}, reality.Rewritten, "", ""},
		{"the broker cannot be read", written, func(s *site) { s.failed[celery.ID] = refused }, reality.Unknown, "3.2/4 3.4/2 4.4/4 6.2/5 6.4/5", "connection refused"},
		{"a command restarts the workers", written, func(s *site) { s.here.Restart = "docker compose restart celery" }, reality.Rewritten, "3.4/1", "docker compose restart celery"},
		{"nothing tells what starts them", written, func(s *site) { s.machine.Groups = nil }, reality.Unknown, "3.4/1", "set restart_command"},

		{"there is no audit.log", written, func(s *site) { s.logs.Files = s.logs.Files[:1] }, reality.Rewritten, "7.2/2", "no audit.log"},
		{"the logs come from a command", written, func(s *site) { s.logs = logs.Overview{Dir: "docker compose logs"} }, reality.Rewritten,
			"3.2/1 3.2/4 3.2/5 4.2/3 4.2/4 4.4/1 5.2/4 5.4/4 7.2/2 7.2/4 7.4/1", "logs come from docker compose logs"},
		{"the log is text", written, func(s *site) { s.logs.Files[0].Format = "verbose" }, reality.Rewritten, "3.2/4 3.2/5 4.2/3 4.2/4 7.4/1", "The log is text"},
		{"nothing tells of conflicts", written, func(s *site) { s.holds = "async_finalize_copy ERROR GradingEvent" }, reality.Rewritten, "5.2/4 5.4/4", "in no record"},
		{"only an error speaks of events", written, func(s *site) {
			s.holds = "LockConflictError already_locked async_finalize_copy ERROR get() returned more than one GradingEvent"
		}, reality.Rewritten, "7.2/2", "logged nowhere"},
		{"the logs cannot be read", written, func(s *site) { s.failed[logs.ID] = errors.New("no such folder") }, reality.Unknown,
			"3.2/1 3.2/4 3.2/5 4.2/3 4.2/4 4.4/1 5.2/4 5.4/4 6.2/2 7.2/2 7.2/4 7.4/1", "no such folder"},

		{"the metrics are elsewhere", written, func(s *site) { s.here.Metrics = "http://backend:8000/metrics" }, reality.Rewritten, "6.2/1", "backend:8000"},
		{"they want a token", written, func(s *site) { s.here.Token = true }, reality.Rewritten, "6.2/1", "token"},
		{"their address is not known", written, func(s *site) { s.here.Metrics = "" }, reality.Unknown, "6.2/1", "set metrics_url"},
		{"they cannot be read", written, func(s *site) { s.failed[metrics.ID] = errors.New("timed out") }, reality.Unknown, "5.4/5 6.2/1", "timed out"},

		{"the media are elsewhere", written, func(s *site) { s.machine.Folders[0].Mount = "" }, reality.Rewritten, "3.4/3 3.4/4", "media folder is not on this machine"},
		{"the database is elsewhere on this machine", written, func(s *site) { s.machine.Folders[1].Path = "/srv/pg" }, reality.Rewritten, "3.4/3", "/srv/pg"},
		{"a folder only begins alike", written, func(s *site) { s.machine.Folders[1].Path = "/var/lib/postgresql2" }, reality.Rewritten, "3.4/3", "/var/lib/postgresql2"},
		{"the machine cannot be read", written, func(s *site) { s.failed[host.ID] = errors.New("no /proc") }, reality.Unknown, "3.4/1 3.4/3 3.4/4", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := c.from().judge(t)
			s := c.from()
			c.change(s)
			after := s.judge(t)
			var changed []string
			for section, l := range after {
				if l.Outcome == before[section].Outcome {
					continue
				}
				changed = append(changed, section)
				if l.Outcome != c.to {
					t.Errorf("%s: %s, from %s", section, l.Outcome, before[section].Outcome)
				}
				if !strings.Contains(l.Why, c.says) {
					t.Errorf("%s: %q does not say %q", section, l.Why, c.says)
				}
				if l.Outcome == reality.Rewritten && l.How == "" {
					t.Errorf("%s is rewritten to nothing", section)
				}
			}
			slices.Sort(changed)
			if got := strings.Join(changed, " "); got != c.of {
				t.Errorf("changed: %q, want %q", got, c.of)
			}
		})
	}
}

// TestMetricsBehindTheProxy: its page is an answer; what it has in the place of
// figures says nothing of them.
func TestMetricsBehindTheProxy(t *testing.T) {
	s := written()
	s.failed[metrics.ID] = metrics.ErrWebPage
	lines := s.judge(t)
	if l := lines["6.2/1"]; l.Outcome != reality.Rewritten || !strings.Contains(l.Why, "answers with the web page") {
		t.Errorf("6.2/1 %s: %s", l.Outcome, l.Why)
	}
	if l := lines["5.4/5"]; l.Outcome != reality.Unknown {
		t.Errorf("5.4/5 %s: %s", l.Outcome, l.Why)
	}
}

// TestARetryWithoutLocks: where nobody uses locks a retry is something else.
func TestARetryWithoutLocks(t *testing.T) {
	s := deployed()
	s.tables.LocksInUse = grading.TriNo
	lines := s.judge(t)
	if l := lines["4.4/4"]; l.Outcome != reality.Rewritten || !strings.Contains(l.Why, "any READY copy") {
		t.Errorf("%s: %s", l.Outcome, l.Why)
	}
	for _, section := range []string{"5.2/3", "5.2/5", "5.4/1"} {
		if l := lines[section]; l.Outcome != reality.AsWritten || l.Why != "It runs, but locks are not in use here." {
			t.Errorf("%s %s: %s", section, l.Outcome, l.Why)
		}
	}
}
