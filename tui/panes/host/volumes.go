package host

import (
	"math"
	"strings"
	"time"

	"gradecockpit/probes/host"
	"gradecockpit/tui/pane"
	"gradecockpit/tui/ui"
)

// soon is how near a full disk has to be to be said loudly: a night's sleep.
// What is further away than never is not worth a guess.
const (
	soon  = 12 * time.Hour
	never = 14 * 24 * time.Hour
)

// verdict is how bad something is, in a word, a sign and a tone.
type verdict struct {
	word, sign string
	tone       ui.Tone
}

var (
	fine     = verdict{"ok", ui.SignGood, ui.Good}
	warning  = verdict{"warning", ui.SignWarn, ui.Warn}
	critical = verdict{"critical", ui.SignBad, ui.Bad}
	unknown  = verdict{"unknown", ui.NotKnown, ui.Dim}
)

// judge compares a share of 0…1 with the limits.
func (v view) judge(share float64, known bool) verdict {
	switch percent := share * 100; {
	case !known:
		return unknown
	case percent >= float64(v.o.Limits.Critical):
		return critical
	case percent >= float64(v.o.Limits.Warning):
		return warning
	}
	return fine
}

func (v view) volumes() []pane.Row {
	var rows []pane.Row
	for _, vol := range v.o.Volumes {
		rows = append(rows, v.volume(vol))
	}
	return rows
}

func (v view) volume(vol host.Volume) pane.Row {
	r := pane.Row{Key: "volume " + vol.Mount, Yank: vol.Mount, Data: v.volumeData(vol)}
	free := pane.Number(ui.Plain, ui.Bytes(vol.Free), float64(vol.Free))
	if _, known := vol.Share(); !known {
		free = pane.Number(ui.Dim, ui.NotKnown, math.NaN())
	}
	r.Cells = []ui.Cell{pane.Text(ui.Plain, vol.Mount), v.share(vol.Share()), free, v.inodes(vol), pane.Text(ui.Dim, roles(vol)), v.trend(vol)}
	r.Detail = []string{v.says(vol)}
	return r
}

// share is a percentage behind the sign of its verdict.
func (v view) share(share float64, known bool) ui.Cell {
	if !known {
		return pane.Number(ui.Dim, ui.NotKnown, math.NaN())
	}
	j := v.judge(share, true)
	return pane.Number(j.tone, j.sign+" "+full(share), share)
}

// full rounds up, as df does: 89.1 % is not below 90.
func full(share float64) string {
	return ui.Percent(math.Ceil(share*100-1e-9) / 100)
}

// inodes are quiet unless they run out before the bytes do.
func (v view) inodes(vol host.Volume) ui.Cell {
	share, known := vol.InodeShare()
	switch j := v.judge(share, known); {
	case !vol.Hangs.IsZero():
		return pane.Number(ui.Dim, ui.NotKnown, math.NaN())
	case !known:
		return pane.Number(ui.Dim, "-", math.NaN())
	case j == fine:
		return pane.Number(ui.Dim, full(share), share)
	default:
		return pane.Number(j.tone, j.sign+" "+full(share), share)
	}
}

func roles(vol host.Volume) string {
	var out []string
	for _, r := range vol.Roles {
		out = append(out, string(r))
	}
	return strings.Join(out, ", ")
}

// trend puts what makes a volume useless before how it grows.
func (v view) trend(vol host.Volume) ui.Cell {
	if !vol.Hangs.IsZero() {
		return pane.Text(ui.Bad, ui.SignBad+" hangs for "+ui.Duration(v.in.Now.Sub(vol.Hangs)))
	}
	if vol.ReadOnly {
		return pane.Text(ui.Bad, ui.SignBad+" read-only")
	}
	if vol.GrowthOver == 0 {
		return pane.Text(ui.Dim, ui.NotKnown)
	}
	if d, ok := vol.FullIn(); ok && d < never && grows(vol) {
		tone, sign := ui.Plain, ""
		if d < soon {
			tone, sign = ui.Warn, ui.SignWarn+" "
		}
		return pane.Text(tone, sign+"full in about "+about(d)+" "+pace(vol))
	}
	if math.Abs(vol.Growth)*3600 < float64(vol.Size)/10000 {
		return pane.Text(ui.Dim, "steady")
	}
	return pane.Text(ui.Dim, pace(vol))
}

// about is as coarse as a guess should be.
func about(d time.Duration) string {
	switch {
	case d < time.Hour:
		return ui.Duration(d)
	case d < 48*time.Hour:
		return ui.Count(int64(math.Round(d.Hours()))) + "h"
	}
	return ui.Count(int64(math.Round(d.Hours()/24))) + "d"
}

// grows leaves out what is noise: less than a ten thousandth of the volume.
func grows(vol host.Volume) bool {
	return vol.Growth*vol.GrowthOver.Seconds() > float64(vol.Size)/10000
}

// pace is the growth in the unit that gives a readable number.
func pace(vol host.Volume) string {
	sign, rate := "+", vol.Growth
	if rate < 0 {
		sign, rate = "-", -rate
	}
	if rate*60 >= 1<<20 {
		return sign + ui.Bytes(uint64(rate*60)) + "/min"
	}
	return sign + ui.Bytes(uint64(rate*3600)) + "/h"
}

// says is the volume in a sentence, for the room below the rows.
func (v view) says(vol host.Volume) string {
	where := pane.Joined(vol.Device, vol.Type)
	if !vol.Hangs.IsZero() {
		return "A look at " + vol.Mount + " (" + where + ") has not come back for " + ui.Duration(v.in.Now.Sub(vol.Hangs)) + ": is its server gone? Programs that touch it hang too."
	}
	out := ui.Bytes(vol.Used) + " of " + ui.Bytes(vol.Size) + " in use, " + ui.Bytes(vol.Free) + " free for ordinary users (" + where + ")."
	if vol.ReadOnly {
		out += " It is mounted read-only: nothing can be written. A file system does so itself after errors of its disk; see the system's log."
	}
	if d, ok := vol.FullIn(); ok && d < never && grows(vol) {
		out += " Full in about " + about(d) + ": a guess from the last " + ui.Duration(vol.GrowthOver) + "."
	}
	return out
}

// volumeData is the volume for programs; what is not known is null.
func (v view) volumeData(vol host.Volume) map[string]any {
	share, known := vol.Share()
	inodes, counted := vol.InodeShare()
	d := map[string]any{
		"kind": "volume", "key": "volume " + vol.Mount, "mount": vol.Mount, "device": vol.Device, "type": vol.Type, "read_only": vol.ReadOnly,
		"folders": vol.Roles, "used_share": nil, "used_bytes": nil, "free_bytes": nil, "size_bytes": nil, "inodes_used_share": nil,
		"growth_bytes_per_second": nil, "full_in_seconds_guess": nil, "hangs_since": nil, "verdict": v.judge(max(share, inodes), known || counted).word,
	}
	if known {
		d["used_share"], d["used_bytes"], d["free_bytes"], d["size_bytes"] = share, vol.Used, vol.Free, vol.Size
	}
	if counted {
		d["inodes_used_share"] = inodes
	}
	if vol.GrowthOver > 0 {
		d["growth_bytes_per_second"] = vol.Growth
	}
	if left, ok := vol.FullIn(); ok && grows(vol) {
		d["full_in_seconds_guess"] = int(left.Seconds())
	}
	switch {
	case !vol.Hangs.IsZero():
		d["hangs_since"], d["verdict"] = vol.Hangs.UTC().Format(time.RFC3339), "hangs"
	case vol.ReadOnly:
		d["verdict"] = "read-only"
	}
	return d
}
