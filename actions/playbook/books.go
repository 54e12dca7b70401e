package playbook

import (
	"embed"
	"fmt"
	"strings"
)

//go:embed books/*.yaml
var books embed.FS

// order is that of the incident playbook.
var order = []string{"import-stuck", "finalization-failing", "lock-conflicts", "high-latency", "missing-audit-events"}

// builtIn begins the origin of the five.
const builtIn = "built in: "

//go:embed schema.json
var schema []byte

// Schema is the JSON schema of a playbook's file.
func Schema() []byte { return schema }

// Source gives the file of a built-in playbook; false for another one.
func Source(p *Playbook) ([]byte, bool) {
	name, ok := strings.CutPrefix(p.Origin, builtIn)
	if !ok {
		return nil, false
	}
	data, err := books.ReadFile("books/" + name + ".yaml")
	return data, err == nil
}

// Books gives the five scenarios. A test keeps them free of mistakes.
func Books() []*Playbook {
	out := make([]*Playbook, len(order))
	for i, name := range order {
		data, err := books.ReadFile("books/" + name + ".yaml")
		if err != nil {
			panic(err)
		}
		p, problems := Parse(data, builtIn+name, Catalogue{})
		if len(problems) > 0 {
			panic(fmt.Sprint("a built-in playbook has mistakes: ", problems))
		}
		out[i] = p
	}
	return out
}
