// Package metrics scrapes the application's /metrics and turns counters and
// histograms into rates and quantiles. Several gunicorn processes answer in
// turn with counters of their own, so every series is kept per process (by
// process_start_time_seconds) and only scrapes of the same process are
// subtracted.
package metrics

import (
	"time"

	"gradecockpit/probes"
)

// ID is the probe that scrapes. Its payload is an Overview.
const ID probes.ID = "metrics"

// Overview is the traffic of about the last minute, over the processes that
// were scraped at least twice in it.
type Overview struct {
	// Warming says why there are no rates yet, as a sentence; "" once there are.
	Warming string
	// Note says what the rates leave out or only estimate, as a sentence; "" most
	// of the time.
	Note      string
	Window    time.Duration // time the rates stand for: the longest of the processes
	Endpoints []Endpoint    // worst first: rate times P95
	Total     Endpoint      // all endpoints together
	Processes []Process
	Dropped   int // endpoints counted only in Total, because of Config.MaxSeries
}

// Endpoint is one method and path.
type Endpoint struct {
	Method, Path  string
	RPS           float64 // requests a second
	Requests      float64 // in the window
	ErrorShare    float64 // 5xx over all, 0…1; NaN where there was no request or the status is not known
	ClientShare   float64 // 4xx over all, 0…1; NaN likewise
	P50, P95, P99 Quantile
	History       []float64 // P95 in seconds over the last windows, oldest first; NaN where unknown
}

// Quantile is a latency estimated from histogram buckets or read from a summary.
type Quantile struct {
	Seconds float64
	// Above: it lies beyond the top finite bucket, so "> Seconds" is all that
	// can be said.
	Above bool
	Known bool
}

// Process is one process that answered scrapes.
type Process struct {
	Start    time.Time // process_start_time_seconds; zero where it does not say
	Scrapes  int
	Resident float64 // bytes; NaN unknown
	CPU      float64 // seconds; NaN unknown
	LastSeen time.Time
}
