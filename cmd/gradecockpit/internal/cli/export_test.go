package cli

import (
	"encoding/json"
	"strings"
	"testing"
)

// The limits in the rules are the configuration's.
func TestExportPrintsRules(t *testing.T) {
	got := run(t, map[string]string{"GRADECOCKPIT_WAITING_CRITICAL": "77", "GRADECOCKPIT_P95_WARNING": "1500ms"}, "export", "--rules")
	for _, want := range []string{"alert: GradingQueueBacklog", "sum(gradecockpit_queue_messages) > 77", "gradecockpit_http_request_p95_seconds > 1.5", "severity: P0"} {
		if !strings.Contains(got.out, want) {
			t.Errorf("no %q in the rules", want)
		}
	}
	if got.code != exitOK || got.err != "" {
		t.Errorf("exit code %d: %s", got.code, got.err)
	}
}

func TestExportPrintsADashboard(t *testing.T) {
	got := run(t, nil, "export", "--dashboard")
	var d struct{ Title string }
	if err := json.Unmarshal([]byte(got.out), &d); err != nil || d.Title == "" || got.code != exitOK {
		t.Errorf("exit code %d, title %q, %v", got.code, d.Title, err)
	}
}

func TestExportRefuses(t *testing.T) {
	for want, args := range map[string][]string{
		"can be reached from other machines": {"export", "--listen", "0.0.0.0:0"},
		"it must be above 0":                 {"export", "--stale-after", "0s"},
		"give one of them":                   {"export", "--rules", "--dashboard"},
		"neither a URL":                      {"export", "--database-url", "nonsense " + secret},
	} {
		got := run(t, nil, args...)
		if got.code != exitBad {
			t.Errorf("%v: exit code %d", args, got.code)
		}
		oneSentence(t, got, want)
	}
}
