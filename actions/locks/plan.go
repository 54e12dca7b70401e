package locks

import (
	"fmt"

	"gradecockpit/actions"
	"gradecockpit/actions/rows"
	"gradecockpit/probes/clean"
	"gradecockpit/probes/grading"
)

// gap marks, among what a plan saw, that its writes leave no event.
const gap = "audit trail gap"

// plan states what every action of this package writes, from the copies seen.
func (d Deps) plan(a actions.Action, q actions.Request, s *seen) actions.Plan {
	p := actions.NewPlan(a, q)
	p.Private = s
	for _, c := range s.copies {
		note(p.Seen, c)
		p.Steps = append(p.Steps, steps(s, c)...)
	}
	if s.unsigned {
		p.Seen[gap] = "yes"
		p.Warnings = append(p.Warnings, "No event is written, because nobody can sign it: the audit trail gets a gap.")
	} else {
		p.Steps = append(p.Steps, s.signStep(q.Actor, "UNLOCK", `{"forced": true, …}`))
	}
	return p
}

// note keeps what was seen of a copy for the journal.
func note(seen map[string]string, c *rows.Copy) {
	at := c.Label() + " "
	seen[at+"status"] = c.Status
	seen[at+"locked by"], seen[at+"locked at"] = rows.User(c.LockedBy), rows.Moment(c.LockedAt)
	seen[at+"lock"] = rows.Row(c.Lock)
	if c.Lock != nil {
		seen[at+"token"], seen[at+"expires"] = c.Lock.Prefix(), rows.Moment(c.Lock.Expires)
	}
}

func steps(s *seen, c *rows.Copy) []actions.Step {
	var out []actions.Step
	t := s.tables
	if c.Lock != nil {
		l := c.Lock
		out = append(out, actions.Step{
			Verb: "delete", Object: t.Columns[grading.LockID].Table,
			Detail:    fmt.Sprintf("copy %s, held by %s, token %s, expires %s", c.Label(), l.Holder(), l.Prefix(), l.Expires.UTC().Format("15:04:05 UTC")),
			Statement: t.DeleteSQL(),
			Args:      []string{l.ID, l.CopyID, l.Prefix(), rows.Moment(l.Expires), fmt.Sprint(l.Owner.ID)},
		})
	}
	if s.givesBack(c) {
		out = append(out, actions.Step{
			Verb: "update", Object: t.Columns[grading.CopyStatus].Table,
			Detail:    "copy " + c.Label() + ", LOCKED → READY" + forgets(t),
			Statement: t.GiveBackSQL(), Args: []string{c.ID},
		})
	}
	return out
}

func forgets(t rows.Tables) string {
	if t.Has(grading.CopyLockedBy) {
		return ", locked by nobody"
	}
	return ""
}

func (s *seen) signStep(a actions.Actor, word, meta string) actions.Step {
	return actions.Step{
		Verb: "insert", Object: s.tables.Columns[grading.EventID].Table,
		Detail:    fmt.Sprintf("%s by %s %s for %s", word, clean.Text(a.Name), meta, subject(s.copies)),
		Statement: s.tables.EventSQL(), Args: []string{"new ids", subject(s.copies), word, fmt.Sprint(a.UserID), meta},
	}
}
