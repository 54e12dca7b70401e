package rate_test

import (
	"math"
	"testing"
	"time"

	"gradecockpit/probes/internal/rate"
)

func TestIncrease(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	tests := []struct {
		name       string
		prev, next float64
		want       float64
		ok         bool
	}{
		{"grows", 3, 7.5, 4.5, true},
		{"stands still", 7, 7, 0, true},
		{"reset", 7, 3, 0, false},
		{"reset to zero", 7, 0, 0, false},
		{"negative", -1, 3, 0, false},
		{"NaN before", nan, 3, 0, false},
		{"NaN now", 3, nan, 0, false},
		{"infinite", 3, inf, 0, false},
		{"infinite twice", inf, inf, 0, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got, ok := rate.Increase(tt.prev, tt.next); got != tt.want || ok != tt.ok {
				t.Errorf("got %v %v, want %v %v", got, ok, tt.want, tt.ok)
			}
		})
	}
}

func TestPerSecond(t *testing.T) {
	tests := []struct {
		name  string
		delta float64
		over  time.Duration
		want  float64
		ok    bool
	}{
		{"a rate", 30, 10 * time.Second, 3, true},
		{"nothing happened", 0, time.Second, 0, true},
		{"no time", 30, 0, 0, false},
		{"the clock went back", 30, -time.Second, 0, false},
		{"NaN", math.NaN(), time.Second, 0, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got, ok := rate.PerSecond(tt.delta, tt.over); got != tt.want || ok != tt.ok {
				t.Errorf("got %v %v, want %v %v", got, ok, tt.want, tt.ok)
			}
		})
	}
}
