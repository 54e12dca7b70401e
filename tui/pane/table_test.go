package pane

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/google/go-cmp/cmp"

	"gradecockpit/actions"
	"gradecockpit/probes"
	"gradecockpit/probes/grading"
	"gradecockpit/probes/logs"
	"gradecockpit/tui/keys"
	"gradecockpit/tui/ui"
)

var now = time.Date(2026, 2, 1, 14, 30, 45, 0, time.UTC)

// letters is a pane that shows the string in the set, a row a letter; upper
// case letters are headings.
type letters struct{}

func (letters) ID() ID             { return "letters" }
func (letters) Title() string      { return "Letters" }
func (letters) Needs() []probes.ID { return []probes.ID{grading.ID, logs.ID} }
func (letters) Actions() []string  { return nil }
func (letters) Columns() []ui.Column {
	return []ui.Column{{Title: "NAME", Min: 4}, {Title: "CODE", Min: 4, Right: true, Drop: 1}}
}

func (letters) Content(in Input) Content {
	text, _, _ := probes.Of[string](in.Set, grading.ID)
	c := Content{Summary: ui.Plural(len(text), "letter"), Empty: "No letter."}
	for _, r := range text {
		name := string(r)
		row := Row{Key: name, Cells: []ui.Cell{Text(ui.Plain, name), Number(ui.Plain, fmt.Sprint(r), float64(r))}}
		if strings.ToUpper(name) == name {
			row = Row{Key: name, Span: true, Skip: true, Cells: []ui.Cell{Text(ui.Header, "about "+name)}}
		} else {
			row.Target = &actions.Target{Kind: actions.OnCopy, ID: name}
		}
		c.Rows = append(c.Rows, row)
	}
	return c
}

func given(text string) Input {
	return Input{Now: now, Set: probes.NewSet(probes.Snapshot{ID: grading.ID, Source: probes.Postgres, Seq: 1, Good: now, Payload: text})}
}

func table(text string) *Table {
	t := New(letters{}, ui.NewTheme(ui.Mono, false), 1)
	t.SetInput(given(text))
	t.Render(30, 8, true)
	return t
}

func on(t *Table) string {
	row, ok := t.Selected()
	if !ok {
		return "nothing"
	}
	return row.Key
}

func press(t *Table, cmds ...keys.Command) {
	for _, c := range cmds {
		t.Handle(c, 0)
	}
}

func TestCursorHoldsOnToItsRow(t *testing.T) {
	x := table("abcdef")
	press(x, keys.Down, keys.Down)
	if got := on(x); got != "c" {
		t.Fatalf("cursor is on %s", got)
	}
	steps := []struct {
		name, text string
		keys       []keys.Command
		want       string
		gone       bool
	}{
		{"rows come before it", "xyabcdef", nil, "c", false},
		{"the order turns round", "fedcba", nil, "c", false},
		{"it vanishes", "abdef", nil, "nothing", true},
		{"it comes back", "abcdef", nil, "c", false},
		{"it vanishes again, then down", "abdef", []keys.Command{keys.Down}, "d", false},
		{"everything vanishes", "", nil, "nothing", true},
		{"others come", "xyz", nil, "nothing", true},
		{"up", "xyz", []keys.Command{keys.Up}, "y", false},
	}
	for _, s := range steps {
		x.SetInput(given(s.text))
		x.Render(30, 8, true)
		press(x, s.keys...)
		if got := on(x); got != s.want || x.Gone() != s.gone {
			t.Fatalf("%s: cursor is on %s (gone: %v), want %s (%v)", s.name, got, x.Gone(), s.want, s.gone)
		}
	}
}

func TestGoneIsSaid(t *testing.T) {
	x := table("abc")
	x.SetInput(given("bc"))
	if got := screen(x, 40, 6, true); !strings.Contains(got, "the row you were on is gone") {
		t.Errorf("not said:\n%s", got)
	}
}

func TestAnUnfocusedPaneHasNoCursor(t *testing.T) {
	x := New(letters{}, ui.NewTheme(ui.Mono, false), 1)
	x.SetInput(given("abc"))
	x.Render(30, 8, false)
	if got := on(x); got != "nothing" {
		t.Errorf("cursor is on %s", got)
	}
}

func TestMovingPassesOverHeadings(t *testing.T) {
	tests := []struct {
		keys []keys.Command
		want string
	}{
		{nil, "a"},
		{[]keys.Command{keys.Down, keys.Down}, "c"},
		{[]keys.Command{keys.Down, keys.Down, keys.Up}, "b"},
		{[]keys.Command{keys.Up}, "a"},
		{[]keys.Command{keys.Bottom, keys.Down}, "f"},
		{[]keys.Command{keys.Bottom, keys.Top}, "a"},
		{[]keys.Command{keys.PageDown}, "e"},
		{[]keys.Command{keys.PageDown, keys.PageDown, keys.PageDown}, "f"},
		{[]keys.Command{keys.Bottom, keys.PageUp, keys.PageUp}, "a"},
		{[]keys.Command{keys.HalfPageDown}, "c"},
		{[]keys.Command{keys.HalfPageDown, keys.HalfPageUp}, "b"},
		{[]keys.Command{keys.NextMatch, keys.PrevMatch, keys.PrevMatch}, "f"},
	}
	for _, tt := range tests {
		x := table("AabBcdEef")
		press(x, tt.keys...)
		if got := on(x); got != tt.want {
			t.Errorf("%v: cursor is on %s, want %s", tt.keys, got, tt.want)
		}
	}
}

func TestFilter(t *testing.T) {
	tests := []struct{ filter, want string }{
		{"", "A,a,é,B,b,x"}, {"E", "A,é"}, {"!e", "A,a,B,b,x"}, {"é", "A,é"}, {"120", "B,x"}, {"zz", ""}, {"!", "A,a,é,B,b,x"},
	}
	for _, tt := range tests {
		x := table("AaéBbx")
		x.SetFilter(tt.filter)
		if got := strings.Join(shown(x), ","); got != tt.want {
			t.Errorf("%q shows %s, want %s", tt.filter, got, tt.want)
		}
		if x.Filter() != tt.filter {
			t.Errorf("the filter is %q", x.Filter())
		}
	}
}

func shown(t *Table) []string {
	var out []string
	for _, i := range t.view {
		out = append(out, t.content.Rows[i].Key)
	}
	return out
}

func TestFilterAndCursor(t *testing.T) {
	x := table("abcx")
	press(x, keys.Bottom)
	x.SetFilter("a") // x does not match: the user did this, so the first match is meant
	if got := on(x); got != "a" {
		t.Errorf("cursor is on %s", got)
	}
	x.SetInput(given("bcx"))
	if got := on(x); got != "nothing" {
		t.Errorf("with its row gone the cursor is on %s", got)
	}
	press(x, keys.Back)
	if x.Filter() != "" {
		t.Error("back leaves the filter")
	}
	x.SetInput(given("abcax"))
	press(x, keys.Top, keys.Down, keys.NextMatch)
	if got := on(x); got != "a" {
		t.Errorf("next match after the filter went is %s", got)
	}
	x.SetFilter("zz")
	if got := screen(x, 40, 6, true); !strings.Contains(got, "No row matches zz") {
		t.Errorf("nothing said:\n%s", got)
	}
}

func TestSort(t *testing.T) {
	tests := []struct {
		keys []keys.Command
		want string
	}{
		{nil, "cabXfed"},
		{[]keys.Command{keys.SortRight}, "abcXdef"},
		{[]keys.Command{keys.SortRight, keys.SortFlip}, "cbaXfed"},
		{[]keys.Command{keys.SortLeft}, "abcXdef"},
		{[]keys.Command{keys.SortRight, keys.SortRight, keys.SortRight}, "cabXfed"},
		{[]keys.Command{keys.SortFlip}, "cbaXfed"},
	}
	for _, tt := range tests {
		x := table("cabXfed")
		press(x, tt.keys...)
		if got := strings.Join(shown(x), ""); got != tt.want {
			t.Errorf("%v: %s, want %s", tt.keys, got, tt.want)
		}
		if got := on(x); got != "c" {
			t.Errorf("%v: the cursor moved to %s", tt.keys, got)
		}
	}
}

func TestMarks(t *testing.T) {
	x := table("abcd")
	press(x, keys.Mark, keys.Down, keys.Mark) // a, c
	if got := x.Marked(); len(got) != 2 || got[0].Key != "a" || got[1].Key != "c" {
		t.Errorf("marked are %+v", got)
	}
	x.SetInput(given("xbcd"))
	if got := x.Marked(); len(got) != 1 || got[0].Key != "c" {
		t.Errorf("after a marked row vanished, marked are %+v", got)
	}
	x.SetFilter("b")
	if got := x.Marked(); len(got) != 1 {
		t.Errorf("a filter took the mark away: %+v", got)
	}
	press(x, keys.Back, keys.Back)
	if got := x.Marked(); len(got) != 0 {
		t.Errorf("back leaves the marks %+v", got)
	}
	if x.Handle(keys.Back, 0) {
		t.Error("back was taken with nothing to clear")
	}
}

func TestAtEnd(t *testing.T) {
	x := table("abC")
	if x.AtEnd() {
		t.Error("at the end on the first of two")
	}
	press(x, keys.Down)
	if !x.AtEnd() {
		t.Error("not at the end on the last that can be chosen")
	}
}

func screen(t *Table, w, h int, focused bool) string {
	return ansi.Strip(strings.Join(t.Render(w, h, focused), "\n"))
}

// story has rows of several lines each: a letter, and below it "a 1", "a 2".
type story struct{ letters }

func (story) Content(in Input) Content {
	text, _, _ := probes.Of[string](in.Set, grading.ID)
	var c Content
	for _, r := range text {
		c.Rows = append(c.Rows, Row{Key: string(r), Span: true, Cells: []ui.Cell{Text(ui.Plain, string(r)+" begins")}})
		for i := range 2 {
			c.Rows = append(c.Rows, Row{Key: fmt.Sprint(string(r), i), Span: true, Skip: true, Under: true, Cells: []ui.Cell{Text(ui.Plain, fmt.Sprint(string(r), " goes on ", i+1))}})
		}
	}
	return c
}

// The lines of a row are on the screen with it, also those of the last one; a row
// that is higher than the screen begins at its top.
func TestLinesOfTheRowUnderTheCursorAreInSight(t *testing.T) {
	x := New(story{}, ui.NewTheme(ui.Mono, false), 1)
	x.SetInput(given("abcd"))
	x.Render(30, 7, true)
	press(x, keys.Bottom)
	if got := screen(x, 30, 7, true); !strings.Contains(got, "d begins") || !strings.Contains(got, "d goes on 2") {
		t.Errorf("the end of the last row is out of sight:\n%s", got)
	}
	press(x, keys.Up)
	if got := screen(x, 30, 4, true); !strings.Contains(got, "▌c begins") || strings.Contains(got, "c goes on 2") {
		t.Errorf("a row that is too high does not begin at the top:\n%s", got)
	}
}

// A sentence that has no room says that it goes on.
func TestCutSentenceIsMarked(t *testing.T) {
	x := table("")
	x.SetInput(Input{Now: now, Set: probes.NewSet(probes.Snapshot{ID: grading.ID, Source: probes.Postgres, Seq: 1, Err: errors.New("one two three four five six seven eight nine ten eleven twelve")})})
	for h, want := range map[int]string{5: "…", 12: "twelve"} {
		if got := screen(x, 22, h, true); !strings.Contains(got, want) || h == 5 && strings.Contains(got, "twelve") {
			t.Errorf("in %d lines:\n%s", h, got)
		}
	}
}

func TestRenderIsCachedUntilSomethingChanges(t *testing.T) {
	x := table("abc")
	first := x.Render(30, 8, true)
	if again := x.Render(30, 8, true); &again[0] != &first[0] {
		t.Error("laid out again for nothing")
	}
	changes := []struct {
		name   string
		change func()
	}{
		{"input", func() { x.SetInput(given("abcd")) }}, {"key", func() { press(x, keys.Down) }}, {"filter", func() { x.SetFilter("b") }},
	}
	for _, c := range changes {
		before := strings.Join(x.Render(30, 8, true), "\n")
		c.change()
		if strings.Join(x.Render(30, 8, true), "\n") == before {
			t.Errorf("%s changes nothing on the screen", c.name)
		}
	}
}

func TestEverySizeIsExact(t *testing.T) {
	x := table("AabcdefBghijklé")
	press(x, keys.Mark, keys.Bottom)
	for w := range 50 {
		for h := range 14 {
			lines := x.Render(w, h, w%2 == 0)
			if len(lines) != h {
				t.Fatalf("%dx%d has %d lines", w, h, len(lines))
			}
			for _, l := range lines {
				if ansi.StringWidth(l) != w {
					t.Fatalf("%dx%d has a line of %d: %q", w, h, ansi.StringWidth(l), l)
				}
			}
		}
	}
}

func TestTroubleIsSaid(t *testing.T) {
	since := now.Add(-42 * time.Second)
	good := probes.Snapshot{ID: grading.ID, Source: probes.Postgres, Seq: 9, Good: now.Add(-50 * time.Second), Payload: "ab"}
	broken := good
	broken.FailedSince, broken.Err = since, &probes.Error{Source: probes.Postgres, Op: "connect", Cause: "connection refused"}
	never := probes.Snapshot{ID: grading.ID, Seq: 3, FailedSince: since, Err: errors.New("no route to host.")}
	unset := probes.Snapshot{ID: grading.ID, Seq: 1, FailedSince: since, Err: probes.NotConfigured(probes.Postgres, "DATABASE_URL")}
	noLogs := probes.Snapshot{ID: logs.ID, Seq: 1, Err: errors.New("permission denied")}
	tests := []struct {
		name  string
		snaps []probes.Snapshot
		want  []string
		not   []string
	}{
		{"nothing yet", nil, []string{"Waiting for the first answer of postgres."}, []string{"letter"}},
		{"stale", []probes.Snapshot{broken}, []string{"postgres: connection refused for 42s. Retrying.", "50s old", "│ a"}, nil},
		{"never", []probes.Snapshot{never}, []string{"postgres: no route to host for 42s. Retrying."}, []string{"letter", "old"}},
		{"not configured", []probes.Snapshot{unset}, []string{"postgres: not configured. Set DATABASE_URL."}, []string{"42s"}},
		{"a second source", []probes.Snapshot{good, noLogs}, []string{"without logs", "│ a"}, []string{"old"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			x := New(letters{}, ui.NewTheme(ui.Mono, false), 1)
			x.SetInput(Input{Now: now, Set: probes.NewSet(tt.snaps...)})
			got := screen(x, 70, 7, false)
			for _, part := range tt.want {
				if !strings.Contains(got, part) {
					t.Errorf("does not say %q:\n%s", part, got)
				}
			}
			for _, part := range tt.not {
				if strings.Contains(got, part) {
					t.Errorf("says %q:\n%s", part, got)
				}
			}
		})
	}
}

func TestServerNowGoesOnFromTheLastAnswer(t *testing.T) {
	server := now.Add(time.Hour)
	snap := probes.Snapshot{ID: grading.ID, Good: now.Add(-30 * time.Second), Payload: grading.Overview{ServerTime: server}}
	if got, want := ServerNow(Input{Now: now, Set: probes.NewSet(snap)}), server.Add(30*time.Second); !got.Equal(want) {
		t.Errorf("it is %v, want %v", got, want)
	}
	if got := ServerNow(Input{Now: now}); !got.Equal(now) {
		t.Errorf("without a database it is %v, want %v", got, now)
	}
}

func TestPlainAndReport(t *testing.T) {
	x := table("Aab")
	var b strings.Builder
	if err := x.Plain(&b); err != nil {
		t.Fatal(err)
	}
	want := "Letters: 3 letters\nNAME  CODE\nabout A\na       97\nb       98\n"
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Error(diff)
	}
	report := Report{Pane: "letters", Summary: "3 letters", State: "live", Rows: []map[string]any{
		{"key": "a", "name": "a", "code": "97", "code_value": 97.0},
		{"key": "b", "name": "b", "code": "98", "code_value": 98.0},
	}}
	if diff := cmp.Diff(report, x.Report()); diff != "" {
		t.Error(diff)
	}
	b.Reset()
	if err := x.JSON(&b); err != nil || !strings.Contains(b.String(), `"name": "a"`) {
		t.Errorf("JSON is %s (%v)", b.String(), err)
	}
}

// The cost of a frame must not hang on the rows behind the screen: compare the
// two with each other, not with a clock.
func BenchmarkRender(b *testing.B) {
	for _, rows := range []int{100, 10_000} {
		var text strings.Builder
		for i := range rows {
			text.WriteRune(rune(0x4e00 + i))
		}
		x := New(wide{}, ui.NewTheme(ui.Dark, false), 1)
		x.SetInput(given(text.String()))
		b.Run(fmt.Sprint(rows, "/frame"), func(b *testing.B) {
			for b.Loop() {
				x.changed()
				x.Render(100, 40, true)
			}
		})
		b.Run(fmt.Sprint(rows, "/key"), func(b *testing.B) {
			for b.Loop() {
				press(x, keys.Down)
				x.Render(100, 40, true)
			}
		})
		b.Run(fmt.Sprint(rows, "/data"), func(b *testing.B) {
			for b.Loop() {
				x.SetInput(x.in)
				x.Render(100, 40, true)
			}
		})
	}
}

func TestTheCostOfAFrameHangsOnTheScreen(t *testing.T) {
	allocs := map[int]float64{}
	for _, rows := range []int{100, 10_000} {
		x := New(wide{}, ui.NewTheme(ui.Dark, false), 1)
		x.SetInput(given(strings.Repeat("x", rows)))
		x.Render(100, 40, true)
		allocs[rows] = testing.AllocsPerRun(20, func() {
			press(x, keys.Down)
			x.Render(100, 40, true)
		})
	}
	if ratio := allocs[10_000] / allocs[100]; ratio > 1.2 {
		t.Errorf("a frame over 10,000 rows allocates %.1f times as often as one over 100", ratio)
	}
}

// wide has a row a character, with seven columns of ASCII.
type wide struct{ letters }

func (wide) Columns() []ui.Column {
	return make([]ui.Column, 7)
}

func (wide) Content(in Input) Content {
	text, _, _ := probes.Of[string](in.Set, grading.ID)
	var c Content
	for _, r := range text {
		row := Row{Key: string(r)}
		for range 7 {
			row.Cells = append(row.Cells, Text(ui.Accent, "A3F2-0017"))
		}
		c.Rows = append(c.Rows, row)
	}
	return c
}
