package keys

// Default is the table as it ships. On a French keyboard [ ] { } \ | ~ # @ need
// AltGr, so nothing hangs on one of them alone.
func Default() Table {
	t, err := newTable(defaults())
	if err != nil {
		panic("keys: the default table is broken: " + err.Error()) // a test makes it first
	}
	return t
}

func defaults() []Binding {
	var all []Binding
	for _, group := range [][]Binding{around(), moving(InPane), onRows(), acting(), moving(InPage), inGuide(), moving(InGuide), inDialog()} {
		all = append(all, group...)
	}
	return all
}

func around() []Binding {
	at := func(id Command, short, help string, keys ...string) Binding {
		return Binding{ID: id, Keys: keys, Scope: Everywhere, Short: short, Help: help}
	}
	return []Binding{
		at(FocusNth, "pane", "focus a pane by its number", "1", "2", "3", "4", "5", "6", "7", "8", "9", "0"),
		at(NextPane, "next pane", "focus the next pane", "tab", "l", "right"),
		at(PrevPane, "previous pane", "focus the previous pane", "shift+tab", "h", "left"),
		at(Zoom, "full screen", "the focused pane alone, and back", "f", "z"),
		at(Back, "back", "one level back: close, clear the filter, clear the marks", "esc"),
		at(Palette, "command", "command line: every pane, copy and action by name", ":"),
		at(Guide, "walkthroughs", "what is wrong, and the walkthroughs that lead through it", "w"),
		at(Faster, "faster", "refresh faster", "+", "="),
		at(Slower, "slower", "refresh slower", "-"),
		at(Pause, "pause", "pause and go on", "ctrl+p"),
		at(Refresh, "refresh", "refresh now", "ctrl+r"),
		at(Help, "help", "help for what is on screen", "?", "f1"),
		at(Quit, "quit", "leave; asks while an action runs", "q", "ctrl+c"),
		at(Suspend, "suspend", "suspend, as every program in a shell", "ctrl+z"),
	}
}

func moving(scope Scope) []Binding {
	at := func(id Command, short, help string, keys ...string) Binding {
		return Binding{ID: id, Keys: keys, Scope: scope, Short: short, Help: help}
	}
	return []Binding{
		at(Down, "down", "one row down", "down", "j"),
		at(Up, "up", "one row up", "up", "k"),
		at(PageDown, "page down", "one page down", "pgdown", "ctrl+f"),
		at(PageUp, "page up", "one page up", "pgup", "ctrl+b"),
		at(HalfPageDown, "half page down", "half a page down; it scrolls, nothing else", "ctrl+d"),
		at(HalfPageUp, "half page up", "half a page up", "ctrl+u"),
		at(Top, "top", "first row", "g", "home"),
		at(Bottom, "bottom", "last row", "G", "end"),
	}
}

func onRows() []Binding {
	at := func(id Command, short, help string, keys ...string) Binding {
		return Binding{ID: id, Keys: keys, Scope: InPane, Short: short, Help: help}
	}
	return []Binding{
		at(Open, "open", "open the row on a page of its own", "enter"),
		at(Follow, "follow", "follow what the row names: its copy, request, task or session", "o"),
		at(Filter, "filter", "filter the pane as you type; ! in front inverts", "/"),
		at(NextMatch, "next match", "next match of the filter", "n"),
		at(PrevMatch, "previous match", "previous match of the filter", "N"),
		at(Mark, "mark", "mark the row; actions apply to the marked ones, as one plan", "space"),
		at(Menu, "actions", "every action on this row or pane, those not possible now with the reason", "a"),
		at(SortLeft, "sort left", "sort by the column to the left", "<"),
		at(SortRight, "sort right", "sort by the column to the right", ">"),
		at(SortFlip, "direction", "turn the sort direction round", "s"),
		at(Yank, "copy id", "copy the id under the cursor to the clipboard (OSC 52)", "y"),
	}
}

func acting() []Binding {
	at := func(id Command, key, short, help string) Binding {
		return Binding{ID: id, Keys: []string{key}, Scope: InPane, Short: short, Help: help, Acts: true, Action: string(id)}
	}
	undo := at(Undo, "Z", "undo", "undo the last action that can be undone")
	undo.Action = ""
	return []Binding{
		at(ForceUnlock, "U", "force-unlock", "force-unlock the copy"),
		at(ClearExpired, "C", "clear expired", "clear the expired locks"),
		at(Retry, "R", "retry", "retry the finalization or the import"),
		at(ReleaseLocked, "L", "give back", "give back a copy that is LOCKED without a lock"),
		at(Purge, "P", "purge", "purge a queue into a quarantine"),
		at(Restore, "B", "bring back", "bring back a purged queue"),
		at(Orphans, "O", "orphans", "restore what a killed worker left unacknowledged"),
		at(Poison, "K", "remove poison", "remove a message that kills workers"),
		at(Revoke, "X", "revoke", "revoke a task that has not begun"),
		at(Terminate, "T", "terminate", "terminate a running task"),
		at(Ping, "I", "ping", "ping the worker"),
		at(Restart, "W", "restart", "restart the worker through its supervisor"),
		at(CancelQuery, "Q", "cancel query", "cancel what a database session runs"),
		at(EndSession, "D", "disconnect", "disconnect a database session"),
		at(Analyze, "E", "explain analyze", "run the statement once in a read-only transaction to measure its plan"),
		undo,
	}
}

func inGuide() []Binding {
	at := func(id Command, short, help string, keys ...string) Binding {
		return Binding{ID: id, Keys: keys, Scope: InGuide, Short: short, Help: help}
	}
	return []Binding{
		at(NextStep, "next", "next step; at the end enter shows the plan of the chosen action, which asks first", "enter", "right", "tab", "l"),
		at(PrevStep, "previous", "previous step", "left", "shift+tab", "p"),
		at(ToEnd, "end", "the conclusion: causes, and the actions that fit", "e"),
		at(Rerun, "again", "look again at this step", "r", "ctrl+r"),
		at(Skip, "skip", "skip this step; again: do not", "s"),
		at(Note, "note", "a note on this step; it goes into the hand-over", "n"),
		at(ByHand, "by hand", "the whole command by hand, and back", "v"),
		at(Yank, "copy command", "copy the command by hand to the clipboard", "y"),
		at(Follow, "follow", "go to the pane or page that the step looked at; at the end to the evidence", "o"),
		at(PickCopy, "copy", "choose the copy that the steps look at", "c"),
		at(HandOver, "hand over", "all of it as text for the next responder; also saved to a file", "x"),
	}
}

func inDialog() []Binding {
	at := func(id Command, short, help string, keys ...string) Binding {
		return Binding{ID: id, Keys: keys, Scope: InDialog, Short: short, Help: help}
	}
	return []Binding{
		at(Confirm, "yes", "confirm, where one key is enough", "y"),
		at(Cancel, "cancel", "cancel; nothing has been written", "esc", "ctrl+c"),
		at(Submit, "go on", "go on once the asked word is typed; alone it confirms nothing", "enter"),
		at(NextField, "next field", "next field or choice", "tab", "down"),
		at(PrevField, "previous field", "previous field or choice", "shift+tab", "up"),
		at(Refresh, "read again", "read again what the plan is about", "ctrl+r"),
		at(Statements, "statements", "show the exact statements of the plan", "ctrl+t"),
		at(PageDown, "scroll down", "scroll the text down", "pgdown"),
		at(PageUp, "scroll up", "scroll the text up", "pgup"),
	}
}
