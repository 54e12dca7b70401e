package playbook

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// shells read one of their words as code; ssh gives all of them to one.
var shells = []string{"sh", "bash", "dash", "ash", "zsh", "ksh", "fish", "ssh"}

// command has a program and its words. What is filled in may be hostile, so it
// is a word of its own, and none that a shell would run.
func (c *checker) command(path string, argv []string) {
	if named.MatchString(argv[0]) || strings.TrimSpace(argv[0]) == "" {
		c.wrong(path+"[0]", "the program is named as it is")
	}
	from, to := code(argv)
	for i, w := range argv {
		at := fmt.Sprintf("%s[%d]", path, i)
		c.placeholders(at, w)
		switch name := named.FindString(w); {
		case name == "":
		case strings.ContainsAny(w, " \t\n'\"`;"):
			c.wrong(at, "%s stands inside a longer text, which some program would read as code: make it a word of its own", name)
		case i >= from && i <= to:
			c.wrong(at, "a shell would run what %s is filled in with: put it behind the code, which has it as \"$1\"", name)
		}
	}
}

// code tells which words a shell in a command may read as code.
func code(argv []string) (from, to int) {
	from = slices.IndexFunc(argv, func(w string) bool { return slices.Contains(shells, filepath.Base(w)) })
	switch {
	case from < 0:
		return len(argv), len(argv)
	case filepath.Base(argv[from]) == "ssh":
		return from, len(argv)
	}
	for to = from + 1; to < len(argv) && strings.HasPrefix(argv[to], "-"); {
		to++
	}
	for i := from; i < len(argv); i++ {
		if strings.HasPrefix(argv[i], "-") && strings.Contains(argv[i], "c") {
			to = max(to, i+1)
		}
	}
	return from, to
}
