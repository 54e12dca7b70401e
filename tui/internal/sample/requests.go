package sample

import (
	"math"
	"time"

	"gradecockpit/probes/metrics"
)

// Traffic has an endpoint that fails and is slow, a quick one and a usual one.
func Traffic() metrics.Overview {
	q := func(s float64) metrics.Quantile { return metrics.Quantile{Seconds: s, Known: true} }
	over := metrics.Quantile{Seconds: 10, Above: true, Known: true}
	return metrics.Overview{
		Window: time.Minute, Total: metrics.Endpoint{RPS: 12.6, Requests: 756, ErrorShare: 0.004, P95: q(1.2)},
		Endpoints: []metrics.Endpoint{
			{Method: "POST", Path: "/api/grading/copies/<uuid>/finalize/", RPS: 0.4, ErrorShare: 0.25, P50: q(2.1), P95: over, P99: over, History: []float64{1, 2, 4, 8, 10}},
			{Method: "GET", Path: "/api/copies/", RPS: 8.1, P50: q(0.04), P95: q(0.21), P99: q(0.48), History: []float64{0.2, 0.2, math.NaN(), 0.3}},
			{Method: "PATCH", Path: "/api/drafts/<uuid>/", RPS: 4.1, ClientShare: 0.0005, P50: q(0.012), P95: q(1.4)},
		},
	}
}
