// Package lazy makes things when they are first needed.
package lazy

import (
	"regexp"
	"sync"
)

// Regexp compiles a regular expression when it is first needed: most commands
// need few of all that there are, and compiling them was a tenth of the
// process's start. An expression that is wrong panics at its first use, so each
// needs a test that uses it.
func Regexp(expr string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expr) })
}
