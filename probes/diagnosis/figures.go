package diagnosis

import (
	"fmt"
	"math"
	"time"

	"gradecockpit/probes"
	"gradecockpit/probes/logs"
)

// share writes a part of a whole, 0…1, in percent.
func share(f float64) string { return fmt.Sprintf("%.0f %%", math.Floor(f*100)) }

// bytesOf writes a size in the unit that gives it one to four digits.
func bytesOf(n float64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	i := 0
	for i < len(units)-1 && math.Abs(n) >= 1024 {
		n /= 1024
		i++
	}
	return fmt.Sprintf("%.3g %s", n, units[i])
}

// lasted writes a time that something took or is old: "340 ms", "12 s", "7 min", "3 h".
func lasted(d time.Duration) string {
	switch {
	case d < time.Second:
		return fmt.Sprintf("%d ms", max(d, 0).Milliseconds())
	case d < 2*time.Minute:
		return fmt.Sprintf("%.0f s", d.Seconds())
	case d < 2*time.Hour:
		return fmt.Sprintf("%.0f min", d.Minutes())
	case d < 48*time.Hour:
		return fmt.Sprintf("%.0f h", d.Hours())
	}
	return fmt.Sprintf("%.0f days", d.Hours()/24)
}

// seconds writes a time that was measured in seconds.
func seconds(s float64) string {
	if s < 1 {
		return fmt.Sprintf("%.0f ms", s*1000)
	}
	return fmt.Sprintf("%.1f s", s)
}

// counted writes a number with its noun: "1 session", "3 sessions".
func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// ofLine is a log record as evidence.
func ofLine(l logs.Line, now time.Time) Evidence {
	says := l.Message
	if n := len(l.Trace); n > 0 {
		says += ": " + l.Trace[n-1]
	}
	if !l.At.IsZero() {
		says = agoOf(now.Sub(l.At)) + ": " + says
	}
	return Evidence{From: logs.ID, Says: says, Kind: "line", ID: l.Place}
}

// fresh tells whether a payload was read by the newest look at it, and gives it.
func fresh[T any](in Input, id probes.ID) (payload T, ok bool) {
	payload, snap, ok := probes.Of[T](in.Set, id)
	return payload, ok && snap.Err == nil
}
