package diagnosis

import (
	"fmt"
	"slices"
	"time"

	"gradecockpit/probes"
	"gradecockpit/probes/celery"
	"gradecockpit/probes/grading"
	"gradecockpit/probes/logs"
)

func finalizationRules() []Rule {
	out := []Rule{}
	for _, c := range failureCauses() {
		out = append(out, c.rule())
	}
	return append(out, duplicateFinalize(), finalizeFailed())
}

// failedCopy is a copy whose finalization failed and that was not graded since.
// On the deployed system the log line is all that tells of it: the transaction
// takes the rest back.
type failedCopy struct {
	ref   grading.CopyRef
	cause logs.Cause
	n     int
	last  time.Time // zero unknown
	seen  []Evidence
	stuck *grading.Stuck // nil: the database shows nothing wrong with it
	lock  grading.Lock
}

// failedCopies gathers them from the log and from what the database tells of
// failed copies, by copy. Failures for the same cause on one copy are one.
func failedCopies(in Input) []failedCopy {
	o, haveTables := current[grading.Overview](in, grading.ID)
	stuck, locks := stuckNow(in), locksOf(in)
	var out []failedCopy
	add := func(c failedCopy) {
		if s, is := stuck[c.ref.ID]; is {
			c.stuck = &s
		}
		c.lock = locks[c.ref.ID]
		out = append(out, c)
	}
	stale, _, _ := probes.Of[grading.Overview](in.Set, grading.ID)
	graded := stale.Events.Value.Finalized // what was graded stays so
	told, label := map[string]bool{}, namer(in)
	l, _ := current[logs.Overview](in, logs.ID)
	for _, t := range l.Troubles {
		if t.Op != logs.OpFinalize || slices.Contains(noFailure, t.Cause) {
			continue
		}
		for _, c := range t.Copies {
			if at, is := graded[c.CopyID]; is && at.After(c.Last.At.Add(-time.Second)) {
				continue
			}
			told[c.CopyID] = true
			add(failedCopy{ref: label(c.CopyID), cause: t.Cause, n: c.N, last: c.Last.At, seen: []Evidence{saidBy(c.Last, in.Now)}})
		}
	}
	for _, s := range o.Stuck.Value.Rows {
		if haveTables && s.Cause == grading.CauseFailed && !told[s.Copy.ID] {
			add(failedCopy{ref: s.Copy, cause: logs.CauseOf(s.Why), n: 1, last: s.Since, seen: []Evidence{seenStuck(in, s)}})
		}
	}
	slices.SortStableFunc(out, func(a, b failedCopy) int { return b.last.Compare(a.last) })
	return dropVaguer(out)
}

// noFailure are refusals that leave a copy as fit for a finalization as it was.
var noFailure = []logs.Cause{logs.CauseState, logs.CauseExpired, logs.CauseConflict, logs.CauseForbidden}

// dropVaguer leaves out an unclear failure of a copy of which the cause is told
// by another record.
func dropVaguer(all []failedCopy) (out []failedCopy) {
	clear := map[string]bool{}
	for _, c := range all {
		clear[c.ref.ID] = clear[c.ref.ID] || c.cause != logs.CauseUnclear
	}
	for _, c := range all {
		if c.cause != logs.CauseUnclear || !clear[c.ref.ID] {
			out = append(out, c)
		}
	}
	return out
}

// failureCause is one cause of failed finalizations.
type failureCause struct {
	id, title, section string
	causes             []logs.Cause
	says               string // with %s for the copies
	mind               string
	harm               string
	advice             []string
	explains           []string
	sure               Confidence
	// retry says why a further try may succeed; "" it cannot.
	retry  string
	silent func(Input) bool // another rule tells it; nil never
}

func (c failureCause) rule() Rule {
	return Rule{
		ID: c.id, Title: c.title, Scenario: FinalizationFailing, Section: c.section,
		Explains: append(c.explains, "swallowed-failures"),
		Judge: func(in Input) ([]Finding, string) {
			blind := withoutTables(in)
			if c.silent != nil && c.silent(in) {
				return nil, blind
			}
			var hit []failedCopy
			for _, f := range failedCopies(in) {
				if slices.Contains(c.causes, f.cause) {
					hit = append(hit, f)
				}
			}
			if len(hit) == 0 {
				return nil, blind
			}
			return []Finding{c.finding(in, hit)}, blind
		},
	}
}

// withoutTables: the log tells of a failure, the tables whether it was mended
// since and what state its copy is in.
func withoutTables(in Input) string {
	if why := withoutLog(in); why != "" {
		return why
	}
	if why := unread(in.Set, []probes.ID{grading.ID}); why != "" {
		return "Without the tables it is not known what was graded since: " + why
	}
	return ""
}

func (c failureCause) finding(in Input, hit []failedCopy) Finding {
	f := Finding{
		Says: fmt.Sprintf(c.says, number(len(hit), "copy")), Confidence: c.sure, Severity: finalizeSeverity(in, len(hit)),
		Mind: c.mind, Advice: slices.Clone(c.advice), Harm: c.harm,
	}
	if _, ok := current[grading.Overview](in, grading.ID); !ok {
		f.Confidence = min(f.Confidence, Possible)
	}
	var copies []grading.CopyRef
	users := map[string]bool{}
	for _, h := range hit {
		copies = append(copies, h.ref)
		if name := h.holder(); name != "" {
			users[name] = true
		}
		if f.Since.IsZero() || !h.last.IsZero() && h.last.Before(f.Since) {
			f.Since = h.last
		}
		if len(f.Evidence) < mostEvidence {
			f.Evidence = append(f.Evidence, h.evidence(in)...)
		}
		if len(f.Offers) < 3 {
			f.Offers = append(f.Offers, c.offers(in, h)...)
		}
		if inHand(h.lock) {
			f.Harm = fmt.Sprintf("%s is in the hands of %s now: do not unlock it and do not retry it, ask them. ", h.ref.Label(), orWord(h.lock.Owner.Name, "a teacher")) + c.harm
		}
	}
	f.onCopies(copies, users)
	return f
}

func (h failedCopy) holder() string {
	switch {
	case h.lock.Owner.Name != "":
		return h.lock.Owner.Name
	case h.stuck != nil:
		return h.stuck.Holder.Name
	}
	return ""
}

func (h failedCopy) evidence(in Input) []Evidence {
	out := slices.Clone(h.seen)
	if h.n > 1 {
		out[0].Says += fmt.Sprintf(" (%d times)", h.n)
	}
	if h.stuck != nil && h.stuck.Cause != grading.CauseFailed {
		out = append(out, seenStuck(in, *h.stuck))
	}
	return out
}

// offers: a retry only where a try may succeed, nobody corrects the copy, and
// it failed but once.
func (c failureCause) offers(in Input, h failedCopy) []Offer {
	o, known := current[grading.Overview](in, grading.ID)
	fit := h.stuck != nil && (h.stuck.Cause == grading.CauseNoLock || h.stuck.Cause == grading.CauseFailed) && h.stuck.Pages != 0
	if c.retry == "" || !known || !fit || h.n > 1 || h.lock.LockID != "" || o.LocksInUse == grading.TriNo {
		return nil
	}
	return []Offer{{
		Action: "retry", Kind: "copy", ID: h.ref.ID, Label: h.ref.Label(), Why: c.retry,
		Consequence: "If it succeeds the copy is GRADED with the score that its annotations give now; there is no way back in the application.",
	}}
}

// finalizeSeverity: all of them failing, or many, is a major feature broken.
func finalizeSeverity(in Input, failed int) Severity {
	o, ok := current[grading.Overview](in, grading.ID)
	if ok && failed >= 3 && len(o.Events.Value.Finalized) == 0 {
		return P1
	}
	return severityOf(failed)
}

// finalizeFailed is what is left: copies whose finalization failed by an error
// that has no rule, or that stand still in the middle of one.
func finalizeFailed() Rule {
	c := failureCause{
		id: "finalize-failed", title: "Finalizations fail", section: "4.1",
		causes: []logs.Cause{logs.CauseUnclear, logs.CauseFile, logs.CauseTime},
		says:   "The finalization of %s failed, by an error that no rule knows.",
		mind:   "The traceback names a line of code: what it says is the cause.",
		harm:   "Do not retry before the cause is known: a success grades the copy for good.",
		advice: []string{compose + "logs --since 1h backend | grep -A 20 'PDF generation failed'"},
		sure:   Likely,
	}
	r := c.rule()
	failures := r.Judge
	r.Needs = []probes.ID{grading.ID}
	r.Judge = func(in Input) ([]Finding, string) {
		found, blind := failures(in)
		if f, ok := standingStill(in); ok {
			found = append(found, f)
		}
		return found, blind
	}
	return r
}

// standingStill are copies GRADING_IN_PROGRESS past every limit, and graded ones
// without a PDF.
func standingStill(in Input) (Finding, bool) {
	hit := stuckBy(in, grading.CauseInProgress, grading.CauseNoPDF)
	tasks := tasked(in)
	hit = slices.DeleteFunc(hit, func(s grading.Stuck) bool { return tasks[s.Copy.ID] == celery.TaskRunning })
	if len(hit) == 0 {
		return Finding{}, false
	}
	f := Finding{
		Subject: "standing still", Title: "A finalization ended half done",
		Says:       fmt.Sprintf("%s past the end of a finalization: still in progress, or GRADED without a PDF.", number(len(hit), "copy")),
		Confidence: Possible, Severity: severityOf(len(hit)), Since: firstSince(hit), Evidence: stuckEvidence(in, hit),
		Mind:   "A finalization that runs in a request for longer than the limit of the tasks.",
		Harm:   "No retry helps: every finalization of such a copy is refused. Only a teacher who locks it gets it out of GRADING_IN_PROGRESS.",
		Advice: []string{"The services of the application commit neither state: look for what wrote to the tables besides, a script or a restore."},
	}
	f.onCopies(copiesIn(hit), holders(hit))
	return f, true
}
