package playbook

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/goccy/go-yaml/ast"

	"gradecockpit/probes/clean"
	"gradecockpit/probes/diagnosis"
	"gradecockpit/probes/logs"
)

// Catalogue names what a playbook may refer to. An empty list is not checked.
type Catalogue struct {
	Panes, Pages, Actions, Rules []string
}

// The bounds of a playbook: what fits on the smallest screen that works, 80x24.
const (
	whyLines  = 2
	whyWidth  = 76
	mostSteps = 20
)

// mostProblems is how many mistakes are told: finding the place of one goes
// through the whole file.
const mostProblems = 200

// checker gathers every mistake of one playbook.
type checker struct {
	book     *Playbook
	file     *ast.File
	cat      Catalogue
	problems []Problem
}

func (c *checker) wrong(path, format string, args ...any) {
	if len(c.problems) >= mostProblems {
		return
	}
	line, column := where(c.file, path)
	if line == 0 { // the key is not there: say it at what should hold it
		if at := strings.LastIndexAny(path, ".["); at > 1 {
			line, column = where(c.file, path[:at])
		}
	}
	if line == 0 {
		line, column = 1, 1
	}
	c.add(line, column, fmt.Sprintf(format, args...))
}

func (c *checker) add(line, column int, says string) {
	if len(c.problems) >= mostProblems {
		return
	}
	c.problems = append(c.problems, Problem{c.book.Origin, line, column, clean.Text(says)})
}

func (c *checker) need(path, value string) {
	if strings.TrimSpace(value) == "" {
		c.wrong(path, "%s is missing", path[strings.LastIndex(path, ".")+1:])
	}
}

var kebab = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

func (c *checker) name(path, value string) {
	if !kebab.MatchString(value) {
		c.wrong(path, "%q: a name has lower-case letters, digits and hyphens", value)
	}
}

func (c *checker) known(path, what, value string, list []string) {
	if len(list) > 0 && !slices.Contains(list, value) {
		c.wrong(path, "there is no %s %q", what, value)
	}
}

// rule accepts the rules of the program and the playbook's own.
func (c *checker) rule(path, id string) {
	if !slices.ContainsFunc(c.book.Rules, func(r OwnRule) bool { return r.ID == id }) {
		c.known(path, "cause", id, c.cat.Rules)
	}
}

func (c *checker) check() {
	b := c.book
	c.name("$.name", b.Name)
	c.need("$.title", b.Title)
	if b.Asks != "" && b.Asks != "copy" {
		c.wrong("$.asks", "a playbook asks for \"copy\" or for nothing")
	}
	if len(b.Steps) == 0 && len(b.Rules) == 0 || len(b.Steps) > mostSteps {
		c.wrong("$.steps", "a playbook has steps, and at most %d", mostSteps)
	}
	seen := map[string]bool{}
	for i := range b.Steps {
		s, path := &b.Steps[i], fmt.Sprintf("$.steps[%d]", i)
		if c.name(path+".id", s.ID); seen[s.ID] {
			c.wrong(path+".id", "two steps are called %q", s.ID)
		}
		seen[s.ID] = true
		c.step(path, s)
	}
	for i, id := range b.Causes {
		c.rule(fmt.Sprintf("$.causes[%d]", i), id)
	}
	c.ends()
}

func (c *checker) step(path string, s *Step) {
	c.need(path+".title", s.Title)
	c.need(path+".why", s.Why)
	lines := strings.Split(strings.TrimSpace(s.Why), "\n")
	if len(lines) > whyLines {
		c.wrong(path+".why", "why has %d lines; %d fit on a small screen", len(lines), whyLines)
	}
	for _, l := range lines {
		if w := ansi.StringWidth(l); w > whyWidth {
			c.wrong(path+".why", "a line of %d cells; %d fit on a small screen", w, whyWidth)
		}
	}
	c.look(path+".look", &s.Look)
	for i := range s.Verdicts {
		k, at := &s.Verdicts[i], fmt.Sprintf("%s.verdicts[%d]", path, i)
		k.when = c.condition(at+".when", k.When, withTable)
		if !slices.Contains([]Verdict{OK, Suspicious, Cause, Unknown}, k.Is) {
			c.wrong(at+".is", "%q: a verdict is ok, suspicious, cause or unknown", k.Is)
		}
		c.need(at+".says", k.Says)
		c.placeholders(at+".says", k.Says)
		if k.Rule != "" {
			c.rule(at+".rule", k.Rule)
		}
	}
}

// look has one source, and each source its own conditions.
func (c *checker) look(path string, l *Look) {
	n := 0
	for _, set := range []bool{l.Pane != "", l.Page != "", l.SQL != BySchema{}, l.Logs != "", len(l.Command) > 0, len(l.Causes) > 0} {
		if set {
			n++
		}
	}
	if n != 1 {
		c.wrong(path, "a look has one of pane, page, sql, logs, command and causes; this has %d", n)
		return
	}
	switch {
	case l.Pane != "":
		c.known(path+".pane", "pane", l.Pane, c.cat.Panes)
		c.placeholders(path+".filter", l.Filter)
	case l.Page != "":
		kind, _, _ := strings.Cut(l.Page, " ")
		c.known(path+".page", "page", kind, c.cat.Pages)
		c.placeholders(path+".page", l.Page)
	case l.SQL != BySchema{}:
		c.sql(path+".sql", l)
	case l.Logs != "":
		c.placeholders(path+".logs", l.Logs)
		if inside := glued.FindString(l.Logs); inside != "" {
			c.wrong(path+".logs", "%s: a name that is filled in stands alone, without quotes or slashes in the query", inside)
		}
		if _, err := logs.ParseQuery(fillAny(l.Logs), time.Unix(0, 0), time.UTC); err != nil {
			c.wrong(path+".logs", "%v", err)
		}
	case len(l.Command) > 0:
		c.command(path+".command", l.Command)
	case len(l.Causes) > 0:
		for i, id := range l.Causes {
			c.rule(fmt.Sprintf("%s.causes[%d]", path, i), id)
		}
	}
}

var reads = regexp.MustCompile(`(?is)^\s*(select|with|values|table)\b`)

func (c *checker) sql(path string, l *Look) {
	for _, text := range []string{l.SQL.Deployed, l.SQL.Playbook} {
		text = strings.TrimSpace(text)
		switch {
		case text == "":
		case !reads.MatchString(text):
			c.wrong(path, "a look only reads: SELECT, WITH, VALUES or TABLE")
		case strings.Contains(strings.TrimSuffix(text, ";"), ";"):
			c.wrong(path, "one statement, without a semicolon inside")
		case named.MatchString(text):
			c.wrong(path, "%s: values are bound by args to $1, $2, …; they are never pasted into SQL", named.FindString(text))
		}
	}
	for i, a := range l.Args {
		c.placeholders(fmt.Sprintf("$%s.args[%d]", strings.TrimPrefix(strings.TrimSuffix(path, ".sql"), "$"), i), a)
	}
}

// ends checks what stands at the end of a walkthrough.
func (c *checker) ends() {
	b := c.book
	for i := range b.Rules {
		r, path := &b.Rules[i], fmt.Sprintf("$.rules[%d]", i)
		c.name(path+".id", r.ID)
		c.need(path+".title", r.Title)
		c.need(path+".says", r.Says)
		c.need(path+".when", r.When)
		r.when = c.condition(path+".when", r.When, factsOnly)
		if _, ok := severities[r.Severity]; !ok {
			c.wrong(path+".severity", "%q: a severity is P0, P1, P2 or P3", r.Severity)
		}
		if _, ok := confidences[r.Confidence]; !ok {
			c.wrong(path+".confidence", "%q: a confidence is possible, likely or certain", r.Confidence)
		}
		if len(c.cat.Rules) > 0 && slices.Contains(c.cat.Rules, r.ID) {
			c.wrong(path+".id", "%q is a cause of the program's own", r.ID)
		}
		for j, id := range r.Explains {
			c.rule(fmt.Sprintf("%s.explains[%d]", path, j), id)
		}
		c.actions(path+".actions", r.Actions, factsOnly)
		for j, a := range r.Actions {
			if named.MatchString(a.Target) {
				c.wrong(fmt.Sprintf("%s.actions[%d].target", path, j), "a cause is judged all the time and knows no chosen copy: name the target as it is")
			}
		}
	}
	c.actions("$.actions", b.Actions, plain)
	for i := range b.Advice {
		a, path := &b.Advice[i], fmt.Sprintf("$.advice[%d]", i)
		c.need(path+".title", a.Title)
		c.need(path+".says", a.Says)
		a.when = c.condition(path+".when", a.When, plain)
	}
	for i := range b.Escalate {
		e, path := &b.Escalate[i], fmt.Sprintf("$.escalate[%d]", i)
		c.need(path+".to", e.To)
		c.need(path+".says", e.Says)
		c.need(path+".when", e.When)
		e.when = c.condition(path+".when", e.When, plain)
	}
}

func (c *checker) actions(path string, list []Action, s scope) {
	for i := range list {
		a, at := &list[i], fmt.Sprintf("%s[%d]", path, i)
		c.known(at+".action", "action", a.ID, c.cat.Actions)
		c.need(at+".on", a.On)
		c.need(at+".why", a.Why)
		c.need(at+".consequence", a.Consequence)
		c.placeholders(at+".target", a.Target)
		a.when = c.condition(at+".when", a.When, s)
	}
}

// condition compiles an expression; "" always holds.
func (c *checker) condition(path, text string, s scope) *condition {
	cond, err := compile(text, s)
	if err != nil {
		c.wrong(path, "%v", err)
		return nil
	}
	for _, id := range surveyOf(text).rules {
		c.rule(path, id)
	}
	return cond
}

func (c *checker) placeholders(path, text string) {
	for _, m := range named.FindAllStringSubmatch(text, -1) {
		if !slices.Contains(fillable, m[1]) {
			c.wrong(path, "{%s} is no name that is filled in; there are %s", m[1], strings.Join(fillable, ", "))
		}
	}
}

var (
	severities  = map[string]diagnosis.Severity{"P0": diagnosis.P0, "P1": diagnosis.P1, "P2": diagnosis.P2, "P3": diagnosis.P3}
	confidences = map[string]diagnosis.Confidence{"possible": diagnosis.Possible, "likely": diagnosis.Likely, "certain": diagnosis.Certain}
)
