package labtest

import (
	"testing"

	"gradecockpit/probes/lab"
)

// Prometheus starts a private Prometheus server.
func Prometheus(t testing.TB, opts lab.PrometheusOptions) *lab.PrometheusServer {
	t.Helper()
	Need(t, "prometheus")
	if opts.Past != "" {
		Need(t, "promtool")
	}
	s, err := lab.StartPrometheus(Context(t), opts)
	if err != nil {
		t.Fatal(err)
	}
	stopAfter(t, s.Stop)
	return s
}
