package audit

import (
	"fmt"
	"strings"

	"gradecockpit/probes/grading"
)

func plural(n int) string {
	if n == 1 {
		return ""
	}
	return fmt.Sprintf(" ×%d", n)
}

func by(users []string) string {
	if len(users) == 0 {
		return ""
	}
	return " by " + strings.Join(users, ", ")
}

// blind says what cannot be judged here, and why.
func blind(s *grading.Schema, locks grading.Tri) (out []string) {
	add := func(what string, needs ...grading.Field) {
		if why, fix := s.Why(needs...); why != "" {
			out = append(out, strings.TrimSpace(what+" "+why+" "+fix))
		}
	}
	add("IMPORT cannot be judged.", grading.CopyAnon)
	add("VALIDATE cannot be judged.", grading.CopyValidated)
	add("CREATE_ANN cannot be judged.", grading.AnnCopy)
	add("Failed finalizations and events by hand cannot be told apart.", grading.EventMeta)
	add("Duplicate FINALIZE events and double locks cannot be seen.", grading.EventActor)
	switch locks {
	case grading.TriUnknown:
		out = append(out, "LOCK cannot be judged: it is not known whether locks are in use. Set locks: on or off.")
	case grading.TriNo:
		out = append(out, "No LOCK is expected: locks are not in use.")
	}
	return out
}
