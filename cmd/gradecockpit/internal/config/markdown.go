package config

import (
	"fmt"
	"strings"
)

// Markdown is the table of all settings for the README.
func Markdown() string {
	var b strings.Builder
	b.WriteString("| key in the file | flag | environment | default | what |\n|---|---|---|---|---|\n")
	for _, s := range Settings() {
		flag := "`--" + s.Flag() + "`"
		if s.NoFlag {
			flag = "(secret: none)"
		}
		def := s.Default
		if def != "" {
			def = "`" + def + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | `%s` | %s | %s |\n", s.Key, flag, strings.Join(s.Env, "`, `"), def, s.Help)
	}
	return b.String()
}
