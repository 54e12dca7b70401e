package export

import (
	"maps"
	"slices"
	"strings"

	"gradecockpit/probes/clean"
)

// other is the label of everything that has no place of its own.
const other = "other"

// tally adds up points by one label, of which only the known values stand for
// themselves: what stands in a database must not decide how many series there
// are. The known ones are there even with nothing in them, because to count
// none of them is to know it.
type tally struct {
	names []string
	sums  map[string]float64
}

func newTally(known ...string) *tally {
	t := &tally{names: known, sums: map[string]float64{}}
	for _, k := range known {
		t.sums[k] = 0
	}
	return t
}

func (t *tally) add(name string, n float64) {
	if !slices.Contains(t.names, name) {
		name = other
	}
	t.sums[name] += n
}

func (t *tally) points() (out []point) {
	for _, name := range slices.Sorted(maps.Keys(t.sums)) {
		out = append(out, point{t.sums[name], []string{label(name)}})
	}
	return out
}

// label writes words as one: "prefetch full" is prefetch_full.
func label(words string) string {
	return strings.NewReplacer(" ", "_", "-", "_", ",", "").Replace(words)
}

// admitted gives the names that may be labels: the first ones in the order of
// the alphabet, so that they are the same at every scrape. The names are
// cleaned, and two that look the same then are one.
func admitted(names []string, most int) []string {
	var out []string
	for _, n := range names {
		out = append(out, clean.Capped(n, 60))
	}
	slices.Sort(out)
	out = slices.Compact(out)
	return out[:min(len(out), most)]
}
