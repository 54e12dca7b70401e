package ui

import (
	"math"
	"testing"
)

func TestTook(t *testing.T) {
	for s, want := range map[float64]string{
		0: "0ms", 0.000001: "<1ms", 0.00045: "0.45ms", 0.0091: "9.10ms", 0.00999: "9.99ms", 0.0099999: "10ms", 0.41: "410ms", 4: "4.0s", -1: "?", math.Inf(1): "?",
	} {
		if got := Took(s); got != want {
			t.Errorf("%v: %q, want %q", s, got, want)
		}
	}
	if got := Took(math.NaN()); got != "?" {
		t.Errorf("NaN: %q", got)
	}
}

func TestHowMany(t *testing.T) {
	for f, want := range map[float64]string{40: "40", 40.01: "40", 2.5: "2.5", 0: "0", 12345: "12,345", math.Inf(1): "?"} {
		if got := Times(f); got != want {
			t.Errorf("%v: %q, want %q", f, got, want)
		}
	}
	if got := Times(math.NaN()); got != "?" {
		t.Errorf("NaN: %q", got)
	}
}
