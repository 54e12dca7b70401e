package pane

import (
	"time"

	"gradecockpit/probes/metrics"
)

// EndpointData is an endpoint for programs: seconds, requests a second, shares of 0…1,
// null where nothing is known.
func EndpointData(e metrics.Endpoint) map[string]any {
	out := map[string]any{
		"kind": "endpoint", "key": e.Name(), "method": e.Method, "path": e.Path,
		"rps": number(e.RPS), "requests": number(e.Requests), "mean": number(e.Mean), "pain": number(e.Pain),
		"4xx": number(e.ClientShare), "5xx": number(e.ErrorShare), "504": number(e.TimeoutShare),
		"p50": QuantileData(e.P50), "p95": QuantileData(e.P95), "p99": QuantileData(e.P99),
	}
	codes := map[string]any{}
	for _, c := range e.ByStatus {
		codes[c.Name] = number(c.Count)
	}
	out["status"] = codes
	hour := []map[string]any{}
	for _, p := range e.Trend {
		hour = append(hour, map[string]any{"at": p.At.UTC().Format(time.RFC3339), "rps": number(p.RPS),
			"4xx": number(p.Client), "5xx": number(p.Server), "p95": QuantileData(p.P95)})
	}
	out["hour"] = hour
	return out
}

// QuantileData is a latency for programs: seconds, null where nothing is known.
func QuantileData(q metrics.Quantile) any {
	if !q.Known {
		return nil
	}
	return map[string]any{"seconds": number(q.Seconds), "lower": number(q.Lower), "upper": number(q.Upper), "above": q.Above}
}
