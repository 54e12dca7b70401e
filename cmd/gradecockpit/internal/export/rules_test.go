package export_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"gradecockpit/cmd/gradecockpit/internal/export"
	"gradecockpit/probes/lab"
	"gradecockpit/probes/lab/labtest"
)

var limits = export.Thresholds{StuckWarning: 1, StuckCritical: 5, ExpiredWarning: 1, WaitingWarning: 25, WaitingCritical: 50,
	DiskWarning: 80, DiskCritical: 90, P95: 5 * time.Second, InProgress: 5 * time.Minute}

// TestRulesNameOnlyWhatIsThere: every metric of a rule is in the table, with the
// labels that the rule picks by, and every command exists.
func TestRulesNameOnlyWhatIsThere(t *testing.T) {
	labels := map[string][]string{}
	for _, m := range export.Metrics() {
		labels[m.Name] = m.Labels
	}
	metric := regexp.MustCompile(`\b(?:gradecockpit|grading|http)_\w+(?:\{(\w+)[=!~])?`)
	for _, a := range export.Alerts(limits) {
		used := metric.FindAllStringSubmatch(a.Expr, -1)
		if len(used) == 0 {
			t.Errorf("%s is about no metric: %s", a.Name, a.Expr)
		}
		for _, u := range used {
			name, _, _ := strings.Cut(u[0], "{")
			if has, ok := labels[name]; !ok || u[1] != "" && !slices.Contains(has, u[1]) {
				t.Errorf("%s is about %s by %q, which is not served", a.Name, name, u[1])
			}
		}
		for _, text := range []string{a.Summary, a.Do, a.Command, a.Playbook, string(a.Severity)} {
			if text == "" {
				t.Errorf("%s does not say everything: %+v", a.Name, a)
			}
		}
	}
}

// TestNames: Prometheus's conventions, and no name twice.
func TestNames(t *testing.T) {
	seen := map[string]bool{}
	for _, m := range export.Metrics() {
		if seen[m.Name] {
			t.Errorf("%s is there twice", m.Name)
		}
		seen[m.Name] = true
		if m.Counter != strings.HasSuffix(m.Name, "_total") {
			t.Errorf("%s: only counters, and all of them, end in _total", m.Name)
		}
		if !strings.HasPrefix(m.Name, "gradecockpit_") && m.Name != "grading_copies_by_status" {
			t.Errorf("%s has a name of somebody else's", m.Name)
		}
	}
}

// promtool runs Debian's promtool on files of the test.
func promtool(t *testing.T, stdin string, files map[string]string, args ...string) string {
	t.Helper()
	labtest.Need(t, "promtool")
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	program, err := lab.Program("promtool")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(labtest.Context(t), program, args...)
	cmd.Dir, cmd.Stdin = dir, strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("promtool %v: %v\n%s", args, err, out)
	}
	return string(out)
}

func rules(t *testing.T) string {
	t.Helper()
	text, err := export.Rules(limits)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestPromtoolAcceptsTheRules(t *testing.T) {
	out := promtool(t, "", map[string]string{"rules.yml": rules(t)}, "check", "rules", "--lint-fatal", "rules.yml")
	if want := fmt.Sprintf("%d rules found", len(export.Alerts(limits))); !strings.Contains(out, want) {
		t.Errorf("%q, want %s", out, want)
	}
}

// TestPromtoolAcceptsTheMetrics, as they are served over HTTP. What it finds in
// the names of the Go runtime's own metrics is not ours.
func TestPromtoolAcceptsTheMetrics(t *testing.T) {
	w := world(t, lab.Options{Speed: 20, Faults: []string{"expired-locks", "queue-backlog"}})
	s := serve(t, w.Env())
	want := []string{"gradecockpit_workers", "gradecockpit_worker_slots", "gradecockpit_tasks", "gradecockpit_locks", "gradecockpit_log_errors_last_hour",
		"gradecockpit_http_requests_per_second", "gradecockpit_http_request_p95_seconds", "gradecockpit_http_server_error_ratio", "gradecockpit_operation_p95_seconds"}
	s.until("a whole world has it all", func(m scraped) bool {
		return !slices.ContainsFunc(want, func(name string) bool { return len(m[name]) == 0 })
	})
	_, text, _ := s.get(http.MethodGet, "/metrics")
	if out := promtool(t, text, nil, "check", "metrics"); out != "" {
		t.Errorf("%s", out)
	}
}

// happening is one state of the metrics, and whether an alert belongs to it.
type happening struct {
	alert  string
	series map[string]string // as promtool's unit tests write them
	at     string            // when it is looked; "" is after an hour
	fires  []map[string]string
}

// happenings has for every alert one state in which it fires and one next to it
// in which it does not.
func happenings() []happening {
	one := func(labels ...string) []map[string]string {
		m := map[string]string{}
		for i := 0; i+1 < len(labels); i += 2 {
			m[labels[i]] = labels[i+1]
		}
		return []map[string]string{m}
	}
	of := func(pairs ...string) map[string]string {
		m := map[string]string{}
		for i := 0; i+1 < len(pairs); i += 2 {
			m[pairs[i]] = pairs[i+1]
		}
		return m
	}
	return []happening{
		{"GradingDatabaseUnreachable", of(`gradecockpit_source_up{source="postgres"}`, "0x120", `gradecockpit_source_up{source="redis"}`, "1x120"), "", one("source", "postgres")},
		{"GradingDatabaseUnreachable", of(`gradecockpit_source_up{source="postgres"}`, "1x120", `gradecockpit_source_up{source="redis"}`, "0x120"), "", nil},
		{"GradingDatabaseUnreachable", of(`gradecockpit_source_up{source="postgres"}`, "1x59 0x1"), "", nil}, // for a moment only
		{"GradingBrokerUnreachable", of(`gradecockpit_source_up{source="redis"}`, "0x120"), "", one("source", "redis")},
		{"GradingBrokerUnreachable", of(`gradecockpit_source_up{source="redis"}`, "1x120"), "", nil},
		{"GradingSourceUnreachable", of(`gradecockpit_source_up{source="logs"}`, "0x120", `gradecockpit_source_up{source="postgres"}`, "0x120"), "", one("source", "logs")},
		{"GradingSourceUnreachable", of(`gradecockpit_source_up{source="logs"}`, "1x120"), "", nil},
		{"GradecockpitExporterGone", of(`gradecockpit_locks{state="live"}`, "1x120"), "", one()},
		{"GradecockpitExporterGone", of(`gradecockpit_build_info{version="v1"}`, "1x120"), "", nil},
		{"GradingNoWorker", of("gradecockpit_workers_listening", "0x120"), "", one()},
		{"GradingNoWorker", of("gradecockpit_workers_listening", "1x120"), "", nil},
		{"GradingNoWorker", of("gradecockpit_workers_listening", "1x30 _x90"), "", nil}, // not known is not none
		{"GradingWorkerDown", of(`gradecockpit_workers{state="frozen"}`, "1x120", `gradecockpit_workers{state="healthy"}`, "1x120"), "", one("state", "frozen")},
		{"GradingWorkerDown", of(`gradecockpit_workers{state="busy"}`, "3x120", `gradecockpit_workers{state="gone"}`, "0x120"), "", nil},
		{"GradingQueueNotTaken", of(`gradecockpit_queue_messages{queue="finalize"}`, "3x120", `gradecockpit_queue_consumed{queue="finalize"}`, "0x120",
			`gradecockpit_queue_messages{queue="celery"}`, "9x120", `gradecockpit_queue_consumed{queue="celery"}`, "1x120"), "", one("queue", "finalize")},
		{"GradingQueueNotTaken", of(`gradecockpit_queue_messages{queue="finalize"}`, "0x120", `gradecockpit_queue_consumed{queue="finalize"}`, "0x120"), "", nil},
		{"GradingQueueBacklog", of(`gradecockpit_queue_messages{queue="celery"}`, "26x120", `gradecockpit_queue_messages{queue="import"}`, "25x120"), "", one()},
		{"GradingQueueBacklog", of(`gradecockpit_queue_messages{queue="celery"}`, "50x120"), "", nil}, // the playbook: more than 50
		{"GradingQueueGrows", of(`gradecockpit_queue_messages{queue="celery"}`, "50x120"), "", one()},
		{"GradingQueueGrows", of(`gradecockpit_queue_messages{queue="celery"}`, "51x120"), "", nil}, // that is the other alert's
		{"GradingQueueGrows", of(`gradecockpit_queue_messages{queue="celery"}`, "25x120"), "", nil},
		{"GradingWorkersAllBusy", of("gradecockpit_worker_slots_busy", "4x120", "gradecockpit_worker_slots", "4x120"), "", one()},
		{"GradingWorkersAllBusy", of("gradecockpit_worker_slots_busy", "3x120", "gradecockpit_worker_slots", "4x120"), "", nil},
		{"GradingTaskRunsLong", of(`gradecockpit_task_running_oldest_seconds{task="async_finalize_copy"}`, "301x120"), "", one("task", "async_finalize_copy")},
		{"GradingTaskRunsLong", of(`gradecockpit_task_running_oldest_seconds{task="async_finalize_copy"}`, "299x120"), "", nil},
		{"GradingTasksFail", of(`gradecockpit_tasks{state="failed_said_success"}`, "0x50 1x70"), "", one("state", "failed_said_success")},
		{"GradingTasksFail", of(`gradecockpit_tasks{state="failed_said_success"}`, "7x120", `gradecockpit_tasks{state="done"}`, "0+1x120"), "", nil}, // old ones
		{"GradingTasksFail", of(`gradecockpit_tasks{state="failed"}`, "7x50 6x4 7x66"), "", one("state", "failed")},                                  // an old one expired before
		{"GradingTasksFail", of(`gradecockpit_tasks{state="failed"}`, "7x50 5x70"), "", nil},                                                         // old ones expire
		{"GradingCopiesStuck", of(`gradecockpit_stuck_copies{cause="import"}`, "1x120", `gradecockpit_stuck_copies{cause="failed"}`, "0x120"), "", one("cause", "import")},
		{"GradingCopiesStuck", of(`gradecockpit_stuck_copies{cause="import"}`, "0x120"), "", nil},
		{"GradingManyCopiesStuck", of(`gradecockpit_stuck_copies{cause="import"}`, "2x120", `gradecockpit_stuck_copies{cause="failed"}`, "3x120"), "", one()},
		{"GradingManyCopiesStuck", of(`gradecockpit_stuck_copies{cause="import"}`, "4x120"), "", nil},
		{"GradingFinalizationsFail", of(`gradecockpit_finalize_events_last_hour{outcome="failed"}`, "1x120"), "", one("outcome", "failed")},
		{"GradingFinalizationsFail", of(`gradecockpit_finalize_events_last_hour{outcome="failed"}`, "0x120", `gradecockpit_finalize_events_last_hour{outcome="succeeded"}`, "9x120"), "", nil},
		{"GradingFinalizeSlow", of(`gradecockpit_finalize_p95_seconds{status="success"}`, "90x120", `gradecockpit_finalize_p95_seconds{status="failed"}`, "2x120"), "", one()},
		{"GradingFinalizeSlow", of(`gradecockpit_finalize_p95_seconds{status="success"}`, "60x120"), "", nil},
		{"GradingLocksExpired", of(`gradecockpit_locks{state="expired"}`, "1x120", `gradecockpit_locks{state="live"}`, "5x120"), "", one("state", "expired")},
		{"GradingLocksExpired", of(`gradecockpit_locks{state="expired"}`, "0x120", `gradecockpit_locks{state="live"}`, "5x120"), "", nil},
		{"GradingLocksExpired", of(`gradecockpit_locks{state="expired"}`, "1x120"), "5m", nil}, // it may be cleared by the application
		{"GradingRequestsSlow", of("gradecockpit_http_request_p95_seconds", "10x120"), "", one()},
		{"GradingRequestsSlow", of("gradecockpit_http_request_p95_seconds", "5x120"), "", nil},
		{"GradingConnectionsRunOut", of("gradecockpit_database_connections_used_ratio", "0.9x120"), "", one()},
		{"GradingConnectionsRunOut", of("gradecockpit_database_connections_used_ratio", "0.89x120"), "", nil},
		{"GradingSessionsBlocked", of("gradecockpit_database_sessions_blocked", "2x120"), "", one()},
		{"GradingSessionsBlocked", of("gradecockpit_database_sessions_blocked", "0x120"), "", nil},
		{"GradingReplicationLags", of("gradecockpit_database_replication_lag_seconds", "90x120"), "", one()},
		{"GradingReplicationLags", of("gradecockpit_database_replication_lag_seconds", "3x120"), "", nil},
		{"GradingDiskNearlyFull", of(`gradecockpit_volume_used_ratio{folder="database"}`, "0.91x120", `gradecockpit_volume_used_ratio{folder="media"}`, "0.85x120"), "", one("folder", "database")},
		{"GradingDiskNearlyFull", of(`gradecockpit_volume_used_ratio{folder="database"}`, "0.89x120"), "", nil},
		{"GradingDiskFills", of(`gradecockpit_volume_used_ratio{folder="media"}`, "0.85x120", `gradecockpit_volume_used_ratio{folder="database"}`, "0.91x120"), "", one("folder", "media")},
		{"GradingDiskFills", of(`gradecockpit_volume_used_ratio{folder="media"}`, "0.79x120"), "", nil},
		{"GradingOutOfMemory", of("gradecockpit_host_oom_kills_total", "0x50 15x80"), "", one()},
		{"GradingOutOfMemory", of("gradecockpit_host_oom_kills_total", "3x120"), "", nil},
		{"GradingAuditGaps", of("gradecockpit_audit_gaps", "2x120"), "", one()},
		{"GradingAuditGaps", of("gradecockpit_audit_gaps", "0x120"), "", nil},
	}
}

// The file of promtool's unit tests.
type (
	unitFile struct {
		RuleFiles []string   `yaml:"rule_files"`
		Interval  string     `yaml:"evaluation_interval"`
		Tests     []unitTest `yaml:"tests"`
	}
	unitTest struct {
		Interval string       `yaml:"interval"`
		Series   []unitSeries `yaml:"input_series"`
		Alerts   []unitAlert  `yaml:"alert_rule_test"`
	}
	unitSeries struct {
		Series string `yaml:"series"`
		Values string `yaml:"values"`
	}
	unitAlert struct {
		At    string    `yaml:"eval_time"`
		Alert string    `yaml:"alertname"`
		Fires []unitExp `yaml:"exp_alerts"`
	}
	unitExp struct {
		Labels      map[string]string `yaml:"exp_labels"`
		Annotations map[string]string `yaml:"exp_annotations"`
	}
)

// TestAlertsFireAndDoNot: every alert, in Prometheus's own evaluation.
func TestAlertsFireAndDoNot(t *testing.T) {
	file := unitFile{RuleFiles: []string{"rules.yml"}, Interval: "1m"}
	covered := map[string][2]int{}
	for _, h := range happenings() {
		u := unitTest{Interval: "1m"}
		for name, values := range h.series {
			u.Series = append(u.Series, unitSeries{name, values})
		}
		at := h.at
		if at == "" {
			at = "60m"
		}
		c := covered[h.alert]
		a := unitAlert{At: at, Alert: h.alert, Fires: []unitExp{}}
		for _, labels := range h.fires {
			labels["severity"] = severity(t, h.alert)
			a.Fires = append(a.Fires, unitExp{labels, annotations(t, h, labels)})
		}
		c[min(len(h.fires), 1)]++
		covered[h.alert] = c
		u.Alerts = []unitAlert{a}
		file.Tests = append(file.Tests, u)
	}
	for _, a := range export.Alerts(limits) {
		if c := covered[a.Name]; c[0] == 0 || c[1] == 0 {
			t.Errorf("%s is not tested both ways: %v", a.Name, c)
		}
	}
	text, err := yaml.Marshal(file)
	if err != nil {
		t.Fatal(err)
	}
	promtool(t, "", map[string]string{"rules.yml": rules(t), "test.yml": string(text)}, "test", "rules", "test.yml")
}

func alert(t *testing.T, name string) export.Alert {
	t.Helper()
	all := export.Alerts(limits)
	i := slices.IndexFunc(all, func(a export.Alert) bool { return a.Name == name })
	if i < 0 {
		t.Fatalf("there is no alert %s", name)
	}
	return all[i]
}

func severity(t *testing.T, name string) string { return string(alert(t, name).Severity) }

// annotations are those of the alert with its templates filled in, as they read
// for a responder.
func annotations(t *testing.T, h happening, labels map[string]string) map[string]string {
	a := alert(t, h.alert)
	summary := map[string]string{
		"GradingSourceUnreachable": "logs cannot be read.",
		"GradingWorkerDown":        "1 worker(s) frozen.",
		"GradingQueueNotTaken":     "3 task(s) wait in finalize, which no worker takes.",
		"GradingQueueBacklog":      "51 tasks wait.",
		"GradingQueueGrows":        "50 tasks wait.",
		"GradingTaskRunsLong":      "async_finalize_copy has run for 5m 1s.",
		"GradingTasksFail":         "1 task(s) " + labels["state"] + " within a quarter of an hour.",
		"GradingCopiesStuck":       "1 stuck (import).",
		"GradingManyCopiesStuck":   "5 copies are stuck.",
		"GradingFinalizationsFail": "1 finalization(s) failed in the last hour.",
		"GradingFinalizeSlow":      "P95 of finalizations is 1m 30s.",
		"GradingLocksExpired":      "1 expired lock(s): finalizing those copies fails until they are cleared.",
		"GradingRequestsSlow":      "P95 of all requests is at least 10s.",
		"GradingConnectionsRunOut": "90% of the database's connections are taken.",
		"GradingSessionsBlocked":   "2 database session(s) wait for another one.",
		"GradingReplicationLags":   "A standby is 1m 30s behind.",
		"GradingDiskNearlyFull":    "The volume with the database folder is 91% full.",
		"GradingDiskFills":         "The volume with the media folder is 85% full.",
		"GradingOutOfMemory":       "The kernel killed 15 process(es) for want of memory.",
		"GradingAuditGaps":         "2 place(s) in the audit trail where events are missing.",
	}[h.alert]
	if summary == "" {
		summary = a.Summary
	}
	return map[string]string{"summary": summary, "description": a.Do, "command": a.Command, "playbook": a.Playbook}
}

// alerts are what a real Prometheus says of the rules: names with their state.
func alerts(t *testing.T, p *lab.PrometheusServer) map[string]string {
	t.Helper()
	req, err := http.NewRequestWithContext(labtest.Context(t), http.MethodGet, p.URL()+"/api/v1/alerts", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var answer struct {
		Data struct {
			Alerts []struct {
				Labels map[string]string
				State  string
			}
		}
	}
	var raw bytes.Buffer
	if _, err := raw.ReadFrom(resp.Body); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw.Bytes(), &answer); err != nil {
		t.Fatalf("%v: %s", err, raw.String())
	}
	out := map[string]string{}
	for _, a := range answer.Data.Alerts {
		out[a.Labels["alertname"]] = a.State
	}
	return out
}

// TestARealPrometheusRaisesTheAlerts: it scrapes the exporter, evaluates the
// rules as they are printed, and an alert without a waiting time fires.
func TestARealPrometheusRaisesTheAlerts(t *testing.T) {
	db := labtest.Postgres(t, lab.Deployed)
	plant(t, db)
	s := serve(t, map[string]string{"DATABASE_URL": db.ReaderDSN()})
	s.looked()
	p := labtest.Prometheus(t, lab.PrometheusOptions{Targets: map[string][]string{"gradecockpit": {s.address}}, Rules: rules(t)})
	want := map[string]string{"GradingFinalizationsFail": "firing", "GradingLocksExpired": "pending", "GradingCopiesStuck": "pending",
		"GradingManyCopiesStuck": "pending", "GradingAuditGaps": "pending"}
	var last map[string]string
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the alerts are %v", last)
		}
	})
	labtest.Eventually(t, func() bool {
		last = alerts(t, p)
		for name, state := range want {
			if last[name] != state {
				return false
			}
		}
		return true
	})
	for _, name := range []string{"GradingNoWorker", "GradingDatabaseUnreachable", "GradecockpitExporterGone", "GradingQueueBacklog"} {
		if state, ok := last[name]; ok {
			t.Errorf("%s is %s without a reason", name, state)
		}
	}
}

// world starts a simulated grading system and closes it with the test.
func world(t *testing.T, opts lab.Options) *lab.World {
	t.Helper()
	w, err := lab.Start(labtest.Context(t), opts)
	if err != nil {
		labtest.Missing(t, err.Error())
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}
