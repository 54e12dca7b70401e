package lab

import (
	"context"
	"math"
	"math/rand/v2"
	"time"
)

// endpoint is one line of the application's traffic.
type endpoint struct {
	method, path string
	rate         float64       // requests a second
	median       time.Duration // of a log-normal distribution
	spread       float64       // its sigma
	failing      float64       // share of 500
}

// endpoints is the background traffic of an exam session: pages that teachers
// and pupils open all the time. What teachers do to copies is counted where
// they do it.
var endpoints = []endpoint{
	{"GET", "/api/copies/", 8.1, 40 * time.Millisecond, 0.8, 0},
	{"GET", "/api/exams/", 2.2, 25 * time.Millisecond, 0.6, 0},
	{"GET", "/api/exams/<uuid>/copies/", 1.6, 70 * time.Millisecond, 0.9, 0.002},
	{"GET", "/api/grading/copies/<uuid>/annotations/", 3.1, 18 * time.Millisecond, 0.7, 0},
	{"PUT", "/api/grading/copies/<uuid>/draft/", 1.4, 22 * time.Millisecond, 0.6, 0.001},
	{"GET", "/api/grading/copies/<uuid>/final-pdf/", 0.6, 90 * time.Millisecond, 1.0, 0},
	{"GET", "/api/me/", 1.1, 8 * time.Millisecond, 0.5, 0},
	{"GET", "/api/health/", 0.2, 4 * time.Millisecond, 0.4, 0},
	{"POST", finalizePath, 0.3, 1300 * time.Millisecond, 0.5, 0.01},
}

const (
	finalizePath = "/api/grading/copies/<uuid>/finalize/"
	copiesPath   = "/api/copies/"
)

func (e endpoint) seconds(rng *rand.Rand, slower float64) float64 {
	return e.median.Seconds() * slower * math.Exp(e.spread*rng.NormFloat64())
}

func (e endpoint) status(rng *rand.Rand) int {
	if rng.Float64() < e.failing {
		return 500
	}
	return 200
}

// traffic counts requests for as long as the world turns.
func (w *World) traffic(ctx context.Context) {
	const step = 200 * time.Millisecond
	rng := w.stream("traffic")
	for nap(ctx, step) == nil {
		for _, e := range endpoints {
			for range poisson(rng, e.rate*step.Seconds()) {
				w.request(e, rng)
			}
		}
	}
}

// request counts one request, slower where a fault has it so.
func (w *World) request(e endpoint, rng *rand.Rand) {
	slower := 1.0
	if typical := w.app.trouble.get(func(t *trouble) time.Duration { return t.slow[e.path] }); typical > 0 {
		slower = typical.Seconds() / e.median.Seconds()
	}
	seconds, status := e.seconds(rng, slower), e.status(rng)
	w.metrics.httpRequest(e.method, e.path, status, seconds)
	switch {
	case e.path != finalizePath:
	case status == 200:
		w.metrics.finalized("success", 1, seconds)
	default:
		w.metrics.finalized("failed", 1, seconds)
	}
	if seconds > 5 {
		id := (&batch{rng: rng}).uuid()
		w.logs.write(slowRequest(e.method, e.path, status, seconds, &request{id: id, path: e.path, method: e.method, user: w.cast.users[rng.IntN(len(w.cast.users))]}))
	}
}
