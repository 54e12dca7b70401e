package storage

import (
	"testing"
	"time"
)

// Two looks in a row, as a command makes them, compare nothing.
func TestLooksThatAreTooClose(t *testing.T) {
	start := time.Date(2026, 2, 1, 14, 0, 0, 0, time.UTC)
	p := past{least: leastOver}
	at := func(after time.Duration) look {
		l := look{Overview: Overview{At: start.Add(after), Database: Database{Size: int64(1000 + after/time.Second)}}, hits: int64(after)}
		p.fill(&l)
		return l
	}
	at(0)
	if l := at(3 * time.Second); l.Window != 0 || l.Database.Growth.Known() {
		t.Errorf("after 3 s: %+v", l.Database)
	}
	if l := at(15 * time.Second); l.Window != 15*time.Second || l.Database.Growth != (Growth{15, 15 * time.Second}) {
		t.Errorf("after 15 s: window %s, %+v", l.Window, l.Database.Growth)
	}
	if l := at(10 * time.Minute); l.Window != 585*time.Second || l.Database.Growth.Over != 10*time.Minute {
		t.Errorf("after a pause: window %s, %+v", l.Window, l.Database.Growth)
	}
	if l := at(90 * time.Minute); l.Database.Growth.Over != 80*time.Minute {
		t.Errorf("after an hour: %+v", l.Database.Growth)
	}
	if l := at(time.Minute); l.Window != 0 || l.Database.Growth.Known() {
		t.Errorf("after the clock went back: window %s, %+v", l.Window, l.Database.Growth)
	}
}

// The memory of earlier looks is bounded.
func TestThePastIsBounded(t *testing.T) {
	p := past{least: leastOver}
	for i := range 2000 {
		l := look{Overview: Overview{At: time.Unix(int64(i)*15, 0), Tables: make([]Table, 100)}}
		p.fill(&l)
	}
	withScans := 0
	for _, m := range p.looks {
		if m.scans != nil {
			withScans++
		}
	}
	if len(p.looks) > 242 || withScans > 42 {
		t.Errorf("%d looks are kept, %d with their counters", len(p.looks), withScans)
	}
}
