package sample

import (
	"math"
	"time"

	"gradecockpit/probes"
	"gradecockpit/probes/metrics"
)

// Between is a latency in a bucket with such bounds.
func Between(lower, seconds, upper float64) metrics.Quantile {
	return metrics.Quantile{Seconds: seconds, Lower: lower, Upper: upper, Known: true}
}

// Beyond is a latency above the top bucket of 10 s.
func Beyond() metrics.Quantile {
	return metrics.Quantile{Seconds: 10, Lower: 10, Upper: math.Inf(1), Above: true, Known: true}
}

// Traffic has an endpoint that fails and is slow, a quick one and a usual one;
// a process that leaks, and one that was restarted.
func Traffic() metrics.Overview {
	nan := math.NaN()
	return metrics.Overview{
		Via: probes.Metrics, Window: time.Minute,
		Total: metrics.Endpoint{RPS: 12.6, Requests: 756, ErrorShare: 0.004, P95: Between(1, 1.2, 2.5)},
		Endpoints: []metrics.Endpoint{
			{Method: "POST", Path: "/api/grading/copies/<uuid>/finalize/", RPS: 0.4, Requests: 24, ErrorShare: 0.25, TimeoutShare: 0.125, ClientShare: 0.083,
				P50: Between(1, 2.1, 2.5), P95: Beyond(), P99: Beyond(), Mean: 14.2, Pain: 5.7,
				ByStatus: []metrics.Count{{Name: "200", Count: 16}, {Name: "409", Count: 2}, {Name: "500", Count: 3}, {Name: "504", Count: 3}},
				By:       []metrics.Share{{Process: "backend:8000 13:02:11.430", RPS: 0.3, Mean: 17}, {Process: "backend:8000 14:21:05.000", RPS: 0.1, Mean: 6}},
				Trend:    finalizations()},
			{Method: "GET", Path: "/api/copies/", RPS: 8.1, Requests: 486, P50: Between(.025, .04, .05), P95: Between(.1, .21, .25), P99: Between(.25, .48, .5),
				Mean: 0.06, Pain: 0.49, ByStatus: []metrics.Count{{Name: "200", Count: 486}}, Trend: steadily(8.1, .21)},
			{Method: "PATCH", Path: "/api/drafts/<uuid>/", RPS: 4.1, Requests: 246, ClientShare: 0.0005, P50: Between(.01, .012, .025), P95: Between(1, 1.4, 2.5), Mean: nan, Pain: nan},
		},
		Processes: []metrics.Process{
			{Name: "backend:8000 13:02:11.430", Address: "backend:8000", Start: Now.Add(-89 * time.Minute), Scrapes: 212, Resident: 731 << 20, CPU: 812, CPUShare: 0.61,
				OpenFDs: 61, MaxFDs: 1024, RPS: 9.4, LastSeen: Now.Add(-2 * time.Second), Memory: growing(), Restarts: -1},
			{Name: "backend:8000 14:21:05.000", Address: "backend:8000", Start: Now.Add(-10 * time.Minute), Scrapes: 31, Resident: 141 << 20, CPU: 40, CPUShare: 0.07,
				OpenFDs: 23, MaxFDs: 1024, RPS: 3.2, LastSeen: Now.Add(-7 * time.Second), Restarts: -1},
			{Name: "backend:8001", Address: "backend:8001", Scrapes: 1, Resident: nan, CPU: nan, CPUShare: nan, OpenFDs: nan, MaxFDs: nan, RPS: nan, LastSeen: Now.Add(-5 * time.Minute), Restarts: -1},
		},
		Restarts: []metrics.Restart{{At: Now.Add(-10 * time.Minute), Address: "backend:8000", Before: Now.Add(-80 * time.Minute)}},
		Domain:   grades(),
		Cost:     metrics.Cost{Requests: 3, Bytes: 61440, Samples: 512, Took: 23 * time.Millisecond},
	}
}

// finalizations get slower over an hour, beyond what can be measured; ten
// minutes nobody looked, and in between nobody finalized.
func finalizations() (points []metrics.Point) {
	for i := range 60 {
		p := metrics.Point{At: Now.Truncate(time.Minute).Add(time.Duration(i-59) * time.Minute), RPS: 0.4, Server: 0, Client: 0.083, P95: Between(1, 1.5+float64(i)/9, 10)}
		switch {
		case i >= 20 && i < 30:
			continue
		case i >= 30 && i < 33:
			p.RPS, p.Server, p.Client, p.P95 = 0, math.NaN(), math.NaN(), metrics.Quantile{}
		case i >= 52:
			p.Server, p.P95 = 0.25, Beyond()
		}
		points = append(points, p)
	}
	return points
}

func steadily(rps, p95 float64) (points []metrics.Point) {
	for i := range 60 {
		points = append(points, metrics.Point{At: Now.Truncate(time.Minute).Add(time.Duration(i-59) * time.Minute), RPS: rps, P95: Between(p95/2, p95*(1+float64(i%7)/30), p95*2)})
	}
	return points
}

// growing is the memory of a process that leaks 10 MiB a minute.
func growing() (memory []metrics.Memory) {
	for i := range 60 {
		memory = append(memory, metrics.Memory{At: Now.Add(time.Duration(i-59) * time.Minute), Bytes: float64(141+10*i) * (1 << 20)})
	}
	return memory
}

func grades() metrics.Domain {
	took := func(status, group string, recent, total float64, p50, p95 metrics.Quantile, mean float64) metrics.Timing {
		return metrics.Timing{Status: status, Group: group, Tally: metrics.Tally{Recent: recent, Total: total}, P50: p50, P95: p95, P99: p95, Mean: mean}
	}
	return metrics.Domain{
		Over: 40 * time.Minute,
		Finalize: []metrics.Timing{
			took("failed", "1", 3, 3, Between(10, 21, 30), Between(30, 55, 60), 24), took("success", "1", 41, 212, Between(1, 1.9, 2.5), Between(10, 14, 30), 3.1),
		},
		Import:    []metrics.Timing{took("success", "1-10", 12, 90, Between(.1, .3, .5), Between(.5, .9, 1), .4)},
		Conflicts: []metrics.Tally{{Name: "already_locked", Recent: 7, Total: 19}, {Name: "expired", Recent: 1, Total: 2}},
		OCR:       []metrics.Tally{{Name: "timeout", Recent: 0, Total: 1}},
	}
}
