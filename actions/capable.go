package actions

import "gradecockpit/probes"

// Capable is an action that can tell without a target whether this
// installation and our rights let it work at all; doctor asks it.
type Capable interface {
	// Impossible says why not, in a sentence, with the GRANT or setting that is
	// missing; "" when it can work.
	Impossible(set probes.Set) string
}

// Impossible says why an action can never be planned here; "" when it can, on
// the right target.
func (r *Runner) Impossible(set probes.Set, actionID string) string {
	a, ok := r.Find(actionID)
	switch {
	case !ok:
		return "There is no action called " + actionID + "."
	case r.cfg.ReadOnly != "":
		return "Nothing may be written: " + r.cfg.ReadOnly + "."
	}
	if c, ok := a.(Capable); ok {
		return c.Impossible(set)
	}
	return ""
}
