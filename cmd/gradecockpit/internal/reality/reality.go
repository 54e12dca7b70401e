// Package reality holds the incident playbook against the system that is here:
// which of its diagnosis steps and actions run as they are written, which only
// when they are rewritten, and which cannot be taken at all. It judges by what
// the probes saw - columns, queues, metrics, logs, the machine - one need of a
// step at a time, and never by a name for the whole installation.
package reality

import (
	"errors"
	"regexp"
	"slices"
	"strings"

	"gradecockpit/actions/playbook"
	"gradecockpit/probes"
	"gradecockpit/probes/grading"
)

// Outcome says what becomes of a step here.
type Outcome string

// The outcomes, the better ones first. Unknown is a legal one: a source that
// was not read tells nothing.
const (
	AsWritten  Outcome = "runs as written"
	Rewritten  Outcome = "runs rewritten"
	Unknown    Outcome = "cannot be judged"
	Impossible Outcome = "impossible here"
)

var ranks = []Outcome{AsWritten, Rewritten, Unknown, Impossible}

// Line is one step or action of the incident playbook.
type Line struct {
	Section string  `json:"section"` // "3.2/1": section and step or action
	Title   string  `json:"title"`
	Outcome Outcome `json:"outcome"`
	Why     string  `json:"why,omitempty"` // sentences; "" where nothing has to be said
	How     string  `json:"how,omitempty"` // how it runs rewritten
}

// Here is what is known of the system.
type Here struct {
	Set   probes.Set
	Books []*playbook.Playbook // where the rewritten commands come from
	// Names fill in the commands: "log_dir". A copy has a word in capitals for it.
	Names map[string]string
	// Metrics is the configured address of the application's metrics, Token
	// whether one is sent, Restart the configured command that restarts workers.
	Metrics string
	Token   bool
	Restart string
	// Holds tells whether the logs hold a record that a query finds.
	Holds func(query string) (bool, error)
}

// verdict is what one need of a step comes to.
type verdict struct {
	outcome Outcome
	why     string
}

var fine = verdict{outcome: AsWritten}

func as(o Outcome, why string) verdict { return verdict{o, why} }

// need is one thing that a step takes for granted.
type need func(*Here) verdict

// step is a step or action of the incident playbook with all it takes for granted.
type step struct {
	section, title string
	needs          []need
}

// Judge goes through all diagnosis steps and actions, in the playbook's order.
func Judge(h Here) []Line {
	var out []Line
	for _, s := range all() {
		v := s.judge(&h)
		line := Line{Section: s.section, Title: s.title, Outcome: v.outcome, Why: v.why}
		if v.outcome == Rewritten {
			line.How = h.text(find(h.Books, s.section))
		}
		out = append(out, line)
	}
	return out
}

// all lists the steps in the playbook's order.
func all() []step {
	out := slices.Concat(importSteps(), finalizationSteps(), lockSteps(), latencySteps(), auditSteps())
	return out
}

// judge gives the worst of what its needs come to, with the reasons for that.
func (s step) judge(h *Here) verdict {
	worst, why := AsWritten, []string(nil)
	for _, n := range s.needs {
		v := n(h)
		switch r := slices.Index(ranks, v.outcome) - slices.Index(ranks, worst); {
		case r > 0:
			worst, why = v.outcome, []string{v.why}
		case r == 0 && v.why != "" && !slices.Contains(why, v.why):
			why = append(why, v.why)
		}
	}
	return verdict{worst, strings.TrimSpace(strings.Join(why, " "))}
}

// find looks a section up in the walkthroughs: steps first, then advice.
func find(books []*playbook.Playbook, section string) playbook.ByHand {
	for _, b := range books {
		for _, s := range b.Steps {
			if s.Section == section {
				return s.ByHand
			}
		}
		for _, a := range b.Advice {
			if a.Section == section {
				return a.Text
			}
		}
	}
	return playbook.ByHand{}
}

// text is the command that fits the names of the tables, filled in. Where they
// are mixed or not known it is the deployed system's, and also where the other
// one wants a log folder that there is not.
func (h *Here) text(b playbook.ByHand) string {
	fill := []string{"{copy_id}", "COPY_ID", "{copy}", "COPY"}
	for name, value := range h.Names {
		if value != "" {
			fill = append(fill, "{"+name+"}", value)
		}
	}
	filled := strings.NewReplacer(fill...)
	if s := h.schema(); s != nil && s.Dialect == grading.Playbook && b.Playbook != "" {
		if text := filled.Replace(b.Playbook); !unfilled.MatchString(text) {
			return strings.TrimSpace(text)
		}
	}
	return strings.TrimSpace(filled.Replace(b.Deployed))
}

// unfilled is a name that nothing was put in for.
var unfilled = regexp.MustCompile(`\{[a-z_]+\}`)

// schema is what was found of the tables; nil when the database was not read.
func (h *Here) schema() *grading.Schema {
	ov, snap, ok := probes.Of[grading.Overview](h.Set, grading.ID)
	if !ok || snap.Err != nil {
		return nil
	}
	return ov.Schema
}

// unread says why a probe cannot be asked.
func (h *Here) unread(id probes.ID, name string) verdict {
	s := h.Set.Get(id)
	if s.Err != nil {
		return as(Unknown, name+" cannot be read: "+reason(s.Err))
	}
	return as(Unknown, name+" has not been read.")
}

// reason is why a source cannot be asked; one that nobody named has no cause but
// a setting.
func reason(err error) string {
	says := probes.Brief(err)
	var e *probes.Error
	if says == "" && errors.As(err, &e) {
		says = strings.TrimSpace(e.Op + ". " + e.Next)
	}
	return strings.TrimRight(says, ".") + "."
}
