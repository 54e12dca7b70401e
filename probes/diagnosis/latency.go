package diagnosis

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"gradecockpit/probes/logs"
	"gradecockpit/probes/metrics"
	"gradecockpit/probes/storage"
)

func latencyRules() []Rule {
	return []Rule{slowFinalize(), http504(), slowEndpoint(), metricsBehindNginx()}
}

const (
	slowPage     = 2.5 // seconds: a bucket's bound below the playbook's 5 s
	verySlowPage = 5.0
	slowPDF      = 10.0 // seconds: the top bucket of the HTTP histogram
	playbookPDF  = 60.0 // the playbook's limit for a finalization
	fewRequests  = 5.0  // from how many on a P95 says something
	poorCache    = 0.9
)

// finalizing and importing tell the requests that make or read PDFs while their
// client waits: they are slow by nature and have limits of their own.
func finalizing(e metrics.Endpoint) bool {
	return e.Method == "POST" && strings.HasSuffix(strings.TrimRight(e.Path, "/"), "/finalize")
}

func importing(e metrics.Endpoint) bool {
	return e.Method == "POST" && (strings.Contains(e.Path, "/import") || strings.Contains(e.Path, "/upload"))
}

// measured gives the figures that the screen shows too; why says why there are none.
func measured(in Input) (o metrics.Overview, why string) {
	o, snap, ok := metrics.Best(in.Set)
	switch {
	case snap.Err != nil:
		return o, snap.Err.Error()
	case !ok:
		return o, "The metrics have not been looked at yet."
	}
	return o, o.Warming
}

// atLeast writes a quantile, whose true value is known up to its bucket.
func atLeast(q metrics.Quantile) string {
	if q.Above {
		return "over " + seconds(q.Seconds)
	}
	return seconds(q.Seconds)
}

// slowEndpoint: pages whose requests take seconds, and no other reason was found.
func slowEndpoint() Rule {
	return Rule{
		ID: "slow-endpoint", Title: "A page answers slowly", Scenario: HighLatency, Section: "6.1",
		Judge: func(in Input) (found []Finding, blind string) {
			o, why := measured(in)
			if why != "" {
				return nil, why
			}
			for _, e := range o.Endpoints {
				if finalizing(e) || importing(e) || !e.P95.Known || e.Requests < fewRequests || e.P95.Seconds < slowPage {
					continue
				}
				found = append(found, slow(in, e))
			}
			return found, ""
		},
	}
}

func slow(in Input, e metrics.Endpoint) Finding {
	f := Finding{Subject: e.Name(), Confidence: Certain, Severity: P3, CopyCount: -1, UserCount: -1,
		Says: fmt.Sprintf("%s takes %s (P95) at %.1f requests a second.", e.Name(), atLeast(e.P95), e.RPS),
		Evidence: []Evidence{{From: metrics.Choose(in.Set), Says: fmt.Sprintf("P50 %s, P95 %s, mean %s over %.0f requests", atLeast(e.P50), atLeast(e.P95), mean(e.Mean), e.Requests),
			Kind: "endpoint", ID: e.Name()}},
		Mind:   "One request of a large exam alone was slow: the P50 is short then.",
		Advice: []string{slowLog, "The view's statements: gradecockpit statements; those with most time stand first. select_related and prefetch_related where one is called for each row."}}
	if e.P95.Seconds >= verySlowPage || e.P95.Above {
		f.Severity = P2
	}
	f.Evidence = append(f.Evidence, slowLines(in, e)...)
	if o, ok := current[storage.Overview](in, storage.ID); ok {
		f.Offers = costly(o)
		if hits := o.Database.RecentCacheHits; hits < poorCache {
			f.Evidence = append(f.Evidence, Evidence{From: storage.ID, Says: "only " + share(hits) + " of the blocks came from PostgreSQL's cache; what the system had cached counts as a miss", Kind: "pane", ID: "database"})
		}
	}
	return f
}

func mean(s float64) string {
	if math.IsNaN(s) {
		return "unknown"
	}
	return seconds(s)
}

// slowLines are the records of its slow requests; the application logs those over 5 s.
func slowLines(in Input, e metrics.Endpoint) (out []Evidence) {
	o, _ := current[logs.Overview](in, logs.ID)
	for i := len(o.Recent) - 1; i >= 0 && len(out) < 2; i-- {
		if l := o.Recent[i]; strings.HasPrefix(l.Message, "Slow request: "+e.Name()) {
			out = append(out, saidBy(l, in.Now))
		}
	}
	return out
}

// costly offers the plan of the statement that took most time lately.
func costly(o storage.Overview) []Offer {
	for _, s := range o.Statements.Rows {
		if !s.Own && s.RecentKnown && s.Recent.Share >= 0.3 && s.Recent.Mean() >= 0.1 && strings.HasPrefix(strings.ToUpper(s.Text), "SELECT") {
			return []Offer{{Action: "explain-analyze", Kind: "statement", ID: s.Key(), Label: "statement " + s.Key(),
				Why: fmt.Sprintf("It took %s of the database's time lately.", share(s.Recent.Share)), Consequence: "It runs once more, with a time limit, and is rolled back."}}
		}
	}
	return nil
}

// slowFinalize: large PDFs. Those that ended at the proxy's limit are told by
// http-504.
func slowFinalize() Rule {
	return Rule{
		ID: "slow-finalize", Title: "PDFs take long to make", Scenario: HighLatency, Section: "6.3",
		Explains: []string{"http-504", "workers-busy"},
		Judge: func(in Input) ([]Finding, string) {
			o, why := measured(in)
			if why != "" {
				return nil, why
			}
			evidence, worst := slowPDFs(in, o)
			if len(evidence) == 0 {
				return nil, ""
			}
			f := Finding{Says: fmt.Sprintf("Finalizations take %s (P95): their requests wait that long, and their rows are held.", seconds(worst)),
				Confidence: Certain, Severity: P3, Evidence: evidence, CopyCount: -1, UserCount: -1,
				Mind: "One large copy alone was slow: the others are quick.",
				Advice: []string{
					"ALTER SYSTEM SET idle_in_transaction_session_timeout = '5min'; SELECT pg_reload_conf(); where it is 60 s: a PDF that takes longer is lost without a record.",
					"nginx: proxy_read_timeout 300s; in the location of /api/ keeps the proxy from giving up first.",
					"Let finalizations be made by the worker (async_finalize_copy) instead of inside the request.",
				},
				Harm: "Do not retry a copy whose finalization may still run: see its session first."}
			if worst >= playbookPDF {
				f.Severity = P2
			}
			return []Finding{f}, ""
		},
	}
}

// slowPDFs looks at successful ones where the application counts them, else at
// the requests, of which those that ended in 504 are left out as a whole.
func slowPDFs(in Input, o metrics.Overview) (out []Evidence, worst float64) {
	from := metrics.Choose(in.Set)
	timed := false
	for _, t := range o.Domain.Finalize {
		if t.Status != "success" {
			continue
		}
		timed = true
		if t.Recent >= 3 && t.P95.Known && t.P95.Seconds >= slowPDF {
			out = append(out, Evidence{From: from, Says: fmt.Sprintf("%.0f finalizations at attempt %s lately: P95 %s, mean %s", t.Recent, t.Group, atLeast(t.P95), mean(t.Mean)), Kind: "domain"})
			worst = max(worst, t.P95.Seconds)
		}
	}
	for _, e := range o.Endpoints {
		if finalizing(e) && e.P95.Known && e.P95.Seconds >= slowPDF && e.Requests >= 3 && (len(out) > 0 || !timed && !(e.TimeoutShare > 0)) {
			out = append(out, Evidence{From: from, Says: fmt.Sprintf("%s: P95 %s, mean %s over %.0f requests", e.Name(), atLeast(e.P95), mean(e.Mean), e.Requests), Kind: "endpoint", ID: e.Name()})
			worst = max(worst, e.P95.Seconds)
		}
	}
	return out, worst
}

// http504: the proxy answers in the application's place, which goes on.
func http504() Rule {
	const timeouts = 3
	return Rule{
		ID: "http-504", Title: "The proxy gives up on requests", Scenario: HighLatency, Section: "6.1", Explains: []string{"finalize-failed"},
		Judge: func(in Input) ([]Finding, string) {
			o, why := measured(in)
			f := Finding{Confidence: Certain, Severity: P2, CopyCount: -1, UserCount: -1,
				Mind:   "The requests end well a little later: the copy is GRADED, and only the answer was lost.",
				Advice: []string{"nginx: proxy_read_timeout 300s; in the location of /api/ (docker compose … exec nginx nginx -s reload).", "gunicorn: timeout = 300 in gunicorn_config.py, not below nginx's."},
				Harm:   "Do not send the request again at once: the first one may still run, and holds the copy's row."}
			n := 0.0
			for _, e := range o.Endpoints {
				if e.TimeoutShare > 0 {
					n += e.TimeoutShare * e.Requests
					f.Evidence = append(f.Evidence, Evidence{From: metrics.Choose(in.Set), Says: fmt.Sprintf("%s: %.0f of %.0f requests ended in 504", e.Name(), e.TimeoutShare*e.Requests, e.Requests), Kind: "endpoint", ID: e.Name()})
				}
			}
			lines := gatewayLines(in)
			if n = max(n, float64(len(lines))); n < timeouts {
				return nil, why
			}
			f.Evidence = append(f.Evidence, lines[:min(len(lines), 3)]...)
			f.Says = fmt.Sprintf("%.0f requests ended in 504 Gateway Timeout lately.", n)
			return []Finding{f}, ""
		},
	}
}

func gatewayLines(in Input) (out []Evidence) {
	o, _ := current[logs.Overview](in, logs.ID)
	for i := len(o.Recent) - 1; i >= 0; i-- {
		l := o.Recent[i]
		if in.Now.Sub(l.At) < recentLine && (l.StatusCode == 504 || strings.HasPrefix(l.Message, "Gateway Timeout: ")) {
			out = append(out, saidBy(l, in.Now))
		}
	}
	return out
}

// webPage tells that what should be metrics is the web application's page.
func webPage(err error) bool { return errors.Is(err, metrics.ErrWebPage) }

// metricsBehindNginx: the playbook's address leads to the proxy, which does not
// forward /metrics.
func metricsBehindNginx() Rule {
	return Rule{
		ID: "metrics-behind-nginx", Title: "The metrics address leads to nginx", Scenario: HighLatency, Section: "6.2",
		Judge: func(in Input) ([]Finding, string) {
			s := in.Set.Get(metrics.ID)
			if !webPage(s.Err) {
				return nil, ""
			}
			return []Finding{{
				Says:       "The metrics address answers the web page, not metrics: latency cannot be judged.",
				Confidence: Certain, Severity: P3, CopyCount: -1, UserCount: -1, Since: s.FailedSince,
				Evidence: []Evidence{{From: metrics.ID, Says: s.Err.Error()}},
				Mind:     "Another address of METRICS_URL answers metrics.",
				Advice:   []string{"METRICS_URL=http://backend:8000/metrics from inside the compose network; from the host: docker inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' $(" + compose + "ps -q backend), then http://ADDRESS:8000/metrics."},
			}}, ""
		},
	}
}
