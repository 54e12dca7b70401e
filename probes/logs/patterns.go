package logs

// Pattern is a search that an incident asks for, by name.
type Pattern struct {
	Name  string // "lock-conflict"
	Title string // "Lock conflicts"
	Finds string // one sentence: what it finds, and what it does not
	Query string // in the language of ParseQuery
}

// Patterns are the named searches, in the order in which they are listed.
func Patterns() []Pattern { return nil }
