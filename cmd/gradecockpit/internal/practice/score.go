package practice

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"gradecockpit/actions"
)

// What is taken off a hundred points. Not finding and not putting right are
// shared among the faults of the drill.
const (
	Full           = 100
	HintCosts      = 10
	WrongCosts     = 10 // an answer that is none
	MissedCosts    = 50 // a fault that was not found, of all of them
	LeftCosts      = 30 // a fault that could be put right and was not, of all of them
	UnneededCosts  = 5  // a write that changed nothing of the trouble
	RefusedCosts   = 5  // a harmful action that the cockpit refused
	HarmCosts      = 30 // a harmful action that was carried out
	notYet         = time.Duration(-1)
	refusedHarm    = "refused"
	cancelledHarm  = "cancelled"
	carriedOutHarm = "carried out"
)

// everywhere are actions that harm where nothing asks for them. Those that are
// neither here nor in quiet are only of no use then.
var everywhere = map[string]string{
	"force-unlock":   "A teacher who is at work there can no longer save, and a second one can take the copy.",
	"retry":          "It grades the copy as it stands, finished or not, and nothing takes that back.",
	"purge":          "One list holds everybody's tasks: those that people wait for went with it.",
	"terminate":      "The task was at work, and what it had done is lost.",
	"revoke":         "Somebody waits for that task, and it will never run.",
	"shutdown":       "Nobody takes tasks until the worker is started again.",
	"restart":        "What the worker was at is lost.",
	"pool-shrink":    "With fewer processes everybody waits longer.",
	"rate-limit":     "Tasks that people wait for are held back.",
	"stop-consuming": "Nobody takes what waits in that queue from then on.",
	"end-session":    "Whatever that session had begun was rolled back under its owner.",
	"add-event":      "An audit trail is evidence: it now tells of something of which nobody knows that it happened.",
}

// quiet are actions that only look, or take something back.
var quiet = []string{"ping", "explain-analyze", "relock", "restore", "remove-event"}

// deed is an action with how it came out.
type deed struct {
	Event
	outcome string // refusedHarm, cancelledHarm, carriedOutHarm
	fixed   bool   // the cockpit saw that it helped
}

// deeds joins the confirmations with their ends.
func deeds(log []Event) (out []deed) {
	for _, e := range log {
		switch e.Kind {
		case Refused:
			out = append(out, deed{e, refusedHarm, false})
		case Cancelled:
			out = append(out, deed{e, cancelledHarm, false})
		case Confirmed:
			end, _ := ending(log, e.ID)
			d := deed{e, carriedOutHarm, end.Verdict == actions.Fixed}
			if slices.Contains([]actions.VerdictKind{actions.WasRefuse, actions.Changed}, end.Verdict) {
				d.outcome = refusedHarm // nothing was written
			}
			out = append(out, d)
		}
	}
	return out
}

func ending(log []Event, id string) (Event, bool) {
	i := slices.IndexFunc(log, func(e Event) bool { return e.Kind == Ended && e.ID == id })
	if i < 0 {
		return Event{}, false
	}
	return log[i], true
}

// judge weighs one drill.
type judge struct {
	drill  Drill
	log    []Event
	truths []Truth
	deeds  []deed
	out    Debrief
}

// Score judges what was done in a drill. guide names keys and steps.
func Score(d Drill, log []Event, truths []Truth, guide Guide) Debrief {
	j := &judge{drill: d, log: InOrder(log), truths: truths}
	j.deeds = deeds(j.log)
	j.out = Debrief{
		Seed: d.Seed, Scenario: string(d.Scenario), Again: d.Again(), Calls: d.calls, Blind: guide.Blind,
		Lasted: Span(j.end()), Points: Full, Solved: true, Named: Span(notYet), Distractors: d.Distractors,
	}
	if len(d.Faults) == 0 {
		j.quietDay()
	}
	for _, c := range d.cases() {
		j.out.Faults = append(j.out.Faults, j.fault(c, guide))
	}
	j.answers()
	j.steps()
	j.actions()
	return j.out
}

// end is when the drill ended: at its last event.
func (j *judge) end() time.Duration {
	if len(j.log) == 0 {
		return 0
	}
	return j.log[len(j.log)-1].At
}

func (j *judge) cost(points int, format string, args ...any) {
	points = min(points, j.out.Points)
	j.out.Points -= points
	j.out.Costs = append(j.out.Costs, Cost{points, fmt.Sprintf(format, args...)})
}

// quietDay judges a drill in which nothing is wrong.
func (j *judge) quietDay() {
	j.out.FalseAlarm = true
	j.out.Named = Span(j.first(func(e Event) bool { return e.Kind == Answered && e.What == Nothing }))
	if j.out.Named < 0 {
		j.out.Solved = false
		j.cost(MissedCosts, "it was not said that nothing is wrong")
	}
}

// first is when the first event of a kind came; notYet when none did.
func (j *judge) first(is func(Event) bool) time.Duration {
	if i := slices.IndexFunc(j.log, is); i >= 0 {
		return j.log[i].At
	}
	return notYet
}

// fault judges how one fault was found and put right.
func (j *judge) fault(c Case, guide Guide) Found {
	n := len(j.drill.Faults)
	f := Found{Fault: c.Fault, Cause: c.Cause, Acted: Span(notYet), Advice: c.Advice, Expert: guide.expert(c)}
	f.Named = Span(j.first(func(e Event) bool { return e.Kind == Answered && c.is(e.What) }))
	f.Found = f.Named
	t := j.truth(c.Fault)
	for _, d := range j.deeds {
		if c.helps(d, t) && d.outcome == carriedOutHarm && (d.fixed || t.Gone) {
			f.Acted, f.Action = Span(d.At), d.Title
			if f.Found < 0 || f.Acted < f.Found {
				f.Found = f.Acted
			}
			break
		}
	}
	f.State = state(c, t, f.Acted >= 0)
	if f.Found < 0 {
		j.out.Solved = false
		j.cost(MissedCosts/n, "not found: %s", c.Cause)
	}
	if f.State == StateLeft || f.State == StateUnknown {
		j.out.Solved = false
		j.cost(LeftCosts/n, "not put right: %s", c.Cause)
	}
	return f
}

// state says what became of a fault, by what the world shows.
func state(c Case, t Truth, acted bool) State {
	switch {
	case len(c.Remedies) == 0:
		return StateBeyond
	case !t.Known:
		return StateUnknown
	case !t.Gone:
		return StateLeft
	case acted:
		return StateRight
	}
	return StateItself
}

// helps tells whether an action is a remedy on the right target.
func (c Case) helps(d deed, t Truth) bool { return among(c.Remedies, d, t) }

func among(list []Remedy, d deed, t Truth) bool {
	return slices.ContainsFunc(list, func(r Remedy) bool {
		return r.Action == d.What && (r.Choice == "" || r.Choice == d.Choice) && r.On == d.Target.Kind && t.aims(d.Target)
	})
}

func (j *judge) truth(fault string) Truth {
	for _, t := range j.truths {
		if t.Fault == fault {
			return t
		}
	}
	return Truth{}
}

// answers judges what was named and is not so, and the hints.
func (j *judge) answers() {
	for _, e := range j.log {
		switch {
		case e.Kind == Hinted:
			j.out.Hints++
			j.cost(HintCosts, "a hint")
		case e.Kind == Answered && !j.right(e.What) && !slices.Contains(j.out.Wrong, e.What):
			j.out.Wrong = append(j.out.Wrong, e.What)
			j.cost(WrongCosts, "a wrong answer: %s", e.What)
		}
	}
}

func (j *judge) right(answer string) bool {
	if answer == Nothing {
		return len(j.drill.Faults) == 0
	}
	return slices.ContainsFunc(j.all(), func(c Case) bool { return c.is(answer) })
}

// all are the cases that are there, called about or not.
func (j *judge) all() []Case {
	return Drill{Faults: slices.Concat(j.drill.Faults, j.drill.Distractors)}.cases()
}

// steps tells what was looked at, and which of it shows nothing of the trouble.
func (j *judge) steps() {
	seen := map[string]bool{}
	for _, e := range j.log {
		if e.Kind != Looked {
			continue
		}
		j.out.Looks++
		if !seen[e.What] && !j.shows(e.What) {
			j.out.Aside = append(j.out.Aside, e.What)
		}
		seen[e.What] = true
	}
}

// shows tells whether a place has to do with one of the faults. Pages are opened
// from a row, so they are never beside the point; and where nothing is wrong one
// has to look everywhere to know it.
func (j *judge) shows(place string) bool {
	if strings.HasPrefix(place, PagePrefix) {
		return true
	}
	return len(j.drill.Faults) == 0 || slices.ContainsFunc(j.all(), func(c Case) bool {
		return slices.Contains(c.Panes, place) || place == string(c.Scenario)
	})
}

// PagePrefix begins the name of a page in the log, before its kind.
const PagePrefix = "page "

// actions judges what was done beside the remedies.
func (j *judge) actions() {
	for _, d := range j.deeds {
		why, useful := j.weigh(d)
		switch {
		case useful:
		case why == "" && d.outcome == carriedOutHarm:
			j.out.Unneeded = append(j.out.Unneeded, Deed{d.Title, Span(d.At), d.outcome, ""})
			j.cost(UnneededCosts, "not needed: %s", d.Title)
		case why != "":
			j.out.Unsafe = append(j.out.Unsafe, Deed{d.Title, Span(d.At), d.outcome, why})
			j.harm(d)
		}
	}
}

// harm costs by how far a harmful action came. To read the plan and cancel it is
// what the plan is for.
func (j *judge) harm(d deed) {
	switch d.outcome {
	case carriedOutHarm:
		j.cost(HarmCosts, "unsafe: %s", d.Title)
	case refusedHarm:
		j.cost(RefusedCosts, "unsafe, but refused: %s", d.Title)
	}
}

// weigh says why an action harms here, or that it is of use.
func (j *judge) weigh(d deed) (why string, useful bool) {
	all := j.all()
	helps := func(c Case) bool { return among(slices.Concat(c.Remedies, c.Eases), d, j.truth(c.Fault)) }
	if slices.Contains(quiet, d.What) || slices.ContainsFunc(all, helps) {
		return "", true
	}
	for _, c := range all {
		for _, h := range c.Harms {
			if h.Action == d.What && (h.Choice == "" || h.Choice == d.Choice) && j.truth(c.Fault).aims(d.Target) {
				return h.Why, false
			}
		}
	}
	return everywhere[d.What], false
}
