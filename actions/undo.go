package actions

import "fmt"

// Undoable gives the newest effect that can be taken back, as the action and
// target to plan, with its title for the menu. What was taken back already is
// passed over.
func (r *Runner) Undoable() (actionID string, t Target, title string, ok bool) {
	records, err := r.cfg.Journal.Records()
	if err != nil {
		return "", Target{}, "", false
	}
	undone := map[string]bool{}
	for i := len(records) - 1; i >= 0; i-- {
		rec := records[i]
		if rec.Env != r.cfg.Env || (rec.Kind != Outcome && rec.Kind != Executed) {
			continue
		}
		if rec.Undo != nil && !undone[key(rec.Undo.Action, rec.Undo.Target)] {
			return rec.Undo.Action, rec.Undo.Target, "Undo: " + rec.Title, true
		}
		if len(rec.Did) > 0 {
			undone[key(rec.Action, rec.Target)] = true
		}
	}
	return "", Target{}, "", false
}

func key(action string, t Target) string {
	return action + " " + string(t.Kind) + " " + t.ID
}

// named gives the record that an OnRecord target names: the newest that tells
// what was executed.
func (r *Runner) named(t Target) (*Record, error) {
	if t.Kind != OnRecord {
		return nil, nil
	}
	records, err := r.cfg.Journal.Records()
	if err != nil {
		return nil, fmt.Errorf("find action %s: %w", t.ID, err)
	}
	for i := len(records) - 1; i >= 0; i-- {
		rec := records[i]
		if rec.ActionID == t.ID && rec.Env == r.cfg.Env && (rec.Kind == Outcome || rec.Kind == Executed) {
			return &rec, nil
		}
	}
	return nil, &Refusal{Why: "The journal knows no action " + t.ID + "."}
}
