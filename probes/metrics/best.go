package metrics

import (
	"strings"

	"gradecockpit/probes"
)

// Choose says which of the two sources the figures are taken from: Prometheus
// while it answers, because it knows the whole last hour and sees processes
// that were not scraped here; what is scraped directly otherwise. Prometheus is
// passed over too when it has none of our series, or takes several processes
// for one.
func Choose(set probes.Set) probes.ID {
	theirs, snap, ok := probes.Of[Overview](set, PrometheusID)
	if ok && snap.Err == nil && theirs.Warming == "" && !theirs.Mixed {
		return PrometheusID
	}
	if ours, _, here := probes.Of[Overview](set, ID); here && (ours.Warming == "" || !ok || theirs.Warming != "") {
		return ID
	}
	if ok {
		return PrometheusID
	}
	return ID
}

// Best is what the chosen source saw last.
func Best(set probes.Set) (Overview, probes.Snapshot, bool) {
	return probes.Of[Overview](set, Choose(set))
}

// Passed says in a sentence why there is a Prometheus whose figures are not
// taken; "" when they are, or when there is none.
func Passed(set probes.Set) string {
	if !set.Has(probes.Prometheus) || Choose(set) == PrometheusID {
		return ""
	}
	o, snap, ok := probes.Of[Overview](set, PrometheusID)
	why := ""
	switch {
	case snap.Seq == 0:
		why = "Prometheus has not answered yet"
	case snap.Err != nil:
		why = "Prometheus: " + strings.TrimRight(probes.Brief(snap.Err), ".")
	case ok && o.Warming != "":
		why = strings.TrimRight(o.Warming, ".")
	case ok && o.Mixed:
		why = "several processes answer Prometheus under one address, so its rates are wrong"
	}
	return "Scraped directly: " + why + "."
}
