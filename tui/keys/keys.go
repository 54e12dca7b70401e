// Package keys holds every key binding once: dispatch, the footer, the help
// and the README's table all come from this table.
//
// Two rules hold for the defaults and for every remapping. Lower case looks,
// upper case acts: an action starts with a capital letter and with nothing
// else. And a key that confirms never starts an action.
package keys

import "slices"

// Command is what a key asks for.
type Command string

// The commands. Those from Act on start an action.
const (
	None Command = ""

	FocusNth Command = "focus" // which one: Binding.Nth
	NextPane Command = "next-pane"
	PrevPane Command = "previous-pane"
	Zoom     Command = "full-screen"
	Back     Command = "back"
	Palette  Command = "command-line"
	Faster   Command = "faster"
	Slower   Command = "slower"
	Pause    Command = "pause"
	Refresh  Command = "refresh"
	Help     Command = "help"
	Quit     Command = "quit"
	Suspend  Command = "suspend"

	Up           Command = "up"
	Down         Command = "down"
	PageUp       Command = "page-up"
	PageDown     Command = "page-down"
	HalfPageUp   Command = "half-page-up"
	HalfPageDown Command = "half-page-down"
	Top          Command = "top"
	Bottom       Command = "bottom"

	Open      Command = "open"
	Filter    Command = "filter"
	NextMatch Command = "next-match"
	PrevMatch Command = "previous-match"
	Mark      Command = "mark"
	Menu      Command = "menu"
	SortLeft  Command = "sort-left"
	SortRight Command = "sort-right"
	SortFlip  Command = "sort-direction"
	Yank      Command = "yank"
	Follow    Command = "follow"

	Guide    Command = "walkthroughs"
	NextStep Command = "next-step"
	PrevStep Command = "previous-step"
	Skip     Command = "skip-step"
	Rerun    Command = "look-again"
	Note     Command = "note"
	HandOver Command = "hand-over"
	ToEnd    Command = "conclusion"
	ByHand   Command = "by-hand"
	PickCopy Command = "choose-copy"

	Confirm    Command = "confirm"
	Cancel     Command = "cancel"
	Submit     Command = "submit"
	Statements Command = "statements"
	NextField  Command = "next-field"
	PrevField  Command = "previous-field"

	ForceUnlock   Command = "force-unlock"
	ClearExpired  Command = "clear-expired"
	Retry         Command = "retry"
	ReleaseLocked Command = "release-locked"
	Purge         Command = "purge"
	Restore       Command = "restore"
	Orphans       Command = "restore-orphans"
	Poison        Command = "remove-poison"
	Revoke        Command = "revoke"
	Terminate     Command = "terminate"
	Ping          Command = "ping"
	Restart       Command = "restart"
	CancelQuery   Command = "cancel-query"
	EndSession    Command = "end-session"
	Analyze       Command = "explain-analyze"
	Undo          Command = "undo"
)

// Scope is where a key lives.
type Scope string

// A pane and a page (help, one copy, a list to pick from) also take the keys of
// Everywhere; a dialog takes its own only. A walkthrough takes both, and its own
// come first: what moves between panes elsewhere moves between steps there.
const (
	Everywhere Scope = "everywhere"
	InPane     Scope = "pane"
	InPage     Scope = "page"
	InGuide    Scope = "walkthrough"
	InDialog   Scope = "dialog"
)

// Scopes lists them in the order of the documentation.
func Scopes() []Scope { return []Scope{Everywhere, InPane, InPage, InGuide, InDialog} }

// reaches are the scopes whose keys work in a scope, its own first.
func reaches(s Scope) []Scope {
	switch s {
	case InDialog, Everywhere:
		return []Scope{s}
	}
	return []Scope{s, Everywhere}
}

// Binding is one command with its keys, written as Bubble Tea names them.
type Binding struct {
	ID    Command
	Keys  []string
	Scope Scope
	Short string // for the footer: "force-unlock"
	Help  string // for the help and the README
	Acts  bool   // starts an action
	// Action is the ID of the action it starts; "" for undo, which asks the
	// journal which one.
	Action string
}

// Nth is the place of a key among the binding's keys, from 0; -1: not one of them.
func (b Binding) Nth(key string) int { return slices.Index(b.Keys, key) }

// Label is the first key as the footer shows it: "↑", "U", "ctrl+r".
func (b Binding) Label() string {
	if len(b.Keys) == 0 {
		return ""
	}
	return Label(b.Keys[0])
}

// Table is a set of bindings without collisions.
type Table struct {
	bindings []Binding
	find     map[Scope]map[string]int
}

// All gives the bindings in the order of the documentation. The slice is the
// caller's.
func (t Table) All() []Binding { return slices.Clone(t.bindings) }

// Find gives the binding of a key in a scope. key is what KeyPressMsg.String()
// says.
func (t Table) Find(scope Scope, key string) (Binding, bool) {
	for _, s := range reaches(scope) {
		if i, ok := t.find[s][key]; ok {
			return t.bindings[i], true
		}
	}
	return Binding{}, false
}

// Of gives the first binding of a command; a command that lives in two scopes
// has the same keys in both unless it is remapped.
func (t Table) Of(id Command) (Binding, bool) {
	i := slices.IndexFunc(t.bindings, func(b Binding) bool { return b.ID == id })
	if i < 0 {
		return Binding{}, false
	}
	return t.bindings[i], true
}

// ForAction gives the binding that starts an action.
func (t Table) ForAction(action string) (Binding, bool) {
	i := slices.IndexFunc(t.bindings, func(b Binding) bool { return b.Acts && b.Action == action })
	if action == "" || i < 0 {
		return Binding{}, false
	}
	return t.bindings[i], true
}

// In gives the bindings that work in a scope, its own first, each with the keys
// that reach it there.
func (t Table) In(scope Scope) []Binding {
	var out []Binding
	for _, s := range reaches(scope) {
		for i, b := range t.bindings {
			if b.Scope == s {
				b.Keys = slices.DeleteFunc(slices.Clone(b.Keys), func(k string) bool { return !t.reached(scope, k, i) })
				if len(b.Keys) > 0 {
					out = append(out, b)
				}
			}
		}
	}
	return out
}

// reached tells whether a key in a scope is the i-th binding's.
func (t Table) reached(scope Scope, key string, i int) bool {
	for _, s := range reaches(scope) {
		if j, ok := t.find[s][key]; ok {
			return j == i
		}
	}
	return false
}
