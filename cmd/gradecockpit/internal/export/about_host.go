package export

import (
	"slices"

	"github.com/grafana/grafana-foundation-sdk/go/units"

	"gradecockpit/probes/host"
)

const (
	volumeUsed = "gradecockpit_volume_used_ratio"
	oomKills   = "gradecockpit_host_oom_kills_total"
)

// folders are the roles of those that matter to the application.
var folders = []host.Role{host.Media, host.Temporary, host.Logs, host.Database}

// aboutHost is what the machine says that the exporter runs on. A folder that
// is not mounted there has no series.
func aboutHost() []Metric {
	const group = "Host"
	return []Metric{
		machine(Metric{Name: volumeUsed, Labels: []string{"folder"}, Unit: units.PercentUnit, Group: group,
			Help: "Part of the volume in use that a folder lies on (media, temporary, logs, database), as df counts it, where it is mounted on the exporter's machine."},
			func(o host.Overview) []point { return perFolder(o, host.Volume.Share) }),
		machine(Metric{Name: "gradecockpit_volume_inodes_used_ratio", Labels: []string{"folder"}, Unit: units.PercentUnit, Group: group,
			Help: "Part of the inodes in use of the volume that a folder lies on."},
			func(o host.Overview) []point { return perFolder(o, host.Volume.InodeShare) }),
		machine(Metric{Name: "gradecockpit_host_memory_available_bytes", Help: "Memory that programs on the exporter's machine can still take.", Unit: units.BytesIEC, Group: group},
			func(o host.Overview) []point { return when(o.Memory.Known, float64(o.Memory.Available)) }),
		machine(Metric{Name: oomKills, Help: "Processes that the kernel of the exporter's machine killed for want of memory since it started.", Counter: true, Unit: units.CountsPerSecond, Group: group},
			func(o host.Overview) []point { return when(o.Kills.Known, float64(o.Kills.Boot)) }),
	}
}

func machine(m Metric, read func(host.Overview) []point) Metric {
	return from(host.ID, m, func(s sample[host.Overview]) []point { return read(s.seen) })
}

func perFolder(o host.Overview, share func(host.Volume) (float64, bool)) (out []point) {
	for _, v := range o.Volumes {
		for _, role := range folders {
			if used, ok := share(v); ok && slices.Contains(v.Roles, role) {
				out = append(out, point{used, []string{string(role)}})
			}
		}
	}
	return out
}
