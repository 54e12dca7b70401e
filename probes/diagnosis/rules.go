package diagnosis

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Rules lists every rule once. Where two would explain each other, the first is
// the cause.
func Rules() []Rule {
	return slices.Concat(hostRules(), databaseRules(), queueRules(), importRules(), finalizationRules(), lockRules(), latencyRules(), auditRules())
}

// Markdown is the README's table of causes.
func Markdown() string {
	var b strings.Builder
	b.WriteString("| cause | is | walkthrough | playbook |\n|---|---|---|---|\n")
	for _, r := range Rules() {
		fmt.Fprintf(&b, "| `%s` | %s | `%s` | %s |\n", r.ID, r.Title, r.Scenario, cmp.Or(r.Section, "–"))
	}
	return b.String()
}
