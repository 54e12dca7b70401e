package export

import (
	"github.com/grafana/grafana-foundation-sdk/go/units"

	"gradecockpit/probes"
)

// The names that rules use are constants.
const (
	buildInfo = "gradecockpit_build_info"
	sourceUp  = "gradecockpit_source_up"
)

// aboutProbes tells how far the rest can be believed.
func aboutProbes() []Metric {
	const group = "The exporter itself"
	each := []string{"probe", "source"}
	return []Metric{
		{Name: buildInfo, Help: "1, with the version of the exporter.", Labels: []string{"version", "revision", "goversion"}, Group: group, Unit: units.Short,
			read: func(l look) []point { return []point{{1, l.build}} }},
		{Name: sourceUp, Help: "Whether the source answered when it was last asked; configured sources only.", Labels: []string{"source"}, Group: group, Unit: units.BoolOnOff,
			read: sourcesUp},
		{Name: "gradecockpit_probe_up", Help: "Whether the probe's last look went well.", Labels: each, Group: group, Unit: units.BoolOnOff,
			read: perProbe(func(_ look, s probes.Snapshot) []point { return just(truth(s.Err == nil)) })},
		{Name: "gradecockpit_probe_stale", Help: "Whether the probe's last good look is so old that its series are withheld.", Labels: each, Group: group, Unit: units.BoolYesNo,
			read: perProbe(func(l look, s probes.Snapshot) []point { return just(truth(!l.fresh(s))) })},
		{Name: "gradecockpit_probe_age_seconds", Help: "Time since the probe's last good look.", Labels: each, Group: group, Unit: units.Seconds,
			read: perProbe(func(l look, s probes.Snapshot) []point { return when(!s.Good.IsZero(), l.now.Sub(s.Good).Seconds()) })},
		{Name: "gradecockpit_probe_duration_seconds", Help: "What the probe's last look took.", Labels: each, Group: group, Unit: units.Seconds,
			read: perProbe(func(_ look, s probes.Snapshot) []point { return just(s.Cost.Seconds()) })},
		{Name: "gradecockpit_probe_runs_total", Help: "Looks of the probe since the exporter began.", Labels: each, Counter: true, Group: group, Unit: units.CountsPerSecond,
			read: perProbe(func(_ look, s probes.Snapshot) []point { return just(float64(s.Seq)) })},
	}
}

// sourcesUp says nothing of a source that has not been asked yet.
func sourcesUp(l look) (out []point) {
	for _, id := range l.sources {
		if s := l.set.SourceHealth(id); s.Seq > 0 {
			out = append(out, point{truth(s.Health() == probes.Live), []string{string(id)}})
		}
	}
	return out
}

// perProbe gives the points of every probe of a configured source that has
// looked at least once.
func perProbe(read func(look, probes.Snapshot) []point) func(look) []point {
	return func(l look) (out []point) {
		for _, s := range l.set.Snapshots() {
			if s.Seq == 0 || !l.configured(s.Source) {
				continue
			}
			for _, p := range read(l, s) {
				out = append(out, point{p.value, []string{string(s.ID), string(s.Source)}})
			}
		}
		return out
	}
}

func (l look) configured(source probes.SourceID) bool {
	for _, id := range l.sources {
		if id == source {
			return true
		}
	}
	return false
}
