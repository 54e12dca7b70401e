package dialog

import (
	"strings"

	"github.com/charmbracelet/x/ansi"

	"gradecockpit/tui/ui"
)

// Plain lays paragraphs out as lines of plain text, w cells wide.
func Plain(t *ui.Theme, paras []Para, w int) []string {
	lines := []string{}
	for _, l := range Lay(t, paras, w) {
		lines = append(lines, strings.TrimRight(t.Finish(ansi.Strip(l)), " "))
	}
	return lines
}
