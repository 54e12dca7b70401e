package activity

import (
	"slices"
	"strings"

	"gradecockpit/probes/clean"
	"gradecockpit/probes/internal/lazy"
)

// oneLine makes a query fit for a row: blanks folded, secrets left out.
func oneLine(text string) string {
	return clean.Capped(clean.SQL(strings.Join(strings.Fields(text), " ")), shortText)
}

var (
	uuid = lazy.Regexp(`(?i)[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
	// beforeCopy is what stands before the id of a copy: a column that refers to
	// one, or the id of the table of copies.
	beforeCopy = lazy.Regexp(`(?i)(copy_id"?|exams_copy"?\."?id"?)\s*(=|in)\s*[('{a-z:\s]*$`)
	plainID    = lazy.Regexp(`(?i)(^|[^.\w"])"?id"?\s*(=|in)\s*[('{a-z:\s]*$`)
	ofCopies   = lazy.Regexp(`(?i)\b(from|update|into)\s+(only\s+)?("?\w+"?\.)?"?exams_copy"?(\s|$)`)
)

// copiesIn finds the ids of copies in the text of a query. Its values are in
// the text as Django's driver sends them; where they are bound apart, the text
// has $1 and names nobody.
func copiesIn(text string) []string {
	var out []string
	main := ofCopies().MatchString(text)
	for _, at := range uuid().FindAllStringIndex(text, 20) {
		before := text[max(at[0]-60, 0):at[0]]
		id := strings.ToLower(text[at[0]:at[1]])
		if !slices.Contains(out, id) && (beforeCopy().MatchString(before) || main && plainID().MatchString(before)) {
			out = append(out, id)
		}
	}
	return out
}

var updates = lazy.Regexp(`(?i)^\W*update\b`)

// finalizes judges whether a transaction is a finalization in flight. The
// application sets GRADING_IN_PROGRESS first and renders for seconds with the
// transaction open; other sessions still see the old row. Once it has read the
// copy's pages, only the copy's id is left in the text, which is a guess.
func finalizes(s Session, text string) Sureness {
	switch {
	case !s.InTx() || s.State == Aborted:
		return No
	case strings.Contains(text, "GRADING_IN_PROGRESS") && updates().MatchString(text):
		return Yes
	case s.Kind == Application && s.State == IdleTx && s.Wrote && len(s.Copies) > 0:
		return Perhaps
	}
	return No
}

// lockWords says what kind of lock is waited for.
var lockWords = map[string]string{
	"relation": "table", "extend": "growing a table", "page": "page", "tuple": "row", "transactionid": "row",
	"virtualxid": "another transaction's end", "advisory": "advisory lock", "object": "database object",
	"userlock": "user lock", "spectoken": "insert in doubt", "frozenid": "vacuum", "applytransaction": "replication",
}

// waits puts the wait event into words; "" when the session does not wait or
// only waits for its client, as everything idle does.
func waits(s Session, table string, row bool) string {
	event := clean.Text(s.WaitEvent)
	switch s.WaitType {
	case "":
		if len(s.BlockedBy) == 0 {
			return ""
		}
		return lockOn("", table, row) // the event is hidden
	case "Lock":
		return lockOn(s.WaitEvent, table, row)
	case "Client":
		if s.State == Active {
			return "its client: " + event
		}
		return ""
	case "IO":
		return "disk: " + event
	case "LWLock", "BufferPin":
		return "inside PostgreSQL: " + event
	case "IPC":
		return "another process: " + event
	case "Timeout":
		return "a timer: " + event
	case "Extension":
		return "an extension: " + event
	case "Activity":
		return "" // a helper with nothing to do
	}
	return clean.Text(s.WaitType) + ": " + event
}

func lockOn(event, table string, row bool) string {
	word := lockWords[event]
	switch {
	case word == "" && row:
		word = "row"
	case word == "":
		word = "lock"
	}
	if table == "" {
		return word
	}
	return word + " of " + table
}
