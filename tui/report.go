package tui

import (
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"

	"gradecockpit/tui/dialog"
	"gradecockpit/tui/ui"
)

// reportWidth is where the lines of a report are folded.
const reportWidth = 120

// CopyReport is the page of one copy as plain text, for pipes and screen
// readers: what the screen shows, without frame, colours and keys.
func CopyReport(page CopyPage, theme *ui.Theme, zone *time.Location) []string {
	v := view{page, page.ServerTime, zone}
	lines := []string{"Copy " + page.Copy.Label()}
	for _, part := range [][]dialog.Para{v.head(), v.notes(), v.lock(), v.work(), v.timeline(), v.tasks(), v.logs(), v.missing()} {
		if len(part) == 0 {
			continue
		}
		for _, l := range dialog.Lay(theme, part, reportWidth) {
			lines = append(lines, strings.TrimRight(theme.Finish(ansi.Strip(l)), " "))
		}
		lines = append(lines, "")
	}
	return lines[:len(lines)-1]
}
