package metrics

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// The values of the label "what", by which one query brings several things.
const (
	whatRequests = "requests"
	whatCount    = "count"
	whatSum      = "sum"
	whatStart    = "start"
	whatResident = "resident"
	whatOpenFDs  = "open"
	whatMaxFDs   = "max"
	whatCPU      = "cpu"
	whatCPUShare = "share"
	whatRestarts = "restarts"
	whatMixed    = "mixed"
	whatRPS      = "rps"
	whatUp       = "up"
	whatTook     = "took"
)

// of selects a family, by the configured matchers and more.
func (c PrometheusConfig) of(family string, more ...string) string {
	if c.Match != "" {
		more = append([]string{c.Match}, more...)
	}
	return family + "{" + strings.Join(more, ",") + "}"
}

// over selects a family over a time.
func (c PrometheusConfig) over(d time.Duration, family string, more ...string) string {
	return c.of(family, more...) + "[" + strconv.FormatInt(int64(d/time.Millisecond), 10) + "ms]"
}

// tagged marks what an expression brings.
func tagged(what, expr string) string {
	return fmt.Sprintf(`label_replace(%s,"what","%s","","")`, expr, what)
}

func union(parts ...string) string { return strings.Join(parts, " or ") }

// requestsQuery brings requests by status, and the count and the sum of
// durations, of the busiest endpoints.
func (c PrometheusConfig) requestsQuery() string {
	inc := func(by, family string) string {
		return fmt.Sprintf("sum by (method,path%s) (increase(%s))", by, c.over(c.Window, family))
	}
	top := func(n int, expr string) string { return fmt.Sprintf("topk(%d,%s)", n, expr) }
	return union(
		tagged(whatRequests, top(4*c.MaxSeries, inc(",status", familyRequests))),
		tagged(whatCount, top(c.MaxSeries, inc("", familyDuration+"_count"))),
		tagged(whatSum, top(c.MaxSeries, inc("", familyDuration+"_sum"))),
	)
}

// bucketsQuery brings whole histograms of the busiest endpoints, never a part
// of one.
func (c PrometheusConfig) bucketsQuery() string {
	return fmt.Sprintf("sum by (method,path,le) (increase(%s)) and on (method,path) topk(%d,sum by (method,path) (increase(%s)))",
		c.over(c.Window, familyDuration+"_bucket"), c.MaxSeries, c.over(c.Window, familyDuration+"_count"))
}

// theirs keeps the instances that count requests: other exporters have
// process_… too.
func (c PrometheusConfig) theirs(expr string) string {
	return fmt.Sprintf("(%s) and on (job,instance) count by (job,instance) (max_over_time(%s))", expr, c.over(mixedWindow, familyRequests))
}

// processesQuery brings what is known of each instance. A start time that
// falls (resets) is that of an older process which answered after a younger
// one: several answer under one address.
func (c PrometheusConfig) processesQuery() string {
	return c.theirs(union(
		tagged(whatStart, c.of(familyStart)),
		tagged(whatResident, c.of(familyResident)),
		tagged(whatOpenFDs, c.of(familyOpenFDs)),
		tagged(whatMaxFDs, c.of(familyMaxFDs)),
		tagged(whatCPU, c.of(familyCPU)),
		tagged(whatCPUShare, "rate("+c.over(c.Window, familyCPU)+")"),
		tagged(whatRestarts, "changes("+c.over(hourLen, familyStart)+")"),
		tagged(whatMixed, "resets("+c.over(mixedWindow, familyStart)+")"),
		tagged(whatRPS, "sum by (job,instance) (rate("+c.over(c.Window, familyRequests)+"))"),
		tagged(whatUp, c.of("up")),
		tagged(whatTook, c.of("scrape_duration_seconds")),
	))
}

// domainQuery brings the application's own families, of the last hour and, as
// far as the processes that answer know it, since they started.
func (c PrometheusConfig) domainQuery() string {
	var parts []string
	for _, f := range domainFamilies {
		labels := strings.Trim(f.labels[0]+","+f.labels[1], ",")
		switch {
		case f.gauge:
			parts = append(parts, tagged(f.name, fmt.Sprintf("max by (%s) (%s)", labels, c.of(f.name))))
		case strings.HasSuffix(f.name, "_seconds"):
			parts = append(parts,
				tagged(f.name+"_bucket", fmt.Sprintf("sum by (%s,le) (increase(%s))", labels, c.over(hourLen, f.name+"_bucket"))),
				tagged(f.name+"_sum", fmt.Sprintf("sum by (%s) (increase(%s))", labels, c.over(hourLen, f.name+"_sum"))),
				tagged(f.name+whatTotal, fmt.Sprintf("sum by (%s) (%s)", labels, c.of(f.name+"_count"))))
		default:
			parts = append(parts,
				tagged(f.name, fmt.Sprintf("sum by (%s) (increase(%s))", labels, c.over(hourLen, f.name))),
				tagged(f.name+whatTotal, fmt.Sprintf("sum by (%s) (%s)", labels, c.of(f.name))))
		}
	}
	return fmt.Sprintf("topk(%d,%s)", 4*maxDomain, union(parts...))
}

// whatTotal is added to the name of a family whose count since the start it is.
const whatTotal = " total"

// pathsOf is a matcher for the paths of some endpoints.
func pathsOf(keys []rawKey) string {
	seen, quoted := map[string]bool{}, []string{}
	for _, k := range keys {
		if !seen[k.path] {
			seen[k.path] = true
			quoted = append(quoted, regexp.QuoteMeta(k.path))
		}
	}
	return "path=~" + strconv.Quote(strings.Join(quoted, "|"))
}

// ratesQuery brings requests a second by the first digit of the status: of some
// endpoints, and of all together, which have no labels.
func (c PrometheusConfig) ratesQuery(keys []rawKey) string {
	by := func(labels string, more ...string) string {
		return fmt.Sprintf(`sum by (%sclass) (label_replace(rate(%s),"class","$1","status","(.).*"))`, labels, c.over(stepWindow, familyRequests, more...))
	}
	return union(by("method,path,", pathsOf(keys)), by(""))
}

// p95Query brings the P95 as the server computes it: a tenth of the samples
// that the buckets would be.
func (c PrometheusConfig) p95Query(keys []rawKey) string {
	of := func(labels string, more ...string) string {
		return fmt.Sprintf("histogram_quantile(0.95,sum by (%sle) (rate(%s)))", labels, c.over(stepWindow, familyDuration+"_bucket", more...))
	}
	return union(of("method,path,", pathsOf(keys)), of(""))
}

func (c PrometheusConfig) memoryQuery() string { return c.theirs(c.of(familyResident)) }

// sharesQuery brings which instances answered the requests of some endpoints.
func (c PrometheusConfig) sharesQuery(keys []rawKey) string {
	return fmt.Sprintf("topk(%d,sum by (method,path,job,instance) (rate(%s)))", maxProcesses*c.MaxHistory,
		c.over(c.Window, familyRequests, pathsOf(keys)))
}
