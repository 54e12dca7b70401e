package audit

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"gradecockpit/actions"
	"gradecockpit/actions/rows"
	scan "gradecockpit/probes/audit"
	"gradecockpit/probes/clean"
	"gradecockpit/probes/grading"
)

// opening is one event that could be added: what is missing, and in whose name.
type opening struct {
	action   string
	actor    grading.User
	from     string // how the actor is known
	why      string // by which rule it is missing
	at       time.Time
	atFrom   string // what tells the time
	guess    bool   // it may never have been written
	metadata map[string]any
}

// id is the choice's: "VALIDATE:12".
func (o opening) id() string { return fmt.Sprintf("%s:%d", o.action, o.actor.ID) }

func (o opening) title() string {
	title := fmt.Sprintf("%s in the name of %s (%s)", o.action, rows.Person(o.actor), o.from)
	if o.guess {
		title += ", a guess"
	}
	return title
}

// gap is an event that is missing, before anybody is named for it.
type gap struct {
	action, why, atFrom string
	at                  time.Time
	guess               bool
}

// gaps lists what is missing on the copy, each kind once, by the scan's rules.
func (s *state) gaps() (out []gap) {
	add := func(g gap) {
		if !slices.ContainsFunc(out, func(o gap) bool { return o.action == g.action }) {
			out = append(out, g)
		}
	}
	for _, r := range s.found {
		switch r.Kind {
		case scan.Missing:
			add(gap{action: r.Action, why: r.Why, at: r.Since, atFrom: dated[r.Name]})
		case scan.Nothing:
			s.all(r.Why, add)
		}
	}
	slices.SortStableFunc(out, func(a, b gap) int {
		return slices.Index(grading.Actions(), a.action) - slices.Index(grading.Actions(), b.action)
	})
	if at, open := s.leftOpen(); open {
		add(gap{action: "UNLOCK", at: at, atFrom: "the LOCK before it", guess: true,
			why: "The copy is free again and no UNLOCK says who freed it. A lock that ran out leaves none, so none may be missing."})
	}
	return out
}

// dated is what the time of a missing event is known by, for each rule.
var dated = map[string]string{
	"VALIDATE": "validated_at", "IMPORT": "the first event", "LOCK before work": "the first work on it", "LOCK of the lock": "the lock",
	"LOCK before UNLOCK": "the first UNLOCK", "CREATE_ANN": "the annotation", "CREATE_ANN before change": "the first change", "FINALIZE": "graded_at",
}

// all is what a copy without any event lacks.
func (s *state) all(why string, add func(gap)) {
	worked := s.trail.Drawn > 0 || s.copy.Status == "GRADED" || s.copy.Status == "LOCKED"
	for _, g := range []struct {
		gap
		holds bool
	}{
		{gap{action: "IMPORT", why: why}, strings.HasPrefix(s.copy.Anon, "IMPORT-")},
		{gap{action: "VALIDATE", why: why, at: s.trail.Validated, atFrom: "validated_at"}, !s.trail.Validated.IsZero()},
		{gap{action: "LOCK", why: why, at: s.copy.LockedAt, atFrom: "locked_at"}, s.locks && worked},
		{gap{action: "CREATE_ANN", why: why}, s.trail.Bare != nil},
		{gap{action: "FINALIZE", why: why, at: s.trail.Graded, atFrom: "graded_at"}, s.copy.Status == "GRADED"},
	} {
		if g.holds {
			add(g.gap)
		}
	}
}

// leftOpen tells whether somebody locked the copy and nothing tells how that
// ended.
func (s *state) leftOpen() (time.Time, bool) {
	_, locked := s.trail.Last("LOCK")
	_, ended := s.trail.Last("UNLOCK", "FINALIZE")
	return locked, s.locks && s.copy.Lock == nil && s.copy.Status == "READY" && locked.After(ended)
}

// openings names for each gap those who can be meant, the likeliest first, and
// the operator last: nobody is made up. A FINALIZE that would do harm is left out.
func (s *state) openings(operator actions.Actor) (out []opening) {
	for _, g := range s.gaps() {
		if g.action == "FINALIZE" && s.harms() != nil {
			continue
		}
		list := s.people(g)
		if g.action != "CREATE_ANN" && operator.UserID != 0 {
			list = append(list, suspect{grading.User{ID: operator.UserID, Name: clean.Text(operator.Name)}, "you: the real one is not known"})
		}
		for _, p := range list {
			o := opening{action: g.action, actor: p.User, from: p.from, why: g.why, at: g.at, atFrom: g.atFrom, guess: g.guess, metadata: s.own(g.action)}
			if b := s.trail.Bare; g.action == "CREATE_ANN" && b != nil {
				o.at, o.atFrom = b.At, "the annotation"
			}
			if p.ID != 0 && !slices.ContainsFunc(out, func(q opening) bool { return q.id() == o.id() }) {
				out = append(out, o)
			}
		}
	}
	return out
}

// suspect is somebody who may have done it, with what says so.
type suspect struct {
	grading.User
	from string
}

// people are those whom the copy's rows name for an event.
func (s *state) people(g gap) (out []suspect) {
	last := func(from string, kinds ...string) {
		if u, at := s.trail.Last(kinds...); !at.IsZero() {
			out = append(out, suspect{u, from})
		}
	}
	switch g.action {
	case "IMPORT", "VALIDATE":
		last("imported it", "IMPORT")
		last("validated it", "VALIDATE")
	case "CREATE_ANN":
		if b := s.trail.Bare; b != nil {
			out = append(out, suspect{b.By, "made the annotation"})
		}
	case "UNLOCK":
		last("locked it last", "LOCK")
	default:
		if l := s.copy.Lock; l != nil {
			out = append(out, suspect{l.Owner, "holds the lock"})
		}
		out = append(out, suspect{s.trail.LockedBy, "locked_by"})
		last("finalized it", "FINALIZE")
		last("annotated it", "CREATE_ANN", "UPDATE_ANN", "DELETE_ANN")
		last("unlocked it", "UNLOCK")
		out = append(out, suspect{s.trail.Corrector, "assigned corrector"})
	}
	return out
}

// own are the keys that the application itself gives an event, as far as they
// are known.
func (s *state) own(action string) map[string]any {
	m := map[string]any{}
	switch b := s.trail.Bare; {
	case action == "IMPORT" && s.trail.Pages > 0:
		m["pages"] = s.trail.Pages
	case action == "CREATE_ANN" && b != nil:
		m["annotation_id"] = b.ID
		if b.Page >= 0 {
			m["page"] = b.Page
		}
	case action == "FINALIZE" && s.trail.Score != nil:
		m["final_score"], m["success"] = *s.trail.Score, true
	}
	return m
}

// harms says why a FINALIZE event may not be added; nil: it may.
func (s *state) harms() *actions.Refusal {
	const next = "Leave it missing, and note it in the report of the incident: graded_at and the final PDF prove the grade."
	last, at := s.trail.Last("FINALIZE")
	switch {
	case !at.IsZero():
		return &actions.Refusal{Next: next, Why: fmt.Sprintf("%s already has a FINALIZE event, by %s: with two by one actor every later finalization by them fails.", s.copy.Label(), rows.Person(last))}
	case s.tables.Dialect != grading.Playbook:
		return &actions.Refusal{Next: next, Why: "FINALIZE is not added: the application looks for one by the same actor before it writes its own, so their next success on " + s.copy.Label() + " would not be recorded, and a second one would make every finalization by them fail."}
	case s.copy.Status != "GRADED" || s.trail.Score == nil:
		return &actions.Refusal{Next: next, Why: s.copy.Label() + " has no grade that a FINALIZE event could tell of."}
	}
	return nil
}

// choose finds what was asked for: a choice by its whole id, an action by its
// name, or the first of all.
func (s *state) choose(all []opening, choice string) (opening, error) {
	label := s.copy.Label()
	action, _, _ := strings.Cut(choice, ":")
	for _, o := range all {
		if choice == "" || choice == o.id() || choice == o.action {
			return o, nil
		}
	}
	missing := slices.ContainsFunc(s.gaps(), func(g gap) bool { return g.action == action || choice == "" })
	switch {
	case action == "FINALIZE" || missing && s.onlyFinalize():
		if no := s.harms(); no != nil {
			return opening{}, no
		}
		return opening{}, &actions.Refusal{Why: label + " lacks no FINALIZE event."}
	case choice == "" && !missing:
		return opening{}, &actions.Refusal{Why: "By the rules no event is missing on " + label + "."}
	case choice != "" && !slices.Contains(grading.Actions(), action):
		return opening{}, &actions.Refusal{Why: "There is no kind of event called " + clean.Text(action) + "."}
	case !missing:
		return opening{}, &actions.Refusal{Why: "By the rules " + label + " lacks no " + action + " event."}
	case slices.ContainsFunc(all, func(o opening) bool { return o.action == action }):
		return opening{}, &actions.Refusal{Why: "Nothing on " + label + " says that user number " + clean.Text(strings.TrimPrefix(choice, action+":")) + " did it.", Next: "Choose one of those whom the plan names."}
	}
	return opening{}, &actions.Refusal{
		Why:  "Nobody is known who did it, and the application demands an actor.",
		Next: "Name an account of the application with --as; it then signs.",
	}
}

func (s *state) onlyFinalize() bool {
	return !slices.ContainsFunc(s.gaps(), func(g gap) bool { return g.action != "FINALIZE" && !g.guess })
}

// signs refuses an actor whom the application does not know.
func (s *state) signs(ctx context.Context, tx pgx.Tx, o opening) error {
	known, err := s.tables.UserExists(ctx, tx, o.actor.ID)
	if err == nil && !known {
		return &actions.Refusal{Why: fmt.Sprintf("The application has no user number %d, so nobody could sign the event.", o.actor.ID), Next: "Choose another actor."}
	}
	return err
}
