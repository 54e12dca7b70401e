package tui

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"gradecockpit/probes/diagnosis"
	"gradecockpit/tui/internal/sample"
)

// What the rules of a judgement share changes none of their findings: each one
// judged alone says the same.
func TestRulesAloneFindTheSame(t *testing.T) {
	in := diagnosis.Input{Set: sample.Crowd(300), Now: sample.Now}
	var alone []diagnosis.Finding
	for _, r := range diagnosis.Rules() {
		found, _ := r.Judge(in)
		for _, f := range found {
			f.Rule, f.Title, f.Scenario = r.ID, "", ""
			alone = append(alone, f)
		}
	}
	var together []diagnosis.Finding
	for _, f := range diagnosis.Judge(in).Findings {
		for _, g := range append([]diagnosis.Finding{f}, f.Follows...) {
			g.Title, g.Scenario, g.Follows = "", "", nil
			together = append(together, g)
		}
	}
	if len(alone) < 15 {
		t.Fatalf("only %d findings: the set says too little", len(alone))
	}
	order := cmpopts.SortSlices(func(a, b diagnosis.Finding) bool { return a.Rule+a.Subject < b.Rule+b.Subject })
	if diff := cmp.Diff(alone, together, order, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("alone and together (-alone +together):\n%s", diff)
	}
}

// Judging is done beside the screen: while it lasts the keys work, and its outcome
// comes when it is there.
func TestJudgingHoldsUpNoKey(t *testing.T) {
	var hold chan struct{}
	slow := func(_ *stage, c *Config) {
		hold = make(chan struct{}) // within the bubble
		c.Judge = func(in diagnosis.Input) diagnosis.Report {
			<-hold
			return sample.Judge(in)
		}
	}
	play(t, 80, 24, slow, func(t *testing.T, s *stage) {
		s.hub.news <- situations()[0].Set()
		s.press("2", "down")
		s.sees("[2 Stuck")
		s.misses("findings")
		s.press("w")
		s.sees("Nothing has been judged yet.")
		close(hold)
		s.pass(time.Second)
		s.sees("▲ P1 2 findings: w", "A worker hangs")
	})
}
