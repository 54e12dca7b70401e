package ui

import (
	"fmt"
	"math"
	"strconv"
	"time"
)

// NotKnown is what stands where a value is not known; never 0.
const NotKnown = "?"

// Duration is short: 12s, 52m, 1h02m, 3d4h, 120d. Below zero counts as zero.
func Duration(d time.Duration) string {
	d = max(d, 0)
	switch {
	case d < time.Minute:
		return strconv.Itoa(int(d/time.Second)) + "s"
	case d < time.Hour:
		return strconv.Itoa(int(d/time.Minute)) + "m"
	case d < 24*time.Hour:
		return fmt.Sprintf("%dh%02dm", d/time.Hour, d%time.Hour/time.Minute)
	case d < 100*24*time.Hour:
		return fmt.Sprintf("%dd%dh", d/(24*time.Hour), d%(24*time.Hour)/time.Hour)
	}
	return strconv.Itoa(int(d/(24*time.Hour))) + "d"
}

// Fine is Duration with seconds up to an hour: 3m12s.
func Fine(d time.Duration) string {
	if d < time.Minute || d >= time.Hour {
		return Duration(d)
	}
	return fmt.Sprintf("%dm%02ds", d/time.Minute, d%time.Minute/time.Second)
}

// Ago is how long something is past: "52m ago".
func Ago(d time.Duration) string { return Duration(d) + " ago" }

// Seconds is a latency: 40ms, 1.2s, 12s.
func Seconds(s float64) string {
	switch {
	case math.IsNaN(s) || math.IsInf(s, 0) || s < 0:
		return NotKnown
	case s < 0.001 && s > 0:
		return "<1ms"
	case s < 0.9995:
		return strconv.Itoa(int(math.Round(s*1000))) + "ms"
	case s < 9.95:
		return strconv.FormatFloat(s, 'f', 1, 64) + "s"
	case s < 600:
		return strconv.Itoa(int(math.Round(s))) + "s"
	}
	return Duration(time.Duration(math.Min(s, 1e9)) * time.Second)
}

// Count groups the digits from five on: 9999, 12,345.
func Count(n int64) string {
	s := strconv.FormatInt(n, 10)
	if n > -10000 && n < 10000 {
		return s
	}
	first := 0
	if s[0] == '-' {
		first = 1
	}
	for i := len(s) - 3; i > first; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// Plural is a count with its noun: "1 lock", "3 locks".
func Plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return Count(int64(n)) + " " + noun + "s"
}

// Rate is a number a second, in at most five cells where it can: 0.04, 0.4, 8.1, 120.
func Rate(f float64) string {
	switch {
	case math.IsNaN(f) || math.IsInf(f, 0):
		return NotKnown
	case f > 0 && f < 0.095:
		return strconv.FormatFloat(f, 'f', 2, 64)
	case f < 99.95:
		return strconv.FormatFloat(f, 'f', 1, 64)
	}
	return Count(int64(math.Round(f)))
}

// Percent is a share of 0…1: 0%, <0.1%, 0.4%, 12%.
func Percent(share float64) string {
	switch p := share * 100; {
	case math.IsNaN(p) || math.IsInf(p, 0):
		return NotKnown
	case p == 0:
		return "0%"
	case p > 0 && p < 0.1:
		return "<0.1%"
	case p < 9.95:
		return strconv.FormatFloat(p, 'f', 1, 64) + "%"
	default:
		return strconv.Itoa(int(math.Round(p))) + "%"
	}
}

// Clock is the time of day; on another day than now's it is day and minute.
func Clock(t, now time.Time, zone *time.Location) string {
	if t.IsZero() {
		return NotKnown
	}
	t, now = in(t, zone), in(now, zone)
	if t.YearDay() == now.YearDay() && t.Year() == now.Year() {
		return t.Format("15:04:05")
	}
	return t.Format("01-02 15:04")
}

// Exact is for details and reports: UTC, and local time beside it where it differs.
func Exact(t time.Time, zone *time.Location) string {
	if t.IsZero() {
		return NotKnown
	}
	utc := t.UTC().Format("2006-01-02 15:04:05 UTC")
	local := in(t, zone)
	if _, offset := local.Zone(); offset == 0 {
		return utc
	}
	return utc + " (" + local.Format("15:04:05 MST") + ")"
}

func in(t time.Time, zone *time.Location) time.Time {
	if zone == nil {
		return t.UTC()
	}
	return t.In(zone)
}
