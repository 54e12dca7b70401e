package ui

import (
	"math"
	"testing"
	"time"
)

func TestDurations(t *testing.T) {
	tests := []struct {
		in          time.Duration
		short, fine string
	}{
		{-time.Second, "0s", "0s"},
		{0, "0s", "0s"},
		{12*time.Second + 900*time.Millisecond, "12s", "12s"},
		{60 * time.Second, "1m", "1m00s"},
		{3*time.Minute + 12*time.Second, "3m", "3m12s"},
		{62 * time.Minute, "1h02m", "1h02m"},
		{76*time.Hour + time.Minute, "3d4h", "3d4h"},
		{120 * 24 * time.Hour, "120d", "120d"},
	}
	for _, tt := range tests {
		if got := Duration(tt.in); got != tt.short {
			t.Errorf("Duration(%v) = %q, want %q", tt.in, got, tt.short)
		}
		if got := Fine(tt.in); got != tt.fine {
			t.Errorf("Fine(%v) = %q, want %q", tt.in, got, tt.fine)
		}
	}
}

func TestNumbers(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	tests := []struct{ name, got, want string }{
		{"count", Count(9999), "9999"}, {"count", Count(12345), "12,345"}, {"count", Count(-1234567), "-1,234,567"},
		{"count", Count(-123456), "-123,456"},
		{"plural", Plural(1, "gap"), "1 gap"}, {"plural", Plural(3, "gap"), "3 gaps"},
		{"rate", Rate(0), "0.0"}, {"rate", Rate(0.04), "0.04"}, {"rate", Rate(8.12), "8.1"}, {"rate", Rate(99.97), "100"}, {"rate", Rate(nan), "?"},
		{"percent", Percent(0), "0%"}, {"percent", Percent(0.0005), "<0.1%"}, {"percent", Percent(0.004), "0.4%"},
		{"percent", Percent(0.1234), "12%"}, {"percent", Percent(1), "100%"}, {"percent", Percent(nan), "?"},
		{"seconds", Seconds(0.04), "40ms"}, {"seconds", Seconds(0.9999), "1.0s"}, {"seconds", Seconds(1.24), "1.2s"},
		{"seconds", Seconds(12.4), "12s"}, {"seconds", Seconds(0), "0ms"}, {"seconds", Seconds(0.0002), "<1ms"},
		{"seconds", Seconds(3725), "1h02m"}, {"seconds", Seconds(nan), "?"}, {"seconds", Seconds(inf), "?"},
	}
	for _, tt := range tests {
		if tt.got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, tt.got, tt.want)
		}
	}
}

func TestClockAndExact(t *testing.T) {
	paris := time.FixedZone("CET", 3600)
	at := time.Date(2026, 2, 1, 14, 30, 41, 0, time.UTC)
	tests := []struct{ name, got, want string }{
		{"same day", Clock(at, at.Add(time.Hour), paris), "15:30:41"},
		{"another day", Clock(at, at.Add(24*time.Hour), nil), "02-01 14:30"},
		{"midnight between", Clock(at.Add(9*time.Hour), at, paris), "02-02 00:30"},
		{"no time", Clock(time.Time{}, at, nil), "?"},
		{"exact", Exact(at, paris), "2026-02-01 14:30:41 UTC (15:30:41 CET)"},
		{"exact in UTC", Exact(at, nil), "2026-02-01 14:30:41 UTC"},
		{"exact, no time", Exact(time.Time{}, nil), "?"},
	}
	for _, tt := range tests {
		if tt.got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, tt.got, tt.want)
		}
	}
}

func TestSparklineAndBar(t *testing.T) {
	nan := math.NaN()
	tests := []struct{ name, got, want string }{
		{"rises", Sparkline([]float64{0, 1, 4, 8}, 4), "▁▁▄█"},
		{"only the last fit", Sparkline([]float64{8, 8, 1, 2}, 2), "▄█"},
		{"missing history is blank", Sparkline([]float64{1}, 3), "  ─"},
		{"unknown is a gap", Sparkline([]float64{1, nan, 2}, 3), "▄ █"},
		{"what hardly changes is a line", Sparkline([]float64{53, 55, nan, 54}, 4), "── ─"},
		{"nothing is low", Sparkline([]float64{0, 0}, 2), "▁▁"},
		{"no room", Sparkline([]float64{1}, 0), ""},
		{"half", Bar(0.5, 4), "██░░"},
		{"over", Bar(7, 3), "███"},
		{"unknown bar", Bar(nan, 3), "···"},
	}
	for _, tt := range tests {
		if tt.got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, tt.got, tt.want)
		}
	}
}
