package dialog

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/google/go-cmp/cmp"

	"gradecockpit/actions"
	"gradecockpit/tui/keys"
	"gradecockpit/tui/ui"
)

var t0 = time.Date(2026, 2, 1, 14, 30, 45, 0, time.UTC)

func plan(risk actions.Risk) actions.Plan {
	p := actions.Plan{Title: "Force-unlock A3F2-0019", Risk: risk, Word: "A3F2-0019", ValidUntil: t0.Add(time.Minute), Choice: "a",
		Choices: []actions.Choice{{ID: "a", Title: "unlock"}, {ID: "b", Title: "unlock, then retry"}}}
	for i := range 20 {
		p.Steps = append(p.Steps, actions.Step{Verb: "delete", Object: "grading_copylock", Detail: fmt.Sprintf("row #%d.", i)})
	}
	return p
}

// press looks a key up as the app does.
func press(c *Confirm, now time.Time, names ...string) Answer {
	last := Stay
	for _, n := range names {
		b, _ := c.table.Find(keys.InDialog, n)
		k := Key{Name: n, Command: b.ID}
		if len([]rune(n)) == 1 {
			k.Text = n
		}
		last = c.Press(k, now)
	}
	return last
}

// Whatever the size, every line of a dialog can be brought into sight.
func TestNothingIsCutSilently(t *testing.T) {
	theme := ui.NewTheme(ui.Mono, false)
	for _, risk := range []actions.Risk{actions.Low, actions.High} {
		for w := 40; w <= 120; w += 20 {
			for h := 8; h <= 40; h += 8 {
				c := NewConfirm(plan(risk), keys.Default(), "U", "", t0)
				now := t0.Add(time.Second)
				seen := ""
				for last := ""; ; {
					lines := c.Lines(theme, w, h, now)
					if len(lines) > h {
						t.Fatalf("%dx%d: %d lines", w, h, len(lines))
					}
					if strings.Join(lines, "") == last {
						break
					}
					last = strings.Join(lines, "")
					seen += ansi.Strip(strings.Join(lines, "\n")) + "\n"
					press(c, now, "pgdown")
				}
				want := []string{"row #0.", "row #7.", "row #19.", "(x) 1 unlock", "( ) 2 unlock, then retry", "confirm"}
				if risk == actions.High {
					want = append(want[:5], "Reason >", "go on >")
				}
				for _, s := range want {
					if !strings.Contains(seen, s) {
						t.Errorf("%dx%d %s: %q is never in sight", w, h, risk, s)
					}
				}
			}
		}
	}
}

func TestQuietBeforeAnswers(t *testing.T) {
	c := NewConfirm(plan(actions.Low), keys.Default(), "C", "", t0)
	at := func(ms int) time.Time { return t0.Add(time.Duration(ms) * time.Millisecond) }
	for _, ms := range []int{10, 300, 699, 1000} { // each less than 400 ms after the one before
		if a := press(c, at(ms), "y"); a != Stay {
			t.Fatalf("y at %d ms gave %v", ms, a)
		}
	}
	if a := press(c, at(1400), "y"); a != Confirmed {
		t.Errorf("y after 400 quiet ms gave %v", a)
	}
}

func TestOpeningKeyNeverConfirms(t *testing.T) {
	c := NewConfirm(plan(actions.Low), keys.Default(), "y", "", t0)
	if a := press(c, t0.Add(time.Second), "y"); a != Stay {
		t.Errorf("the opening key gave %v", a)
	}
}

func TestHighRiskNeedsAllOfIt(t *testing.T) {
	now := t0.Add(time.Second)
	typed := func(s string) []string { return strings.Split(s, "") }
	for _, c := range []struct {
		name string
		keys []string
		want Answer
	}{
		{"enter alone", []string{"enter", "enter", "enter"}, Stay},
		{"reason alone", append(typed("why"), "enter", "enter", "enter"), Stay},
		{"word alone", append(append([]string{"tab"}, typed("A3F2-0019")...), "enter", "enter"), Stay},
		{"blank reason", append(append([]string{" ", " ", "tab"}, typed("A3F2-0019")...), "enter"), Stay},
		{"wrong case", append(append(typed("why"), append([]string{"enter"}, typed("a3f2-0019")...)...), "enter"), Stay},
		{"both", append(append(typed("why"), append([]string{"enter"}, typed("A3F2-0019")...)...), "enter"), Confirmed},
		{"y is text", typed("yyyy"), Stay},
	} {
		d := NewConfirm(plan(actions.High), keys.Default(), "U", "", t0)
		if got := press(d, now, c.keys...); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
	d := NewConfirm(plan(actions.High), keys.Default(), "U", "", t0)
	press(d, now, append(append(typed("why"), append([]string{"enter"}, typed("A3F2-0019")...)...), "enter")...)
	if diff := cmp.Diff(actions.Confirmation{Yes: true, Word: "A3F2-0019", Reason: "why"}, d.Given()); diff != "" {
		t.Error(diff)
	}
}

func TestChoices(t *testing.T) {
	now := t0.Add(time.Second)
	for _, c := range []struct {
		risk actions.Risk
		keys []string
		want Answer
	}{
		{actions.Low, []string{"2"}, Again}, {actions.Low, []string{"1"}, Stay}, {actions.Low, []string{"right"}, Again},
		{actions.Low, []string{"tab"}, Again}, {actions.Low, []string{"3"}, Stay},
		{actions.High, []string{"2"}, Stay}, {actions.High, []string{"shift+tab", "2"}, Again}, {actions.High, []string{"tab", "tab", "left"}, Again},
	} {
		d := NewConfirm(plan(c.risk), keys.Default(), "U", "", t0)
		if got := press(d, now, c.keys...); got != c.want || (got == Again && d.Choice != "b") {
			t.Errorf("%s %v: %v with choice %s, want %v", c.risk, c.keys, got, d.Choice, c.want)
		}
	}
}

func TestExpiredPlanIsNotConfirmed(t *testing.T) {
	c := NewConfirm(plan(actions.Low), keys.Default(), "C", "", t0)
	late := t0.Add(time.Minute)
	if a := press(c, late, "y"); a != Stay {
		t.Errorf("y on an old plan gave %v", a)
	}
	if a := press(c, late, "ctrl+r"); a != Again {
		t.Errorf("ctrl+r gave %v", a)
	}
}

func TestMenuNeverPicksTheImpossible(t *testing.T) {
	m := Menu{Items: []Item{{ID: "a", Key: "U", Why: "No lock."}, {ID: "b", Key: "R"}}}
	for _, c := range []struct {
		key  Key
		want string
	}{
		{Key{Name: "enter", Command: keys.Open}, ""}, {Key{Name: "U"}, ""}, {Key{Name: "R"}, "b"},
		{Key{Name: "enter", Command: keys.Open}, "b"},
	} {
		got := ""
		if it, _ := m.Press(c.key); it != nil {
			got = it.ID
		}
		if got != c.want {
			t.Errorf("%s picked %q, want %q", c.key.Name, got, c.want)
		}
	}
}

func TestLineEdits(t *testing.T) {
	for _, c := range []struct {
		keys []string
		want string
	}{
		{[]string{"a", "b", "left", "x"}, "axb"},
		{[]string{"a", "b", "ctrl+a", "x", "ctrl+e", "y"}, "xaby"},
		{[]string{"a", "b", "backspace", "backspace", "backspace"}, ""},
		{[]string{"a", "b", "home", "delete", "delete", "delete"}, ""},
		{[]string{"o", " ", "t", "w", "ctrl+w", "é"}, "o é"},
		{[]string{"a", "b", "left", "ctrl+u"}, "b"},
		{[]string{"a", "b", "left", "ctrl+k"}, "a"},
		{[]string{"\x1b", "\u202e"}, `\x1b\u202e`},
	} {
		var l Line
		for _, k := range c.keys {
			text := ""
			if len([]rune(k)) == 1 {
				text = k
			}
			l.Press(Key{Name: k, Text: text})
		}
		if l.String() != c.want {
			t.Errorf("%q gives %q, want %q", c.keys, l.String(), c.want)
		}
	}
}

func TestLineIsBoundedAndExact(t *testing.T) {
	theme := ui.NewTheme(ui.Mono, false)
	var l Line
	l.Insert(strings.Repeat("漢é", 600))
	if n := len([]rune(l.String())); n != maxInput {
		t.Errorf("holds %d characters, want %d", n, maxInput)
	}
	for w := 1; w < 60; w++ {
		for _, focused := range []bool{true, false} {
			if n := ui.Width(l.Render(theme, w, focused)); n > w {
				t.Errorf("%d cells in a field of %d", n, w)
			}
		}
	}
}
