package audit

import (
	"fmt"
	"slices"
	"strings"

	"gradecockpit/probes/grading"
	"gradecockpit/probes/logs"
)

// Agreement compares with the application's audit.log, as far as that can be
// done: it holds logins and downloads, never the workflow, and names a copy by
// the path of the request alone, because ids are hashed.
type Agreement struct {
	Records int // of audit.log that name a copy, among the newest lines
	// Downloads are copies without a FINALIZE event whose final PDF was
	// downloaded: they were graded for sure.
	Downloads []grading.CopyRef
}

// Agree compares with log lines.
func Agree(o Overview, lines []logs.Line) Agreement {
	var a Agreement
	ungraded := map[string]grading.CopyRef{}
	for _, r := range o.Rows {
		if r.Kind == Nothing || r.Kind == Missing && r.Action == "FINALIZE" {
			ungraded[strings.ToLower(r.Copy.ID)] = r.Copy
		}
	}
	for _, l := range lines {
		if l.Logger != "audit" || l.CopyID == "" {
			continue
		}
		a.Records++
		ref, ok := ungraded[l.CopyID]
		if ok && strings.HasSuffix(strings.TrimSuffix(l.Path, "/"), "final-pdf") && !slices.Contains(a.Downloads, ref) {
			a.Downloads = append(a.Downloads, ref)
		}
	}
	return a
}

// Says gives the comparison in sentences, with what it cannot show.
func (a Agreement) Says() []string {
	says := []string{"audit.log cannot confirm events: it holds logins and downloads, and names a copy by the path alone."}
	switch {
	case a.Records == 0:
		says = append(says, "None of the newest log lines is a record of it about a copy.")
	case len(a.Downloads) == 0:
		says = append(says, fmt.Sprintf("Its %d newest records about copies contradict nothing.", a.Records))
	default:
		var names []string
		for _, c := range a.Downloads[:min(len(a.Downloads), 5)] {
			names = append(names, c.Label())
		}
		says = append(says, fmt.Sprintf("It contradicts the events: the final PDF of %s was downloaded, and no FINALIZE is on record.", strings.Join(names, ", ")))
	}
	return says
}
