package storage

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"
)

// Bounds of what is called a suspect. A page that asks once for each row of a
// list makes at least some tens of calls.
const (
	suspectCalls    = 20   // in the window, at least
	suspectPerList  = 5.0  // calls for each call of the list
	suspectPerQuery = 5.0  // calls for each request of the application
	suspectLists    = 3    // calls of the list
	suspectOff      = 0.05 // by how much calls and rows of the list may differ, beside one list that was being worked through
)

// Suspect is a statement that may be the N of an N+1. It is a guess, from
// counts alone: only the application's code can tell.
type Suspect struct {
	Statement Statement
	Calls     int64         // in Over
	Over      time.Duration // 0: since the statistics
	// List is the statement that gives a row for each call of this one; its ID
	// is 0 when there is none and PerRequest is the reason.
	List       Statement
	PerList    float64 // calls for each call of List
	PerRequest float64 // calls for each request; NaN not known
}

// Suspects looks for statements that are called once for each row that another
// one gives, or far more often than the application is asked (requests a
// second; NaN where nobody counts them).
func Suspects(o Overview, requests float64) []Suspect {
	var out []Suspect
	for _, s := range o.Statements.Rows {
		c, over := s.counted(o.Window)
		if c.Calls < suspectCalls || s.Own || !lookup(s.Text) {
			continue
		}
		x := Suspect{Statement: s, Calls: c.Calls, Over: over, PerRequest: math.NaN()}
		if over > 0 && requests > 0 {
			x.PerRequest = float64(c.Calls) / over.Seconds() / requests
		}
		x.List, x.PerList = listOf(s, c, o)
		if x.List.ID != 0 || x.PerRequest >= suspectPerQuery {
			out = append(out, x)
		}
	}
	slices.SortStableFunc(out, func(a, b Suspect) int { return cmp.Compare(b.Calls, a.Calls) })
	return out
}

// counted is what was counted in the window, else since the statistics.
func (s Statement) counted(window time.Duration) (Counts, time.Duration) {
	if s.RecentKnown {
		return s.Recent, window
	}
	return Counts{Calls: s.Calls, Rows: s.Rows, Total: s.Total}, 0
}

// lookup tells whether a statement asks by a value. Those that look at the
// server itself are monitoring's, ours among them.
func lookup(text string) bool {
	up := strings.ToUpper(text)
	return strings.HasPrefix(up, "SELECT") && strings.Contains(up, "= $") && !strings.Contains(up, "PG_")
}

// listOf finds the list whose rows are as many as the calls; the closest wins.
func listOf(s Statement, c Counts, o Overview) (list Statement, per float64) {
	best := math.Inf(1)
	for _, p := range o.Statements.Rows {
		pc, over := p.counted(o.Window)
		if _, same := s.counted(o.Window); p.ID == s.ID || over != same || pc.Calls < suspectLists || !strings.HasPrefix(strings.ToUpper(p.Text), "SELECT") {
			continue
		}
		each := float64(c.Calls) / float64(pc.Calls)
		off := math.Abs(float64(c.Calls - pc.Rows))
		if each >= suspectPerList && off < best && off <= suspectOff*float64(c.Calls)+float64(pc.Rows)/float64(pc.Calls) {
			best, list, per = off, p, each
		}
	}
	return list, per
}
