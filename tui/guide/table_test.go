package guide

import (
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"
	"github.com/google/go-cmp/cmp"

	"gradecockpit/actions/playbook"
	"gradecockpit/probes/grading"
	"gradecockpit/tui/dialog"
)

// lines are paragraphs as they are shown.
func lines(paras []dialog.Para, w int) string {
	return ansi.Strip(strings.Join(dialog.Lay(plain, paras, w), "\n"))
}

func TestNumbersAreRightAligned(t *testing.T) {
	table := playbook.Table{Columns: []string{"at", "n_waiting", "oldest", "share", "id"}, Rows: [][]string{
		{"14:30:45", "7", "1h02m", "97%", "A3F2-0007"},
		{"14:30:46", "12,345", "≥6m", "–", "12"},
		{"14:30:47", "", "3.4 ms", "0.5 %"},
	}}
	got := lines(View{Width: 76}.seen(table), 76)
	want := strings.TrimPrefix(`
AT        N WAITING  OLDEST  SHARE  ID
14:30:45          7   1h02m    97%  A3F2-0007
14:30:46     12,345     ≥6m      –  12
14:30:47             3.4 ms  0.5 %`, "\n")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// The command by hand is shown whole where there is room, else with a word on
// where the rest is; with v it is always whole.
func TestCommandByHand(t *testing.T) {
	one := "docker compose --env-file .env exec -T celery celery -A core inspect ping"
	many := "psql <<'SQL'\nSELECT 1\n  FROM a;\nSQL\n"
	tests := []struct {
		name, text, note string
		h                int
		wide             bool
		want             string
	}{
		{"whole", "df -h", "df lies.", 3, false, "By hand (y copies it)\n  df -h\nHere: df lies."},
		{"without its note", "df -h", "df lies.", 2, false, "By hand (y copies it, v says more)\n  df -h"},
		{"a long line", one, "", 3, false, "By hand (y copies it)\n  docker compose --env-file .env exec -T\n    … celery celery -A core inspect ping"},
		{"a long line without room", one, "", 2, false, "By hand (y copies it, v shows all of it)\n  docker compose --env-file .env exec -T cele…"},
		{"many lines without room", many, "", 3, false, "By hand (y copies all 4 lines, v shows them)\n  psql <<'SQL'\n  SELECT 1"},
		{"all of it", many, "So.", 0, true, "By hand (y copies it, v goes back)\n  psql <<'SQL'\n  SELECT 1\n    FROM a;\n  SQL\nHere: So."},
		{"none", "", "", 4, false, "By hand: nothing to type; the panes show it."},
	}
	for _, tt := range tests {
		v := View{Walk: playbook.Walk{Place: playbook.Place{Dialect: grading.Deployed}}, Width: 46, YankKey: "y", HandKey: "v", Wide: tt.wide}
		if diff := cmp.Diff(tt.want, lines(v.byHand(playbook.ByHand{Deployed: tt.text, Note: tt.note}, tt.h), 46)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}
