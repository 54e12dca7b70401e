package diagnosis

import (
	"fmt"
	"slices"
	"strings"

	"gradecockpit/probes"
	"gradecockpit/probes/grading"
)

// core are the fields that every version and every dialect has, and what does
// not work here without them.
var core = []struct {
	field grading.Field
	what  string
}{
	{grading.CopyStatus, "stuck copies and every action on a copy"},
	{grading.CopyAnon, "names of copies"},
	{grading.CopyExam, "the exam of a copy"},
	{grading.CopyFinalPDF, "whether a graded copy has its PDF"},
	{grading.ExamName, "names of exams"},
	{grading.BookletPages, "how many pages a copy has, so which import is stuck"},
	{grading.LinkCopy, "the pages of a copy"},
	{grading.EventAction, "the audit timeline"},
	{grading.EventActor, "who did what in the audit timeline"},
	{grading.EventAt, "the audit timeline"},
	{grading.EventMeta, "why a finalization failed, where the timeline says it"},
	{grading.AnnCopy, "annotations and the score"},
	{grading.AnnPoints, "the score"},
	{grading.LockOwner, "who holds a lock"},
	{grading.LockExpires, "which locks have expired"},
	{grading.LockToken, "unlocking exactly the lock that was seen"},
	{grading.UserName, "names of people"},
}

// statuses are those of all generations, and QUARANTINE of February 2026.
var statuses = []string{"STAGING", "READY", "LOCKED", "GRADING_IN_PROGRESS", "GRADING_FAILED", "GRADED", "QUARANTINE"}

// schemaDrift: the tables are not as any version of the application makes them.
func schemaDrift() Rule {
	return Rule{
		ID: "schema-drift", Title: "The tables are not as the application makes them", Scenario: FinalizationFailing,
		Needs: []probes.ID{grading.ID}, Explains: []string{"finalize-failed", "import-failed", "exception-before-event", "rollback-events"},
		Judge: func(in Input) ([]Finding, string) {
			o, _ := current[grading.Overview](in, grading.ID)
			if o.Schema == nil {
				return nil, "The schema has not been read yet."
			}
			evidence := drifted(o)
			if len(evidence) == 0 {
				return nil, ""
			}
			return []Finding{{
				Says:       fmt.Sprintf("%s. What needs it fails in the application and is left out here.", strings.TrimRight(evidence[0].Says, ".")),
				Confidence: Likely, Severity: P2, Evidence: evidence, CopyCount: -1, UserCount: -1,
				Mind: "A release of the application that is newer than this cockpit: its migrations then name the change.",
				Advice: []string{
					compose + "exec backend python manage.py showmigrations exams grading",
					compose + "exec backend python manage.py migrate --plan",
				},
				Harm: "Do not finalize or correct by SQL before it is known which of code and tables is right.",
			}}, ""
		},
	}
}

func drifted(o grading.Overview) (out []Evidence) {
	s := o.Schema
	add := func(says string) { out = append(out, Evidence{From: grading.ID, Says: says}) }
	for _, c := range core {
		why, denied := s.Absent[c.field], s.Fixes[c.field] != ""
		if why == "" || denied || strings.Contains(why, "has no table") {
			continue
		}
		add(strings.TrimRight(why, ".") + ": not known here: " + c.what + ".")
	}
	if s.Dialect == grading.Mixed {
		add("The columns have names of both dialects: some of a migration was done by hand, or half.")
	}
	for _, c := range o.Status.Value {
		if !slices.Contains(statuses, c.Status) {
			add(fmt.Sprintf("The status %q, of %s, is known to no version.", c.Status, number(int(c.Count), "copy")))
		}
	}
	return out
}
