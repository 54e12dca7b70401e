package playbook

import (
	"embed"
	"fmt"
)

//go:embed books/*.yaml
var books embed.FS

// order is that of the incident playbook.
var order = []string{"import-stuck", "finalization-failing", "lock-conflicts", "high-latency", "missing-audit-events"}

// Books gives the five scenarios. A test keeps them free of mistakes.
func Books() []*Playbook {
	out := make([]*Playbook, len(order))
	for i, name := range order {
		data, err := books.ReadFile("books/" + name + ".yaml")
		if err != nil {
			panic(err)
		}
		p, problems := Parse(data, "built in: "+name, Catalogue{})
		if len(problems) > 0 {
			panic(fmt.Sprint("a built-in playbook has mistakes: ", problems))
		}
		out[i] = p
	}
	return out
}
