// Package playbook is the guide: playbooks as data, and the walkthrough that
// leads through one. The five scenarios are YAML files in this package
// (books/*.yaml), in the form that everybody can write; [Parse] checks it.
//
// A walkthrough only looks: its steps read through [Sources], which are
// read-only and bounded in time. What it offers to do goes through
// actions.Runner like every other action.
package playbook

// Playbook is one scenario.
type Playbook struct {
	Name    string   `yaml:"name"`              // "lock-conflicts"
	Title   string   `yaml:"title"`             // "Lock conflicts"
	When    []string `yaml:"when"`              // the symptoms, as users report them
	Section string   `yaml:"section,omitempty"` // of the incident playbook: "5"
	// Asks is "copy" where the steps say more about one copy; the walkthrough
	// then offers the affected ones, and runs without one too.
	Asks  string `yaml:"asks,omitempty"`
	Steps []Step `yaml:"steps"`
	// Causes are the rules that this walkthrough tells apart, as IDs of package
	// diagnosis. Their offers are the actions at the end.
	Causes []string `yaml:"causes,omitempty"`
	// Rules are causes of the playbook's own, judged all the time like built-in
	// ones, from facts alone.
	Rules    []OwnRule  `yaml:"rules,omitempty"`
	Actions  []Action   `yaml:"actions,omitempty"`  // beyond those that the causes offer, safest first
	Advice   []Advice   `yaml:"advice,omitempty"`   // what is outside the cockpit's reach
	Prevent  []string   `yaml:"prevent,omitempty"`  // preventive measures, for the report
	Escalate []Escalate `yaml:"escalate,omitempty"` // who else must know, and when

	Origin string `yaml:"-"` // "built in: lock-conflicts", or the path of the file
}

// Step is one page of the walkthrough. Steps are independent: the engine may
// run them side by side.
type Step struct {
	ID      string `yaml:"id"`
	Title   string `yaml:"title"`
	Section string `yaml:"section,omitempty"` // "5.2/1": section and step
	Why     string `yaml:"why"`               // what we look at and why, at most two lines of 76 cells
	Look    Look   `yaml:"look"`
	// Verdicts are tried in order; the first whose condition holds speaks. None
	// holds: the step is ok.
	Verdicts []Case `yaml:"verdicts,omitempty"`
	// ByHand is the equivalent command, to learn from or to paste, corrected for
	// the deployment; {copy} and other names are filled in.
	ByHand ByHand `yaml:"by_hand,omitempty"`
}

// Look is what a step reads. Exactly one is set, besides Filter and Args.
type Look struct {
	Pane    string   `yaml:"pane,omitempty"`    // a pane by its ID, with Filter
	Filter  string   `yaml:"filter,omitempty"`  // of the pane: as typed behind /
	Page    string   `yaml:"page,omitempty"`    // a page: "events", "copy {copy}", "trace {copy}"
	SQL     BySchema `yaml:"sql,omitempty"`     // one SELECT; Args are bound to $1, $2, …
	Args    []string `yaml:"args,omitempty"`    // of SQL: "{copy_id}" or a literal
	Logs    string   `yaml:"logs,omitempty"`    // a log query: "pattern:lock-conflict since:1h"
	Command []string `yaml:"command,omitempty"` // an argument array, run without a shell
	Causes  []string `yaml:"causes,omitempty"`  // findings of these rules, with their evidence
}

// BySchema is a text that differs with the names of the tables. A plain string
// in the file is for both.
type BySchema struct {
	Deployed string `yaml:"deployed"`
	Playbook string `yaml:"playbook"`
}

// ByHand likewise; Note says in a sentence what the incident playbook's own
// command gets wrong here.
type ByHand struct {
	Deployed string `yaml:"deployed,omitempty"`
	Playbook string `yaml:"playbook,omitempty"`
	Note     string `yaml:"note,omitempty"`
}

// Case is one possible verdict of a step.
type Case struct {
	When string  `yaml:"when"` // an expression over Facts, rows, found(rule) and alone(rule)
	Is   Verdict `yaml:"is"`
	Says string  `yaml:"says"`           // one sentence; {n} and other names are filled in
	Rule string  `yaml:"rule,omitempty"` // the cause that is found

	when *condition
}

// Verdict is what a step found out.
type Verdict string

// The verdicts. Unknown is a legal one.
const (
	OK         Verdict = "ok"
	Suspicious Verdict = "suspicious"
	Cause      Verdict = "cause"
	Unknown    Verdict = "unknown"
)

// Words are a verdict as people read it.
func (v Verdict) Words() string {
	switch v {
	case Cause:
		return "cause found"
	case Unknown:
		return "cannot know"
	}
	return string(v)
}

// OwnRule is a cause that a playbook judges by an expression over Facts.
type OwnRule struct {
	ID         string   `yaml:"id"`
	Title      string   `yaml:"title"`
	When       string   `yaml:"when"`
	Says       string   `yaml:"says"`
	Severity   string   `yaml:"severity"`   // "P0" to "P3"
	Confidence string   `yaml:"confidence"` // "possible", "likely", "certain"
	Explains   []string `yaml:"explains,omitempty"`
	Actions    []Action `yaml:"actions,omitempty"`

	when *condition
}

// Action is one that the end of a walkthrough offers.
type Action struct {
	ID          string `yaml:"action"`            // "force-unlock"
	On          string `yaml:"on"`                // kind of the target: "copy", "queue", "locks", …
	Target      string `yaml:"target,omitempty"`  // its ID: "{copy_id}", "celery"
	When        string `yaml:"when,omitempty"`    // an expression; "" always
	Why         string `yaml:"why"`               // one sentence
	Consequence string `yaml:"consequence"`       // one sentence
	Section     string `yaml:"section,omitempty"` // "5.4/2"

	when *condition
}

// Advice is an action of the playbook that the cockpit cannot take: it is
// shown with the exact text for this deployment, never as done.
type Advice struct {
	Title   string `yaml:"title"`
	Section string `yaml:"section,omitempty"`
	When    string `yaml:"when,omitempty"`
	Says    string `yaml:"says"`
	Text    ByHand `yaml:"text,omitempty"`

	when *condition
}

// Escalate is one rule of who else must know.
type Escalate struct {
	To   string `yaml:"to"`   // "Database Admin"
	When string `yaml:"when"` // an expression; true now: it is due
	Says string `yaml:"says"` // the rule in words

	when *condition
}
