package export

import (
	"strings"

	"github.com/grafana/grafana-foundation-sdk/go/units"

	"gradecockpit/probes/logs"
	"gradecockpit/probes/metrics"
)

const (
	httpP95         = "gradecockpit_http_request_p95_seconds"
	httpErrors      = "gradecockpit_http_server_error_ratio"
	finalizeBuckets = "grading_finalize_duration_seconds_bucket"
)

// The operations of which the requests stand for themselves: the ends of the
// paths that the application has for them (facts, sections 3 and 6).
var operations = []struct{ name, path string }{
	{"finalize", "/finalize/"},
	{"import", "/copies/import/"},
	{"lock", "/lock/"},
}

// aboutRequests is what the application's own counters say, put together over
// its processes. Prometheus alone cannot do that: every scrape is answered by
// one of several processes with counters of its own.
func aboutRequests() []Metric {
	const group = "Requests"
	op := []string{"operation"}
	return []Metric{
		traffic(Metric{Name: "gradecockpit_http_requests_per_second", Help: "Requests a second over about the last minute, all processes together.", Unit: units.RequestsPerSecond, Group: group},
			func(e metrics.Endpoint) (float64, bool) { return e.RPS, true }),
		traffic(Metric{Name: "gradecockpit_http_request_p50_seconds", Help: "Median duration of all requests; the top finite bucket where it lies beyond.", Unit: units.Seconds, Group: group},
			func(e metrics.Endpoint) (float64, bool) { return e.P50.Seconds, e.P50.Known }),
		traffic(Metric{Name: httpP95, Help: "95th percentile of the durations of all requests; the top finite bucket where it lies beyond.", Unit: units.Seconds, Group: group},
			func(e metrics.Endpoint) (float64, bool) { return e.P95.Seconds, e.P95.Known }),
		traffic(Metric{Name: httpErrors, Help: "Share of answers with status 5xx.", Unit: units.PercentUnit, Group: group},
			func(e metrics.Endpoint) (float64, bool) { return e.ErrorShare, e.ErrorShare == e.ErrorShare }),
		traffic(Metric{Name: "gradecockpit_http_client_error_ratio", Help: "Share of answers with status 4xx; a lock conflict is a 409.", Unit: units.PercentUnit, Group: group},
			func(e metrics.Endpoint) (float64, bool) { return e.ClientShare, e.ClientShare == e.ClientShare }),
		operation(Metric{Name: "gradecockpit_operation_requests_per_second", Labels: op, Help: "Requests a second of the paths that finalize, import or lock.", Unit: units.RequestsPerSecond, Group: group},
			func(e metrics.Endpoint) (float64, bool) { return e.RPS, true }),
		operation(Metric{Name: "gradecockpit_operation_p95_seconds", Labels: op, Unit: units.Seconds, Group: group,
			Help: "95th percentile of the durations of those requests, the slowest of their endpoints; the top finite bucket (10 s) where it lies beyond."},
			func(e metrics.Endpoint) (float64, bool) { return e.P95.Seconds, e.P95.Known }),
		{Name: finalizeBuckets, Labels: []string{"status", "retry_attempt", "le"}, Counter: true, Foreign: true, Unit: units.Seconds, Group: group,
			Help:  "P95 of finalizations, by the application's own histogram, where it has one (from 2026-02-04).",
			Query: "histogram_quantile(0.95, sum by (le) (rate(" + finalizeBuckets + "[10m])))"},
	}
}

// aboutLogs is what the application's log lines add up to.
func aboutLogs() []Metric {
	const group = "Logs"
	return []Metric{
		from(logs.ID, Metric{Name: "gradecockpit_log_errors_last_hour", Help: "Lines of level ERROR or worse in the last hour, as far as the logs reach back.", Group: group},
			func(s sample[logs.Overview]) []point { return just(float64(s.seen.ErrorsLastHour)) }),
		from(logs.ID, Metric{Name: "gradecockpit_log_warnings_last_hour", Help: "Lines of level WARNING in the last hour, as far as the logs reach back.", Group: group},
			func(s sample[logs.Overview]) []point { return just(float64(s.seen.WarningsLastHour)) }),
	}
}

// traffic makes a metric of all requests, known once two scrapes of a process
// were compared.
func traffic(m Metric, read func(metrics.Endpoint) (float64, bool)) Metric {
	return from(metrics.ID, m, func(s sample[metrics.Overview]) []point {
		if s.seen.Warming != "" {
			return nil
		}
		v, known := read(s.seen.Total)
		return when(known, v)
	})
}

// operation makes a metric of the endpoints of each operation: a rate adds up,
// of other figures the highest counts. One without requests has no series.
func operation(m Metric, read func(metrics.Endpoint) (float64, bool)) Metric {
	adds := m.Unit == units.RequestsPerSecond
	return from(metrics.ID, m, func(s sample[metrics.Overview]) (out []point) {
		if s.seen.Warming != "" {
			return nil
		}
		for _, o := range operations {
			sum, any := 0.0, false
			for _, e := range s.seen.Endpoints {
				v, known := read(e)
				switch {
				case !known || !strings.HasSuffix(e.Path, o.path):
					continue
				case adds:
					sum += v
				default:
					sum = max(sum, v)
				}
				any = true
			}
			out = append(out, when(any, sum, o.name)...)
		}
		return out
	})
}
