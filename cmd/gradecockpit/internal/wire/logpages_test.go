package wire

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gradecockpit/cmd/gradecockpit/internal/config"
	"gradecockpit/probes"
	"gradecockpit/probes/logs"
	"gradecockpit/probes/logs/loki/lokitest"
	"gradecockpit/tui/page"
	"gradecockpit/tui/pages"
	"gradecockpit/tui/pane"
	panelogs "gradecockpit/tui/panes/logs"
)

const (
	copyA   = "aaaa0000-0000-4000-8000-000000000001"
	copyB   = "bbbb0000-0000-4000-8000-000000000002"
	request = "2222b0c4-7d1e-4a63-9a55-3f0e8f6f1a10"
	taskID  = "36101111-2222-4333-8444-555566667777"
)

// planted is a cockpit over logs in every form, with a condition in each.
type planted struct {
	*Cockpit
	now time.Time
	dir string
}

func (p *planted) stamp(ago time.Duration) string {
	return p.now.Add(-ago).UTC().Format("2006-01-02 15:04:05,000")
}

// record is a line as production writes it.
func (p *planted) record(ago time.Duration, level, logger, message string, more ...any) string {
	var b strings.Builder
	text := func(v any) string { out, _ := json.Marshal(v); return string(out) }
	fmt.Fprintf(&b, `{"timestamp": %q, "level": %q, "logger": %q, "message": %s`, p.stamp(ago), level, logger, text(message))
	for i := 0; i < len(more); i += 2 {
		fmt.Fprintf(&b, `, %q: %s`, more[i], text(more[i+1]))
	}
	return b.String() + "}\n"
}

func (p *planted) file(t *testing.T, name string, lines ...string) {
	t.Helper()
	path := filepath.Join(p.dir, name)
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	text := strings.Join(lines, "")
	if !strings.HasSuffix(name, ".gz") {
		_, err = f.WriteString(text)
	} else {
		z := gzip.NewWriter(f)
		if _, err = z.Write([]byte(text)); err == nil {
			err = z.Close()
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}

// plant writes rotated, packed and current files in JSON, verbose and worker
// form, a command's output in text form, and fills a Loki.
func plant(t *testing.T) *planted {
	t.Helper()
	p := &planted{now: time.Now().UTC().Truncate(time.Second), dir: t.TempDir()}
	m := time.Minute
	p.file(t, "django.log.2.gz", p.record(50*m, "ERROR", "grading", "Async import failed for copy "+copyA+" (attempt 1/3): cannot open broken document",
		"exc_info", "Traceback (most recent call last):\n  File \"tasks.py\", line 1\nfitz.FileDataError: cannot open broken document"))
	p.file(t, "django.log.1", "["+p.stamp(40*m)+"] ERROR grading.services services PDF generation failed for copy "+copyB+" (attempt 1): no room\n"+
		"Traceback (most recent call last):\n  File \"services.py\", line 610\nOSError: [Errno 28] No space left on device\n")
	p.file(t, "django.log",
		p.record(30*m, "ERROR", "grading.services", "cannot read the source of copy "+copyB, "exc_info", "Traceback (most recent call last):\nPermissionError: [Errno 13] Permission denied", "request_id", request, "path", "/api/grading/copies/"+copyB+"/finalize/", "method", "POST"),
		p.record(30*m-3*time.Second, "WARNING", "django.request", "Conflict: /api/grading/copies/"+copyB+"/finalize/", "status_code", 409, "request_id", request),
		p.record(20*m, "WARNING", "metrics", "Slow request: GET /api/exams/ took 6.21s", "status_code", 200, "duration_ms", 6210.0, "path", "/api/exams/", "method", "GET", "request_id", "slow-one"))
	p.file(t, "audit.log", p.record(30*m-time.Second, "INFO", "audit", "audit", "action", "copy.download", "resource", "Copy:12ab", "user", "jmartin", "request_id", request))
	p.file(t, "celery.log", "["+p.stamp(10*m)+": ERROR/ForkPoolWorker-2] Task grading.tasks.async_finalize_copy["+taskID+"] raised unexpected: IntegrityError('duplicate key')\n")
	output := filepath.Join(t.TempDir(), "output")
	if err := os.WriteFile(output, []byte("backend-1  | "+p.stamp(5*m)+" CRITICAL grading the broker went away\nbackend-1  | redis.exceptions.ConnectionError\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	loki := lokitest.New(t)
	loki.Add("celery", p.now.Add(-2*m), strings.TrimSpace(p.record(2*m, "ERROR", "grading", "canceling statement due to statement timeout")))
	cfg, err := config.Load(config.Sources{Flags: map[string]string{config.LogDir: p.dir, config.LogCommand: "tail -n +1 -F '" + output + "'", config.LokiURL: loki.URL},
		Getenv: func(string) (string, bool) { return "", false }})
	if err != nil {
		t.Fatal(err)
	}
	if p.Cockpit, err = New(cfg, nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close(context.Background()) })
	return p
}

// open reads a page and lays it out, as the app does.
func (p *planted) open(t *testing.T, ref pane.Ref) pane.Content {
	t.Helper()
	data, err := p.Readers()[ref.Kind](t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	spec := p.spec(t, ref.Kind)
	in := pane.Input{Data: data, Now: p.now, Zone: time.UTC, Width: 118}
	if spec.Rows != nil {
		return spec.Rows(ref).Content(in)
	}
	text := spec.Text(page.Input{Input: in, Ref: ref, Height: 30, Read: p.now})
	c := pane.Content{Summary: text.Mark}
	for _, para := range text.Paras {
		c.Summary += "\n" + para.Head + para.Text
	}
	return c
}

func (p *planted) spec(t *testing.T, kind pane.Kind) page.Spec {
	t.Helper()
	i := slices.IndexFunc(pages.All(), func(s page.Spec) bool { return s.Kind == kind })
	if i < 0 {
		t.Fatalf("no page of kind %s", kind)
	}
	return pages.All()[i]
}

// seek types a filter into the pane.
func (p *planted) seek(t *testing.T, query string) pane.Content {
	t.Helper()
	in := pane.Input{Now: p.now, Zone: time.UTC, Query: query, Width: 118,
		Set: probes.NewSet(probes.Snapshot{ID: logs.ID, Source: probes.Logs, Seq: 1, Payload: logs.Overview{}})}
	data, err := p.Seekers()["logs"](t.Context(), query, func(any) {})
	if err != nil {
		in.Problem = probes.Brief(err)
	}
	in.Data = data
	return panelogs.New().Content(in)
}

// column gives the cells of a column.
func column(c pane.Content, i int) (cells []string) {
	for _, r := range c.Rows {
		cells = append(cells, strings.TrimSpace(r.Cells[i].Text))
	}
	return cells
}

// messages are the beginnings of the messages of listed records.
func messages(c pane.Content) []string {
	var out []string
	for _, s := range column(c, 4) {
		words := strings.Fields(s)
		out = append(out, strings.Join(words[:min(3, len(words))], " "))
	}
	return out
}

func expect(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\ngot  %q\nwant %q", what, got, want)
	}
}

// everyError is what all sources hold at ERROR and above, newest first.
var everyError = []string{"canceling statement due", "the broker went", "Task grading.tasks.async_finalize_copy[" + taskID + "] raised", "cannot read the", "PDF generation failed", "Async import failed"}

func TestSearchFindsWhatIsPlanted(t *testing.T) {
	p := plant(t)
	for query, want := range map[string][]string{
		"level:error":                        everyError,
		"level:error until:25m":              everyError[3:],
		"level:error logger:grading !PDF":    {"canceling statement due", "the broker went", "cannot read the", "Async import failed"},
		"errno":                              {"cannot read the", "PDF generation failed"},
		"/Errno (28|13)/ level:error":        {"cannot read the", "PDF generation failed"},
		"copy:" + copyA:                      {"Async import failed"},
		"req:" + request:                     {"Conflict: /api/grading/copies/bbbb0000/finalize/", "copy.download Copy:12ab by", "cannot read the"},
		"status_code=409":                    {"Conflict: /api/grading/copies/bbbb0000/finalize/"},
		"redis.exceptions":                   {"the broker went"},
		"no such thing anywhere, \"really\"": nil,
	} {
		c := p.seek(t, query)
		expect(t, query, messages(c), want)
		if want == nil && (c.Empty == "" || !strings.Contains(c.Empty, "searched")) {
			t.Errorf("%s: nothing is found, and nobody says how far was looked: %q", query, c.Empty)
		}
	}
	c := p.seek(t, "level:bogus")
	if len(c.Rows) != 0 || len(c.Notes) != 1 || !strings.Contains(c.Notes[0].Text, `level "bogus" is none of`) {
		t.Errorf("a bad query is no sentence: %+v", c)
	}
}

// TestTracebackOpens: the row says how long it is, enter shows all of it.
func TestTracebackOpens(t *testing.T) {
	p := plant(t)
	for query, end := range map[string]string{"copy:" + copyA: "fitz.FileDataError: cannot open broken document", `"Errno 28"`: "OSError: [Errno 28] No space left on device",
		"broker": "redis.exceptions.ConnectionError"} {
		c := p.seek(t, query)
		if len(c.Rows) != 1 || !strings.HasPrefix(c.Rows[0].Cells[2].Text, "▸ ") {
			t.Fatalf("%s: %+v", query, c.Rows)
		}
		if shown := p.open(t, c.Rows[0].Opens); !strings.Contains(shown.Summary, end) || !strings.Contains(shown.Summary, c.Rows[0].Cells[4].Text[:10]) {
			t.Errorf("%s opens %q", query, shown.Summary)
		}
	}
}

func TestNamedSearchesFindWhatIsPlanted(t *testing.T) {
	p := plant(t)
	c := p.open(t, pane.Ref{Kind: pane.KindPatterns})
	got := map[string]string{}
	for _, r := range c.Rows {
		got[r.Key] = r.Cells[1].Text
	}
	for name, want := range map[string]string{"errors": "6", "import": "1", "finalize": "4", "pdf": "1", "permission": "1", "disk": "1", "lock-conflict": "1", "rollback": "1",
		"duplicate-finalize": "0", "timeout": "1", "slow": "1", "tracebacks": "3"} {
		if got[name] != want {
			t.Errorf("%s: %s records, planted are %s", name, got[name], want)
		}
	}
	i := slices.IndexFunc(c.Rows, func(r pane.Row) bool { return r.Key == "rollback" })
	expect(t, "enter on rollbacks", messages(p.open(t, c.Rows[i].Opens)), everyError[2:3])
}

func TestTimesLeadToTheirRecords(t *testing.T) {
	p := plant(t)
	c := p.open(t, pane.Ref{Kind: pane.KindLogTimes, ID: "level:error"})
	if !strings.HasPrefix(c.Summary, "6 records · 6 errors") {
		t.Errorf("got %q", c.Summary)
	}
	var found []string
	for _, r := range c.Rows {
		if n := r.Data["records"].(int); n > 0 {
			listed := messages(p.open(t, r.Opens))
			if len(listed) != n || r.Cells[4].Text == "" {
				t.Errorf("a span of %d records leads to %q", n, listed)
			}
			found = append(found, listed...)
		}
	}
	expect(t, "all spans", found, everyError)
}

func TestTracesFindWhatIsPlanted(t *testing.T) {
	p := plant(t)
	c := p.open(t, pane.Ref{Kind: pane.KindTrace, ID: request})
	expect(t, "gaps", column(c, 1), []string{"", "+1.0s", "+2.0s"})
	expect(t, "kinds", column(c, 2), []string{"service", "service", "http"})
	if !strings.Contains(c.Summary, "3 steps in 3.0s · ✗ 1 failed · longest wait 2.0s") {
		t.Errorf("got %q", c.Summary)
	}
	if shown := p.open(t, c.Rows[0].Opens); !strings.Contains(shown.Summary, "PermissionError: [Errno 13] Permission denied") {
		t.Errorf("enter on a step shows %q", shown.Summary)
	}
	if c = p.open(t, pane.Ref{Kind: pane.KindTrace, ID: taskID}); len(c.Rows) != 1 || c.Rows[0].Cells[2].Text != "task" {
		t.Errorf("the task: %+v", c.Rows)
	}
	if c = p.open(t, pane.Ref{Kind: pane.KindTrace, ID: copyB}); len(c.Rows) < 3 || !strings.Contains(c.Rows[0].Cells[5].Text, "PDF generation failed") {
		t.Errorf("the copy: %q", column(c, 5))
	}
	c = p.open(t, pane.Ref{Kind: pane.KindTrace, ID: "00000000-0000-4000-8000-000000000000"})
	if len(c.Rows) != 0 || !strings.Contains(c.Empty, "Nothing names") {
		t.Errorf("nobody: %+v", c)
	}
}

func TestRequestsAndSlowOnesArePlanted(t *testing.T) {
	p := plant(t)
	c := p.open(t, pane.Ref{Kind: pane.KindRequests, ID: "since:1h"})
	expect(t, "requests", column(c, 5), []string{"slow-one", request})
	expect(t, "worst", column(c, 1), []string{"⚠ WARNING", "✗ ERROR"})
	if c.Rows[1].Opens != pane.TraceRef("request", request) {
		t.Errorf("enter opens %+v", c.Rows[1].Opens)
	}
	c = p.open(t, pane.Ref{Kind: pane.KindSlow, ID: "since:1h"})
	expect(t, "slow", column(c, 0), []string{"6.2s"})
}

// TestPaneShowsAllSources: the newest of all of them in one list, and what
// failed by name.
func TestPaneShowsAllSources(t *testing.T) {
	p := plant(t)
	set := p.Hub.SampleAll(t.Context())
	c := panelogs.New().Content(pane.Input{Set: set, Now: p.now, Zone: time.UTC, Width: 118})
	expect(t, "the pane", messages(c)[:3], everyError[:3])
	// What is packed is searched, not followed.
	if len(c.Rows) != 8 || c.Summary != "✗ 5 errors · 2 warnings since "+p.now.Add(-40*time.Minute).Format("15:04:05") || len(c.Notes) != 0 {
		t.Errorf("%d rows, %q, %+v", len(c.Rows), c.Summary, c.Notes)
	}
	for i, row := range c.Rows {
		if row.Opens.Kind == "" {
			t.Errorf("row %d cannot be opened: %+v", i, row)
			continue
		}
		if shown := p.open(t, row.Opens); !strings.Contains(shown.Summary, strings.TrimSpace(row.Cells[3].Text)) {
			t.Errorf("row %d opens %q", i, shown.Summary)
		}
	}
}
