package playbook

// harms orders the actions by what they can do besides helping, as their plans
// and confirmations have it: what stands first is offered first.
var harms = [][]string{
	// Change nothing of the grading system.
	{"ping", "events-on", "events-off", "explain-analyze"},
	// Take away only what holds nothing any more, or put back what was there.
	{"clear-expired", "restore-orphans", "remove-poison", "consume", "add-event"},
	// Change one copy, task or session; somebody may lose a moment's work.
	{"release-locked", "relock", "force-unlock", "remove-event", "retry", "revoke", "cancel-query", "pool-grow", "rate-limit"},
	// Stop what runs.
	{"restore", "terminate", "end-session", "pool-shrink", "stop-consuming", "restart"},
	// Cannot simply be had back.
	{"shutdown", "purge"},
}

// harm is the place of an action in that order; one that is not known stands
// before those that stop something.
func harm(action string) int {
	for i, list := range harms {
		for _, a := range list {
			if a == action {
				return i
			}
		}
	}
	return 2
}
