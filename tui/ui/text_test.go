package ui

import (
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"
	"github.com/google/go-cmp/cmp"
)

func TestFit(t *testing.T) {
	tests := []struct {
		in   string
		w    int
		want string
	}{
		{"", 3, "   "},
		{"abc", 0, ""},
		{"abc", -1, ""},
		{"abc", 5, "abc  "},
		{"abcdef", 4, "abc…"},
		{"abcdef", 1, "…"},
		{"漢字", 4, "漢字"},
		{"漢字仮", 4, "漢… "},
		{"漢字", 3, "漢…"},
		{"漢", 1, "…"},
		{"e\u0301te\u0301", 3, "e\u0301te\u0301"},
		{"élève", 4, "élè…"},
		{"👩‍👩‍👧‍👦x", 3, "👩x"},
		{"\x1b[31mred\x1b[m", 3, "red"},
		{"a\x1b]52;c;AAAA\x07b", 2, "ab"},
		{"a\u009b2Jb", 4, "a2Jb"},
		{"a\u202eb\u200bc", 3, "abc"},
		{"a\tb\r\n\x00c", 3, "abc"},
		{"\xff\xfe", 2, "? "},
	}
	for _, tt := range tests {
		if got := Fit(tt.in, tt.w); got != tt.want {
			t.Errorf("Fit(%q, %d) = %q, want %q", tt.in, tt.w, got, tt.want)
		}
	}
}

func TestFitStyledKeepsColoursAndEndsThem(t *testing.T) {
	line := "\x1b[31mone two\x1b[m three"
	if got, want := FitStyled(line, 15), line+"  "; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := FitStyled(line, 4), "\x1b[31mone…\x1b[m"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestBreakKeepsWhatIsTyped(t *testing.T) {
	for name, tt := range map[string]struct {
		in   string
		want []string
	}{
		"it fits":               {"df -h", []string{"df -h"}},
		"at blanks":             {"docker compose exec -T backend df", []string{"docker", "compose", "exec -T", "backend", "df"}},
		"where a word ends":     {"SELECT 123 one two", []string{"SELECT 123", "one two"}},
		"inside a word":         {"/app/media/copies/source", []string{"/app/media", "/copies/", "source"}},
		"other blanks stay":     {"  a  b   c d  e f", []string{"  a  b   c", "d  e f"}},
		"wide ones are whole":   {"漢字仮名漢字仮名", []string{"漢字仮名漢", "字仮名"}},
		"one that is too wide":  {"abcdefghij漢", []string{"abcdefghij", "漢"}},
		"invalid bytes show up": {"aaaaaaaaa\xff\xfe", []string{"aaaaaaaaa?"}},
	} {
		if diff := cmp.Diff(tt.want, Break(tt.in, 10, 2)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if got := Break("漢字", 1, 4); len(got) != 2 {
		t.Errorf("without room it gives %q", got)
	}
}

func TestCutMiddleKeepsBothEnds(t *testing.T) {
	path := "/api/grading/copies/<uuid>/finalize/"
	if got, want := CutMiddle(path, 20), "/api/grad…/finalize/"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := CutMiddle(path, 50); got != path {
		t.Errorf("a path with room was cut: %q", got)
	}
}

func TestWrap(t *testing.T) {
	got := Wrap("No copy is locked: nobody is here.\nabcdefghijklmnop", 12)
	want := []string{"No copy is", "locked:", "nobody is", "here.", "abcdefghijkl", "mnop"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Whatever the text: exactly the cells that were asked for, by both ways in
// which terminals count, and no control byte.
func FuzzExactWidth(f *testing.F) {
	for _, s := range []string{"plain", "é漢👩‍👩‍👧‍👦🇫🇷", "\x1b[1mx\x1b]0;t\x07", "e\u0301\u0327", "\u009b\u202e\u200d", "\xff", "⚠️👍🏽", "00\xc2", "🏽", "🇫\u200b🇷", "\u0d4e x"} {
		f.Add(s, 7)
	}
	f.Fuzz(func(t *testing.T, s string, w int) {
		w = min(max(w, 0), 300)
		for name, got := range map[string]string{
			"Fit": Fit(s, w), "FitRight": FitRight(s, w), "FitStyled": FitStyled(s, w), "CutMiddle": Pad(CutMiddle(s, w), w),
			"ASCII": ASCII(FitStyled(s, w)),
		} {
			if ansi.StringWidth(got) != w || ansi.StringWidthWc(got) != w || Width(got) != w {
				t.Errorf("%s(%q, %d) has %d, %d, %d cells: %q", name, s, w, ansi.StringWidth(got), ansi.StringWidthWc(got), Width(got), got)
			}
			if name != "FitStyled" && name != "ASCII" && strings.ContainsFunc(got, control) {
				t.Errorf("%s(%q, %d) holds a control: %q", name, s, w, got)
			}
			if name == "ASCII" && hasWide(got) {
				t.Errorf("ASCII(%q) is %q", s, got)
			}
		}
		for _, line := range Wrap(s, max(w, 2)) {
			if Width(line) > max(w, 2) {
				t.Errorf("Wrap(%q, %d) gives %q", s, w, line)
			}
		}
	})
}

func TestSimpleRunesHaveOneCell(t *testing.T) {
	for _, span := range [][2]rune{{0xc0, 0x2ff}, {0x2500, 0x25bf}} {
		for r := span[0]; r <= span[1]; r++ {
			s := string(r)
			if simple(s) != len(s) || ansi.StringWidth(s) != 1 || ansi.StringWidthWc(s) != 1 || melt(" ", s) || melt(s, "a") {
				t.Errorf("%U is not simple", r)
			}
		}
	}
	if simple("\u00ad") > 0 || simple("✓") > 0 || simple("e") > 0 {
		t.Error("others are taken for simple")
	}
}

func control(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 }

func TestASCIIKeepsTheWidthOfEverySign(t *testing.T) {
	for r := range replacements {
		if n := Width(string(r)); n != 1 {
			t.Errorf("%q has %d cells, its replacement has one", r, n)
		}
	}
	line := Fit("✓ in 8m · élève 漢 → ≥3", 30)
	if got, want := ASCII(line), "+ in 8m - eleve ?? > >3       "; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestFold(t *testing.T) {
	for in, want := range map[string]string{"ÉLÈVE": "eleve", "e\u0301le": "ele", "Abc-1": "abc-1", "ŒUVRE": "ouvre"} {
		if got := Fold(in); got != want {
			t.Errorf("Fold(%q) = %q, want %q", in, got, want)
		}
	}
}

func BenchmarkFit(b *testing.B) {
	for name, s := range map[string]string{"ascii": strings.Repeat("abcdefgh", 20), "accents": strings.Repeat("élève é ", 20)} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				Fit(s, 100)
			}
		})
	}
}
