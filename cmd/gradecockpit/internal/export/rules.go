package export

import (
	"fmt"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/prometheus/common/model"
)

// Thresholds are the limits in the rules; they are the configuration's.
type Thresholds struct {
	StuckWarning, StuckCritical     int
	ExpiredWarning                  int
	WaitingWarning, WaitingCritical int
	DiskWarning, DiskCritical       int           // percent of a volume in use
	P95                             time.Duration // of all requests
	InProgress                      time.Duration // after which a finalization is stuck
}

// slowFinalize is the playbook's limit for the P95 of finalizations (section 4.4).
const slowFinalize = 60 * time.Second

// Limits for which neither the playbook nor the configuration has a number: the
// playbook says "too many clients" (6.3) and "replication lag detected" (8.2).
const (
	fullConnections = 0.9
	slowReplica     = 30 * time.Second
)

// Severity is the playbook's (section 8.1).
type Severity string

// The severities: respond within 15 minutes, 1 hour, 4 hours, 24 hours.
const (
	P0 Severity = "P0"
	P1 Severity = "P1"
	P2 Severity = "P2"
	P3 Severity = "P3"
)

// Alert is one alert rule.
type Alert struct {
	Name     string
	Expr     string
	For      time.Duration // how long it must hold
	Severity Severity
	Summary  string // what is wrong, with Prometheus's templates for the labels
	Do       string // what to do now
	Command  string // of the cockpit, that shows or mends it
	Playbook string // section
}

// Alerts are the rules, in the order of the playbook's scenarios.
func Alerts(t Thresholds) []Alert {
	const m = time.Minute
	return []Alert{
		// The system as a whole.
		{"GradingDatabaseUnreachable", sourceUp + `{source="postgres"} == 0`, 2 * m, P0,
			"The grading database does not answer.", "Look whether PostgreSQL runs and takes connections; everything else waits for it.", "gradecockpit doctor", "6.2 step 3, 8.2"},
		{"GradingBrokerUnreachable", sourceUp + `{source="redis"} == 0`, 2 * m, P0,
			"Redis does not answer: no task is taken or queued.", "Look whether Redis runs; workers reconnect by themselves once it does.", "gradecockpit doctor", "3.2 step 4"},
		{"GradingSourceUnreachable", sourceUp + `{source!~"postgres|redis"} == 0`, 10 * m, P3,
			"{{ $labels.source }} cannot be read.", "The cockpit sees less than it could; doctor says what is missing.", "gradecockpit doctor", "2"},
		{"GradecockpitExporterGone", "absent(" + buildInfo + ")", 5 * m, P2,
			"The exporter is not scraped: none of these alerts can fire.", "Look whether gradecockpit export runs and Prometheus reaches it.", "gradecockpit export", "2.3"},
		// Workers and queues: scenarios 1 and 4.
		{"GradingNoWorker", workersListening + " == 0", 2 * m, P0,
			"No worker listens: no task will run.", "Start or restart the workers, then look what waits.", "gradecockpit workers; gradecockpit restart WORKER", "3.4 action 1"},
		{"GradingWorkerDown", workersByState + `{state=~"gone|frozen|deaf"} > 0`, 5 * m, P1,
			"{{ $value }} worker(s) {{ $labels.state }}.", "See why in the state's reason; restart it, and bring back what it held.", "gradecockpit workers; gradecockpit restart WORKER; gradecockpit restore-orphans", "3.4 action 1"},
		{"GradingQueueNotTaken", queueMessages + " > 0 and on(queue) " + queueConsumed + " == 0", 5 * m, P1,
			"{{ $value }} task(s) wait in {{ $labels.queue }}, which no worker takes.", "Make a worker take the queue, or move what waits: old retries would all run at once.", "gradecockpit queues; gradecockpit consume WORKER", "3.2 step 4"},
		{"GradingQueueBacklog", fmt.Sprintf("sum(%s) > %d", queueMessages, t.WaitingCritical), 5 * m, P1,
			"{{ $value }} tasks wait.", "See which task floods, whether workers are busy, and what they run.", "gradecockpit queues; gradecockpit pool-grow WORKER", "6.2 step 5, 6.3"},
		{"GradingQueueGrows", fmt.Sprintf("sum(%s) > %d <= %d", queueMessages, t.WaitingWarning, t.WaitingCritical), 10 * m, P3,
			"{{ $value }} tasks wait.", "Watch whether it grows; see what the workers run.", "gradecockpit queues", "6.2 step 5"},
		{"GradingWorkersAllBusy", workerSlotsBusy + " >= " + workerSlots, 15 * m, P3,
			"Every slot of every worker has been busy for a quarter of an hour.", "Let workers run more at once, if the machine can.", "gradecockpit workers; gradecockpit pool-grow WORKER", "6.4 action 5"},
		{"GradingTaskRunsLong", fmt.Sprintf(`%s{task!="other"} > %g`, taskRunning, t.InProgress.Seconds()), 0, P2,
			"{{ $labels.task }} has run for {{ humanizeDuration $value }}.", "Look at its copy and the worker's log; a task past its limit is killed and leaves its copy as it was.", "gradecockpit tasks; gradecockpit terminate TASK", "3.3, 6.1"},
		// Not delta(), which guesses fractions at the edges, and misses a failure while an old result expires.
		{"GradingTasksFail", fmt.Sprintf(`%[1]s - min_over_time(%[1]s[15m]) > 0`, tasksByState+`{state=~"failed|failed_said_success|lost"}`), 0, P2,
			"{{ $value }} task(s) {{ $labels.state }} within a quarter of an hour.", "Open the task: it says why. A finalization that failed leaves no other trace in the database.", "gradecockpit tasks", "4.2 step 4"},
		// Copies: scenarios 1 and 2.
		{"GradingCopiesStuck", fmt.Sprintf("%s >= %d", stuckCopies, t.StuckWarning), 5 * m, P2,
			"{{ $value }} stuck ({{ $labels.cause }}).", "Each has its reason and its remedy in the list.", "gradecockpit show stuck; gradecockpit copy ID; gradecockpit retry ID", "3.2, 4.2"},
		{"GradingManyCopiesStuck", fmt.Sprintf("sum(%s) >= %d", stuckCopies, t.StuckCritical), 5 * m, P1,
			"{{ $value }} copies are stuck.", "Look for one cause first: database, disk, worker, a release.", "gradecockpit show stuck; gradecockpit check -o table", "3.2, 4.2"},
		{"GradingFinalizationsFail", fmt.Sprintf(`%s{outcome="failed"} >= %d`, finalizeEvents, t.StuckWarning), 0, P2,
			"{{ $value }} finalization(s) failed in the last hour.", "The copy's page shows the error and the log lines of each try.", "gradecockpit show stuck; gradecockpit copy ID", "4.2 step 2"},
		{"GradingFinalizeSlow", fmt.Sprintf("max(%s) > %g", finalizeP95, slowFinalize.Seconds()), 5 * m, P2,
			"P95 of finalizations is {{ humanizeDuration $value }}.", "Look for large PDFs, a slow disk, and sessions that wait in the database.", "gradecockpit show latency; gradecockpit tasks", "4.4, 6.1"},
		// Locks: scenario 3.
		{"GradingLocksExpired", fmt.Sprintf(`%s{state="expired"} >= %d`, locks, t.ExpiredWarning), 10 * m, P2,
			"{{ $value }} expired lock(s): finalizing those copies fails until they are cleared.", "Clear them; the plan shows each one first.", "gradecockpit show locks; gradecockpit clear-expired", "5.4 action 1"},
		// Requests: scenario 4.
		{"GradingRequestsSlow", fmt.Sprintf("%s > %g", httpP95, t.P95.Seconds()), 10 * m, P2,
			"P95 of all requests is at least {{ humanizeDuration $value }}.", "The worst endpoint stands first.", "gradecockpit show latency", "6.2 step 1"},
		{"GradingConnectionsRunOut", fmt.Sprintf("%s >= %g", connectionsUsed, fullConnections), 2 * m, P1,
			"{{ humanizePercentage $value }} of the database's connections are taken.", "See who holds them; idle ones of a dead process can be disconnected.", "gradecockpit show sessions; gradecockpit disconnect PID", "6.3"},
		{"GradingSessionsBlocked", blockedSessions + " > 0", 5 * m, P2,
			"{{ $value }} database session(s) wait for another one.", "The root of the tree stands first: see what it does before ending it.", "gradecockpit show sessions; gradecockpit cancel PID", "6.2 step 3"},
		{"GradingReplicationLags", fmt.Sprintf("%s > %g", replicationLag, slowReplica.Seconds()), 5 * m, P2,
			"A standby is {{ humanizeDuration $value }} behind.", "Tell the database administrator.", "gradecockpit show database", "8.2"},
		{"GradingDiskNearlyFull", fmt.Sprintf("%s * 100 >= %d", volumeUsed, t.DiskCritical), 5 * m, P1,
			"The volume with the {{ $labels.folder }} folder is {{ humanize $value }}% full.", "Make room before imports, PDFs and the database fail; for the database's, tell its administrator.", "gradecockpit show host", "3.4 action 3, 8.2"},
		{"GradingDiskFills", fmt.Sprintf("%s * 100 >= %d < %d", volumeUsed, t.DiskWarning, t.DiskCritical), 15 * m, P3,
			"The volume with the {{ $labels.folder }} folder is {{ humanize $value }}% full.", "See what grows.", "gradecockpit show host", "3.4 action 3"},
		{"GradingOutOfMemory", "increase(" + oomKills + "[15m]) > 0", 0, P2,
			"The kernel killed {{ humanize $value }} process(es) for want of memory.", "See whether it was a worker or PostgreSQL; a killed worker leaves its task unacknowledged.", "gradecockpit show host; gradecockpit restore-orphans", "3.3, 4.3"},
		// The audit trail: scenario 5.
		{"GradingAuditGaps", auditGaps + " > 0", 10 * m, P3,
			"{{ $value }} place(s) in the audit trail where events are missing.", "The timeline marks each; look in the log for an error at that time.", "gradecockpit show timeline", "7.2"},
	}
}

// The rules file, in the words of Prometheus.
type rulesFile struct {
	Groups []ruleGroup `yaml:"groups"`
}

type ruleGroup struct {
	Name  string `yaml:"name"`
	Rules []rule `yaml:"rules"`
}

type rule struct {
	Alert       string            `yaml:"alert"`
	Expr        string            `yaml:"expr"`
	For         string            `yaml:"for,omitempty"`
	Labels      map[string]string `yaml:"labels"`
	Annotations map[string]string `yaml:"annotations"`
}

// Rules gives the alert rules as a file for Prometheus.
func Rules(t Thresholds) ([]byte, error) {
	g := ruleGroup{Name: "gradecockpit"}
	for _, a := range Alerts(t) {
		r := rule{Alert: a.Name, Expr: a.Expr, Labels: map[string]string{"severity": string(a.Severity)}, Annotations: map[string]string{
			"summary": a.Summary, "description": a.Do, "command": a.Command, "playbook": a.Playbook}}
		if a.For > 0 {
			r.For = model.Duration(a.For).String()
		}
		g.Rules = append(g.Rules, r)
	}
	body, err := yaml.Marshal(rulesFile{[]ruleGroup{g}})
	if err != nil {
		return nil, fmt.Errorf("write the rules: %w", err)
	}
	head := []string{"Alert rules for a grading system that gradecockpit export watches.",
		"Made by gradecockpit export --rules; the limits are those of its configuration (thresholds.*).",
		"Severities are the playbook's: P0 within 15 minutes, P1 1 hour, P2 4 hours, P3 24 hours."}
	return append([]byte("# "+strings.Join(head, "\n# ")+"\n"), body...), nil
}
