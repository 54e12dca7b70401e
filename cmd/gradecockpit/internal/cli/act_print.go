package cli

import (
	"fmt"
	"io"
	"strings"

	"gradecockpit/actions"
	"gradecockpit/probes/clean"
)

// show prints a plan that nobody has confirmed.
func (o *options) show(p actions.Plan, format string) error {
	if format == "json" {
		return printJSON(o.streams.Out, planData(p))
	}
	if _, err := io.WriteString(o.streams.Out, planText(p)); err != nil {
		return err
	}
	fmt.Fprintln(o.streams.Err, "gradecockpit: nothing has been written; to run it add "+ask(p))
	return nil
}

// ask says which flags confirm a plan.
func ask(p actions.Plan) string {
	if p.Risk == actions.High {
		return fmt.Sprintf("--yes --reason \"…\" --confirm %q", p.Word)
	}
	return "--yes --reason \"…\""
}

// planText is a plan for people.
func planText(p actions.Plan) string {
	var b strings.Builder
	line := func(format string, args ...any) { b.WriteString(clean.Text(fmt.Sprintf(format, args...)) + "\n") }
	line("%s (risk: %s)", p.Title, p.Risk)
	for _, s := range p.Says {
		line("  %s", s)
	}
	for _, s := range p.Warnings {
		line("! %s", s)
	}
	for _, s := range p.Steps {
		line("> %s", strings.TrimSpace(s.Verb+" "+s.Object+": "+s.Detail))
	}
	for _, c := range p.Choices {
		inForce := ""
		if c.ID == p.Choice {
			inForce = ", as planned here"
		}
		line("  --choice %s: %s%s", c.ID, c.Title, inForce)
	}
	if p.StopsIf != "" {
		line("  %s", p.StopsIf)
	}
	if p.Undo != "" {
		line("  Way back: %s", p.Undo)
	}
	return b.String()
}

// planData is a plan for programs.
func planData(p actions.Plan) map[string]any {
	choices := []map[string]any{}
	for _, c := range p.Choices {
		choices = append(choices, map[string]any{"id": c.ID, "title": c.Title})
	}
	steps := []map[string]any{}
	for _, s := range p.Steps {
		steps = append(steps, map[string]any{"verb": s.Verb, "object": s.Object, "detail": s.Detail, "statement": s.Statement, "args": orNone(s.Args)})
	}
	return map[string]any{
		"action": p.Action, "title": p.Title, "target": p.Target.ID, "risk": p.Risk.String(), "confirm": p.Word,
		"says": orNone(p.Says), "warnings": orNone(p.Warnings), "steps": steps, "stops_if": p.StopsIf, "undo": p.Undo,
		"choices": choices, "choice": p.Choice, "seen": p.Seen,
	}
}

// orNone is an empty list rather than null.
func orNone(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

// printVerdict prints how an action ended, for people.
func printVerdict(w io.Writer, r actions.Result) error {
	v := r.Verdict
	lines := []string{string(v.Kind) + ": " + v.Says}
	add := func(sign string, list []string) {
		for _, s := range list {
			lines = append(lines, sign+" "+s)
		}
	}
	add("  did:", r.Effect.Did)
	add("  left alone:", r.Effect.Skip)
	add("  -", v.Evidence)
	if v.Next != "" {
		lines = append(lines, "  next: "+v.Next)
	}
	for _, s := range lines {
		if _, err := fmt.Fprintln(w, clean.Text(s)); err != nil {
			return err
		}
	}
	return nil
}

// printVerdictJSON prints it for programs. The way back may hold lock tokens
// and stays in the journal.
func printVerdictJSON(w io.Writer, r actions.Result) error {
	return printJSON(w, map[string]any{
		"id": r.Plan.ID, "action": r.Plan.Action, "title": r.Plan.Title, "target": r.Plan.Target.ID,
		"verdict": string(r.Verdict.Kind), "says": r.Verdict.Says, "evidence": orNone(r.Verdict.Evidence), "next": r.Verdict.Next,
		"did": orNone(r.Effect.Did), "left_alone": orNone(r.Effect.Skip), "values": r.Effect.Values,
	})
}
