package domain

import (
	"math"
	"regexp"
	"strings"
	"time"

	"gradecockpit/probes"
	"gradecockpit/probes/celery"
	"gradecockpit/probes/grading"
	"gradecockpit/probes/logs"
	"gradecockpit/probes/metrics"
	"gradecockpit/tui/pane"
	"gradecockpit/tui/ui"
)

// deriver finds the figures elsewhere.
type deriver struct {
	in pane.Input
	o  metrics.Overview
}

// requests are the figures of the endpoints whose work is done while the
// request waits, as far as a proxy does not give up before.
func (d deriver) requests(suffix string) (out []figure) {
	for _, e := range d.o.Endpoints {
		if !strings.HasSuffix(e.Path, suffix) || e.Method != "POST" {
			continue
		}
		f := counted("requests", e.Requests, "POST "+suffix+", last "+ui.Duration(d.o.Window))
		f.p50, f.p95, f.mean = e.P50, e.P95, e.Mean
		f.opens = pane.Ref{Kind: pane.KindEndpoint, ID: e.Name()}
		out = append(out, f)
		if failed := e.ErrorShare * e.Requests; failed > 0 {
			bad := counted("requests answered 5xx", failed, "requests, last "+ui.Duration(d.o.Window))
			bad.warn, bad.opens = true, f.opens
			out = append(out, bad)
		}
	}
	return out
}

// events counts the audit events of the last hour that the probe holds.
func (d deriver) events(action, failedNote string) []figure {
	o, _, ok := probes.Of[grading.Overview](d.in.Set, grading.ID)
	if !ok || !o.Events.Here() {
		return nil
	}
	done, failed, whole := 0, 0, !o.Events.Value.More
	since := pane.ServerNow(d.in).Add(-time.Hour)
	for _, e := range o.Events.Value.Rows {
		switch {
		case e.At.Before(since):
			whole = true
		case e.Action == action && e.Gap == "" && e.Failed:
			failed++
		case e.Action == action && e.Gap == "":
			done++
		}
	}
	f := counted(action+" events", float64(done), "audit trail, last 1h"+failedNote)
	f.atLeast = !whole
	if failed == 0 {
		return []figure{f}
	}
	bad := counted(action+" events, failed", float64(failed), "audit trail, last 1h")
	bad.warn, bad.atLeast = true, !whole
	return []figure{f, bad}
}

// running tells what the workers do now, and for how long the oldest.
func (d deriver) running(task string) []figure {
	o, _, ok := probes.Of[celery.Overview](d.in.Set, celery.ID)
	if !ok || o.WorkersErr != "" {
		return nil
	}
	n, oldest := 0, math.NaN()
	for _, w := range o.Workers {
		for _, r := range w.Running {
			if !strings.HasSuffix(r.Task, task) || r.State != "running" {
				continue
			}
			n++
			if age := d.in.Now.Sub(r.Started).Seconds(); !r.Started.IsZero() && !(oldest >= age) {
				oldest = age
			}
		}
	}
	what := "tasks running"
	if !math.IsNaN(oldest) {
		what += ", oldest " + ui.Duration(time.Duration(oldest*float64(time.Second)))
	}
	return []figure{counted(what, float64(n), "workers, now")}
}

// failedTasks counts the results that say, or hide, a failure.
func (d deriver) failedTasks(task string) []figure {
	o, _, ok := probes.Of[celery.Tasks](d.in.Set, celery.TasksID)
	if !ok {
		return nil
	}
	n := 0
	for _, r := range o.Rows {
		if bad := r.State == celery.TaskFailed || r.State == celery.TaskSwallowed || r.State == celery.TaskLost; bad && strings.HasSuffix(r.Task, task) {
			n++
		}
	}
	f := counted("tasks that failed", float64(n), "task results")
	f.warn, f.atLeast = n > 0, o.Sampled != ""
	return []figure{f}
}

func (d deriver) finalize() []figure {
	out := d.requests("/finalize/")
	out = append(out, d.events("FINALIZE", "; failures leave none")...)
	out = append(out, d.running("async_finalize_copy")...)
	return append(out, d.failedTasks("async_finalize_copy")...)
}

func (d deriver) imports() []figure {
	out := d.requests("/import/")
	out = append(out, d.events("IMPORT", "")...)
	out = append(out, d.running("async_import_pdf")...)
	return append(out, d.failedTasks("async_import_pdf")...)
}

// conflicts are what a lock conflict leaves elsewhere: a 409, a line in the
// log, and the locks that cause them.
func (d deriver) conflicts() []figure {
	var out []figure
	n, seen := 0.0, false
	for _, e := range d.o.Endpoints {
		for _, c := range e.ByStatus {
			if c.Name == "409" {
				n += c.Count
			}
		}
		seen = true
	}
	if seen {
		f := counted("answers 409", n, "requests, last "+ui.Duration(d.o.Window))
		f.warn = n >= 0.5
		out = append(out, f)
	}
	out = append(out, d.lines("log lines on conflicts", conflictLine)...)
	if o, _, ok := probes.Of[grading.Overview](d.in.Set, grading.ID); ok && o.Locks.Here() {
		f := counted("expired locks", float64(o.Locks.Value.Expired), "lock table, now")
		f.warn = o.Locks.Value.Expired > 0
		out = append(out, f)
	}
	return out
}

// What the application and its libraries log: django.request of a 409; the
// playbook's patterns for OCR and rasterisation.
var (
	conflictLine = regexp.MustCompile(`(?i)^Conflict: |lock conflict|LockConflict|already locked|token mismatch`)
	ocrLine      = regexp.MustCompile(`(?i)\bOCR\b|tesseract|rasteri[sz]|PyMuPDF|\bfitz\b`)
)

// lines counts the newest log lines, as far as they are kept.
func (d deriver) lines(what string, pattern *regexp.Regexp) []figure {
	o, _, ok := probes.Of[logs.Overview](d.in.Set, logs.ID)
	if !ok || len(o.Recent)+len(o.Errors) == 0 {
		return nil
	}
	n, oldest := 0, d.in.Now
	seen := map[string]bool{}
	for _, l := range append(o.Recent[:len(o.Recent):len(o.Recent)], o.Errors...) {
		key := l.At.String() + l.Message
		if pattern.MatchString(l.Message) && !seen[key] && d.in.Now.Sub(l.At) < time.Hour {
			n++
			seen[key] = true
		}
		if !l.At.IsZero() && l.At.Before(oldest) {
			oldest = l.At
		}
	}
	f := counted(what, float64(n), "newest log lines, last 1h")
	f.atLeast, f.warn = d.in.Now.Sub(oldest) < time.Hour, n > 0
	return []figure{f}
}

func (d deriver) ocr() []figure { return d.lines("log lines on OCR", ocrLine) }

func (d deriver) copies() []figure {
	o, _, ok := probes.Of[grading.Overview](d.in.Set, grading.ID)
	if !ok || !o.Status.Here() {
		return nil
	}
	var out []figure
	for _, s := range o.Status.Value {
		out = append(out, counted(s.Status, float64(s.Count), "database, now"))
	}
	return out
}
