package ui

import (
	"fmt"
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"
	"github.com/google/go-cmp/cmp"
)

func TestBox(t *testing.T) {
	b := Box{Title: "1 Locks", Info: "12 held · 7 expired", Right: "42s old", Foot: "1/12", Note: "without logs"}
	theme := NewTheme(Mono, false)
	tests := []struct {
		name string
		box  Box
		w, h int
		want []string
	}{
		{"plain", b, 44, 3, []string{
			"╭ 1 Locks ─ 12 held · 7 expired ── 42s old ╮",
			"│ one                                      │",
			"╰ without logs ───────────────────── 1/12 ─╯"}},
		{"narrow: parts of the info go first", b, 36, 3, []string{
			"╭ 1 Locks ─ 12 held · … ── 42s old ╮",
			"│ one                              │",
			"╰ without logs ───────────── 1/12 ─╯"}},
		{"focused", Box{Title: "A", Focused: true}, 8, 3, []string{"┏ A ━━━┓", "┃ one  ┃", "┗━━━━━━┛"}},
		{"no room for a frame", b, 3, 2, []string{" o…", "   "}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := theme.Render(tt.box, []string{" one"}, tt.w, tt.h)
			for i, l := range got {
				if n := ansi.StringWidth(l); n != tt.w {
					t.Errorf("line %d has %d cells, want %d", i, n, tt.w)
				}
				got[i] = ansi.Strip(l)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestBoxHasItsSizeWhateverItIs(t *testing.T) {
	theme := NewTheme(Dark, true)
	long := strings.Repeat("é漢 · ", 30)
	for w := range 40 {
		for h := range 5 {
			lines := theme.Render(Box{Title: long, Info: long, Right: long, Note: long, Foot: long}, []string{long, long}, w, h)
			if len(lines) != h {
				t.Fatalf("%dx%d has %d lines", w, h, len(lines))
			}
			for _, l := range lines {
				if Width(l) != w {
					t.Fatalf("%dx%d has a line of %d cells: %q", w, h, Width(l), l)
				}
			}
		}
	}
}

func TestLayout(t *testing.T) {
	cols := []Column{
		{Title: "COPY", Min: 9}, {Title: "FOR", Min: 4, Max: 6, Right: true},
		{Title: "BY", Min: 6, Drop: 1}, {Title: "TOKEN", Min: 8, Drop: 2}, {Title: "WHY", Min: 10},
	}
	natural := []int{9, 8, 7, 8, 30}
	tests := []struct {
		w    int
		want []int
	}{
		{90, []int{9, 6, 7, 8, 30}},
		{60, []int{9, 6, 7, 8, 22}},
		{40, []int{9, 6, 7, 0, 12}},
		{30, []int{9, 6, 0, 0, 11}},
		{20, []int{6, 4, 0, 0, 6}},
		{4, []int{1, 1, 0, 0, 0}},
		{0, []int{0, 0, 0, 0, 0}},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.w), func(t *testing.T) {
			got := Layout(cols, natural, tt.w, 2)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
			if total(got, 2) > tt.w {
				t.Errorf("takes %d cells", total(got, 2))
			}
		})
	}
}

func TestThemes(t *testing.T) {
	for _, look := range Looks() {
		theme := NewTheme(look, false)
		for tone := range tones {
			got := theme.Paint(Tone(tone), "x")
			if ansi.Strip(got) != "x" || Width(got) != 1 {
				t.Errorf("%s paints tone %d as %q", look, tone, got)
			}
		}
		if look == Mono && strings.Contains(theme.Paint(Bad, "x")+theme.Badge("red", "x"), "38;") {
			t.Error("the look without colours has colours")
		}
		if got := theme.Badge("red", " PROD "); Width(got) != 6 || got == " PROD " {
			t.Errorf("%s: badge is %q", look, got)
		}
	}
	if got := NewTheme("sepia", false).Look; got != Dark {
		t.Errorf("an unknown look is %q", got)
	}
}
