// Package lab makes throwaway servers and fills them: a real PostgreSQL and a
// Redis that live in a private directory and leave nothing behind, the grading
// system's tables in both dialects, rows for them, and the simulated grading
// system of the demo. Only the demo command and tests import it.
//
// Every server is a child that dies with us (see spawn.go), in a directory of
// its own that the next start sweeps should we be killed (see home.go).
package lab

// Dialect says whose column names the tables get. It has the values of
// grading.Dialect but not its type: grading's own tests use this package.
type Dialect string

// The dialects that can be made.
const (
	Deployed Dialect = "deployed"
	Playbook Dialect = "playbook"
)
