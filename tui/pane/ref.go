package pane

import (
	"gradecockpit/probes"
	"gradecockpit/probes/grading"
)

// ReadID stands in the needs of a page for what its reader gave: the app puts
// that into the set as a snapshot like those of probes.
const ReadID probes.ID = "read"

// Kind is a kind of thing that rows name and that has a page of its own.
type Kind string

// The kinds, with what the ID of a Ref of that kind is.
const (
	KindCopy      Kind = "copy"        // row id or anonymous id of a copy
	KindTrace     Kind = "trace"       // request id, task id, or row id or anonymous id of a copy
	KindLogLine   Kind = "line"        // place of a log record, as package logs gives it
	KindLogTimes  Kind = "times"       // a log query; its page counts what it finds over time
	KindLogs      Kind = "logs"        // a log query; its page lists what it finds
	KindPatterns  Kind = "patterns"    // nothing; its page lists the named log searches
	KindRequests  Kind = "requests"    // a log query; its page lists the request ids of what it finds
	KindSlow      Kind = "slow"        // a log query; its page lists what took longest
	KindEndpoint  Kind = "endpoint"    // "METHOD path"
	KindProcesses Kind = "processes"   // "": there is one page of all
	KindDomain    Kind = "domain"      // "": there is one page of all
	KindEvents    Kind = "events"      // "": there is one page of all
	KindSession   Kind = "session"     // "pid/backend_start in microseconds since 1970"
	KindTable     Kind = "table"       // "schema.table"
	KindStatement Kind = "statement"   // queryid
	KindFile      Kind = "file"        // path of a PDF
	KindPane      Kind = "pane"        // a pane by its ID
	KindFindings  Kind = "findings"    // "": there is one page of all
	KindFinding   Kind = "finding"     // "rule" or "rule subject"
	KindBlind     Kind = "blind"       // "": the rules that could not be judged
	KindWalk      Kind = "walkthrough" // "name" of a playbook, or "name rule"
)

// Ref names one thing that has a page.
type Ref struct {
	Kind  Kind
	ID    string
	Label string // what people call it; "" the ID
}

// Name is what people call it.
func (r Ref) Name() string {
	if r.Label != "" {
		return r.Label
	}
	return r.ID
}

// CopyRef names a copy.
func CopyRef(c grading.CopyRef) Ref { return Ref{KindCopy, c.ID, c.Label()} }
