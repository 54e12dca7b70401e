package metrics

import (
	"cmp"
	"math"
	"slices"
	"time"

	dto "github.com/prometheus/client_model/go"

	"gradecockpit/probes/clean"
)

// domainKey is one series of the application's own families: the family and
// the values of the labels it has.
type domainKey struct{ family, a, b string }

// domainFamily is one family of the application's own. The labels are those
// that it is kept apart by.
type domainFamily struct {
	name   string
	labels [2]string
	gauge  bool // the newest value counts, and processes are not added up
}

const (
	famFinalize  = "grading_finalize_duration_seconds"
	famImport    = "grading_import_duration_seconds"
	famConflicts = "grading_lock_conflicts_total"
	famOCR       = "grading_ocr_errors_total"
	famCopies    = "grading_copies_by_status"
)

// domainFamilies are what versions from the middle of February 2026 on
// measure; the playbook lists them as missing.
var domainFamilies = []domainFamily{
	{famFinalize, [2]string{"status", "retry_attempt"}, false},
	{famImport, [2]string{"status", "pages_bucket"}, false},
	{famConflicts, [2]string{"conflict_type", ""}, false},
	{famOCR, [2]string{"error_type", ""}, false},
	{famCopies, [2]string{"status", ""}, true},
}

// maxDomain bounds the series of these families in one answer. Their labels
// have a handful of values each.
const maxDomain = 200

// addDomain reads the families of the application's own.
func (r *reading) addDomain(families map[string]*dto.MetricFamily) {
	for _, f := range domainFamilies {
		for _, m := range families[f.name].GetMetric() {
			k := domainKey{f.name, domainLabel(label(m, f.labels[0])), domainLabel(label(m, f.labels[1]))}
			if s := r.domainSeries(k); m.Histogram != nil || m.Summary != nil {
				s.addDurations(m)
			} else {
				s.addRequests("", value(m))
			}
		}
	}
}

func domainLabel(s string) string { return clean.Capped(s, 40) }

// domainSeries gives the series of a key; beyond the bound, one that counts the
// others of its family together.
func (r *reading) domainSeries(k domainKey) *series {
	if r.domain[k] == nil && len(r.domain) >= maxDomain {
		k = domainKey{k.family, others, ""}
	}
	if r.domain[k] == nil {
		r.domain[k] = newSeries()
	}
	return r.domain[k]
}

// domainSum is one series over all processes.
type domainSum struct{ recent, total *series }

// domainOf writes down the sums, each list by its labels.
func domainOf(sums map[domainKey]domainSum, over time.Duration) Domain {
	d := Domain{Over: over}
	for k, s := range sums {
		switch k.family {
		case famFinalize:
			d.Finalize = append(d.Finalize, s.timing(k))
		case famImport:
			d.Import = append(d.Import, s.timing(k))
		case famConflicts:
			d.Conflicts = append(d.Conflicts, s.tally(k))
		case famOCR:
			d.OCR = append(d.OCR, s.tally(k))
		case famCopies:
			d.Copies = append(d.Copies, Count{k.a, s.total.requests})
		}
	}
	byName := func(a, b Tally) int { return cmp.Compare(a.Name, b.Name) }
	byGroup := func(a, b Timing) int { return cmp.Or(cmp.Compare(a.Status, b.Status), cmp.Compare(a.Group, b.Group)) }
	slices.SortFunc(d.Finalize, byGroup)
	slices.SortFunc(d.Import, byGroup)
	slices.SortFunc(d.Conflicts, byName)
	slices.SortFunc(d.OCR, byName)
	slices.SortFunc(d.Copies, func(a, b Count) int { return cmp.Compare(a.Name, b.Name) })
	return d
}

func (s domainSum) tally(k domainKey) Tally {
	t := Tally{Name: k.a, Total: math.NaN()}
	if s.recent != nil {
		t.Recent = s.recent.count()
	}
	if s.total != nil {
		t.Total = s.total.count()
	}
	return t
}

func (s domainSum) timing(k domainKey) Timing {
	t := Timing{Status: k.a, Group: k.b, Tally: s.tally(k), Mean: math.NaN()}
	of := s.recent
	if (of == nil || of.observed == 0) && s.total != nil {
		of = s.total
	}
	if of != nil {
		t.P50, t.P95, t.P99, t.Mean = of.quantile(0, false), of.quantile(1, false), of.quantile(2, false), of.mean()
	}
	return t
}
