package diagnosis

import "slices"

// Rules lists every rule once. Where two would explain each other, the first is
// the cause.
func Rules() []Rule {
	return slices.Concat(hostRules(), databaseRules(), queueRules(), importRules(), finalizationRules(), lockRules(), latencyRules(), auditRules())
}
