// Package metrics measures the application's requests, from two sources: its
// own /metrics, scraped directly, and a Prometheus server that scrapes it.
// Both give the same Overview.
//
// Several gunicorn processes answer /metrics in turn with counters of their
// own, so every scraped series is kept per process (by
// process_start_time_seconds) and only scrapes of the same process are
// subtracted.
package metrics

import (
	"time"

	"gradecockpit/probes"
)

// ID is the probe that scrapes, PrometheusID the one that asks a Prometheus
// server. The payload of both is an Overview.
const (
	ID           probes.ID = "metrics"
	PrometheusID probes.ID = "prometheus"
)

// Overview is the traffic of the last Window and its course over the last hour.
type Overview struct {
	// Warming says why there are no rates yet, as a sentence; "" once there are.
	Warming string
	// Note says what the rates leave out or only estimate, as a sentence; "" most
	// of the time.
	Note      string
	Via       probes.SourceID // which of the two sources measured it
	Window    time.Duration   // time the rates stand for: the longest of the processes
	Endpoints []Endpoint      // by Pain, worst first
	Total     Endpoint        // all endpoints together
	Processes []Process       // oldest first
	Restarts  []Restart       // of the last hour as far as it was watched, oldest first
	Domain    Domain
	Dropped   int // endpoints counted only in Total, because of Config.MaxSeries
	Cost      Cost
	// Mixed: the addresses that Prometheus scrapes are answered by several
	// processes in turn, so that what it computes is wrong.
	Mixed bool
}

// Endpoint is one method and path.
type Endpoint struct {
	Method, Path  string
	RPS           float64 // requests a second
	Requests      float64 // in the window
	ErrorShare    float64 // 5xx over all, 0…1; NaN where there was no request or the status is not known
	ClientShare   float64 // 4xx over all, 0…1; NaN likewise
	TimeoutShare  float64 // 504 over all, a part of the 5xx; NaN likewise
	P50, P95, P99 Quantile
	Mean          float64 // seconds; NaN unknown. Of durations above the top bucket it tells what no quantile can
	// Pain is how many seconds of waiting it caused in a second: rate times mean
	// duration, times P95 where durations are not summed up. NaN unknown.
	Pain     float64
	ByStatus []Count // requests in the window by status code
	By       []Share // the processes that answered in the window
	Trend    []Point // a point a minute of the last hour, oldest first; minutes without a look are left out
}

// Quantile is a latency estimated from histogram buckets or read from a
// summary. The true one lies above Lower and at most at Upper: the bounds of
// the bucket it falls into.
type Quantile struct {
	Seconds      float64
	Lower, Upper float64 // +Inf where Above; both are Seconds for a summary's
	// Above: it lies beyond the top finite bucket, so "> Seconds" is all that
	// can be said.
	Above bool
	Known bool
}

// Point is one minute of an endpoint.
type Point struct {
	At             time.Time // its start
	RPS            float64
	Client, Server float64 // shares of 4xx and 5xx, 0…1; NaN as in Endpoint
	P95            Quantile
}

// Count is how often something was counted.
type Count struct {
	Name  string
	Count float64
}

// Share is what one process did of something.
type Share struct {
	Process string // its Name
	RPS     float64
	Mean    float64 // seconds; NaN unknown
}

// Process is one process that answered scrapes.
type Process struct {
	Name     string    // what tells it from the others: address and start
	Address  string    // host and port it was scraped at, or Prometheus' instance
	Start    time.Time // process_start_time_seconds; zero where it does not say
	Scrapes  int
	Resident float64 // bytes; NaN unknown
	CPU      float64 // seconds since its start; NaN unknown
	CPUShare float64 // of one processor in the window, 1 is all of it; NaN unknown
	OpenFDs  float64 // NaN unknown
	MaxFDs   float64 // NaN unknown
	RPS      float64 // requests a second in the window; NaN unknown
	LastSeen time.Time
	// Memory is Resident over the last hour, a point a minute, oldest first.
	Memory []Memory
	// Restarts counts new starts under the same address in the last hour, where
	// the processes of an address cannot be told apart; -1 not counted so.
	Restarts int
}

// Memory is the resident size of a process at one moment.
type Memory struct {
	At    time.Time
	Bytes float64
}

// Restart is a process that began while the cockpit looked on.
type Restart struct {
	At      time.Time // its start, by the application's clock
	Address string
	// Before is the start of the process it took the place of: the one that
	// answers no more; zero unknown.
	Before time.Time
}

// Cost is what the last look took from the application or from Prometheus.
type Cost struct {
	Requests int // scrapes or queries
	Bytes    int // of all answers, unpacked
	Samples  int
	Took     time.Duration
}

// Domain is what the application measures of grading itself, where it does.
type Domain struct {
	Finalize  []Timing // by status and attempt
	Import    []Timing // by status and pages
	Conflicts []Tally  // lock conflicts by type
	OCR       []Tally  // OCR errors by type
	Copies    []Count  // by status
	Over      time.Duration
}

// Timing is a histogram of the application's own.
type Timing struct {
	Status string // "success", "failed"
	Group  string // the attempt, or how many pages
	Tally
	P50, P95, P99 Quantile // of the recent ones; where there are none, of all
	Mean          float64  // likewise; NaN unknown
}

// Tally counts in two ways: in Domain.Over, and since the processes started.
type Tally struct {
	Name          string
	Recent, Total float64 // Total is NaN where nobody knows it
}

// Leak bounds: a process that grew by a quarter and by 50 MiB in ten minutes
// or more is worth a look; warming up takes less.
const (
	leakFor   = 10 * time.Minute
	leakBytes = 50 << 20
	leakShare = 0.25
)

// Grown is by how many bytes the memory of a process grew, and in what time,
// as far as it was watched.
func (p Process) Grown() (bytes float64, over time.Duration) {
	if len(p.Memory) < 2 {
		return 0, 0
	}
	first, last := p.Memory[0], p.Memory[len(p.Memory)-1]
	return last.Bytes - first.Bytes, last.At.Sub(first.At)
}

// Leaks tells that its memory grows as that of a process that leaks.
func (p Process) Leaks() bool {
	grown, over := p.Grown()
	return over >= leakFor && grown >= leakBytes && grown >= leakShare*p.Memory[0].Bytes
}

// Empty tells that the application measures nothing of grading.
func (d Domain) Empty() bool {
	return len(d.Finalize)+len(d.Import)+len(d.Conflicts)+len(d.OCR)+len(d.Copies) == 0
}

// At finds an endpoint by "METHOD path".
func (o Overview) At(name string) (Endpoint, bool) {
	for _, e := range o.Endpoints {
		if e.Name() == name {
			return e, true
		}
	}
	return Endpoint{}, false
}

// Name is "METHOD path".
func (e Endpoint) Name() string { return e.Method + " " + e.Path }
