package celery

import (
	"regexp"
	"sync"
)

// lazily compiles a regular expression when it is first needed: most commands
// need none of these, and compiling them all was a tenth of the process's start.
func lazily(expr string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expr) })
}
