package clean_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"gradecockpit/probes/clean"
)

func TestText(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"plain ASCII stays", "Copy A3F2-0042: C:\\temp ~", "Copy A3F2-0042: C:\\temp ~"},
		{"accents stay", "Épreuve de français, œuvre", "Épreuve de français, œuvre"},
		{"wide characters stay", "試験 한국 ✓", "試験 한국 ✓"},
		{"CSI", "\x1b[2Jgone", `\x1b[2Jgone`},
		{"OSC 52 with BEL", "\x1b]52;c;AAAA\a", `\x1b]52;c;AAAA\x07`},
		{"NUL and DEL", "a\x00b\x7f", `a\x00b\x7f`},
		{"C1 CSI as a character", "a\u009b31m", `a\x9b31m`},
		{"C1 CSI as a raw byte", "a\x9b31m", "a\ufffd31m"},
		{"line ends", "a\nb\rc\r\nd", `a\nb\rc\r\nd`},
		{"other line ends", "a\u0085b\u2028c\u2029", `a\x85b\u2028c\u2029`},
		{"tab", "a\tb", "a b"},
		{"French spaces", "12\u202f000\u00a0€", "12 000 €"},
		{"bidi override", "\u202egpj.fdp", `\u202egpj.fdp`},
		{"bidi isolates and marks", "\u2066\u2069\u200e\u200f\u061c", `\u2066\u2069\u200e\u200f\u061c`},
		{"zero width", "ad\u200bmin\u200c\u200d\u2060\ufeff", `ad\u200bmin\u200c\u200d\u2060\ufeff`},
		{"soft hyphen", "a\u00adb", `a\xadb`},
		{"variation selector", "☎\ufe0f", `☎\ufe0f`},
		{"tag characters", "x\U000e0061", `x\U000e0061`},
		{"interlinear", "\ufff9a\ufffb", `\ufff9a\ufffb`},
		{"invisible letters", "\u3164\u115f\u034f", `\u3164\u115f\u034f`},
		{"private use", "\ue0b0", `\ue0b0`},
		{"unassigned", "\U000e0fff", `\U000e0fff`},
		{"surrogate half", "\xed\xa0\x80", "\ufffd\ufffd\ufffd"},
		{"skin tone", "👍\U0001f3fd", `👍\U0001f3fd`},
		{"one mark", "e\u0301", "e\u0301"},
		{"mark at the start", "\u0301e", `\u0301e`},
		{"flood of marks", "e" + strings.Repeat("\u0301", 6), "e\u0301\u0301\u0301\u0301" + `\u0301` + "\u0301"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, clean.Text(tt.in)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestCapped(t *testing.T) {
	tests := []struct {
		name, in string
		max      int
		want     string
	}{
		{"fits", "abc", 3, "abc"},
		{"cut", "abcd", 3, "ab…"},
		{"accents count once", "éèà", 3, "éèà"},
		{"escape grows past the cap", "ab\x1b", 4, `ab\…`},
		{"one", "abc", 1, "…"},
		{"none", "abc", 0, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, clean.Capped(tt.in, tt.max)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestLines(t *testing.T) {
	tests := []struct {
		name, in string
		lines    int
		want     []string
	}{
		{"empty", "\n", 5, nil},
		{"all fit", "a\r\n  b\tc\n", 5, []string{"a", "  b c"}},
		{"exactly", "a\nb\nc", 3, []string{"a", "b", "c"}},
		{"the middle goes", "Traceback\n1\n2\n3\n4\nValueError: x\n", 4,
			[]string{"Traceback", "… 3 lines left out", "4", "ValueError: x"}},
		{"no room for the note", "a\nb\nc", 2, []string{"b", "c"}},
		{"the error alone", "a\nb\nc", 1, []string{"c"}},
		{"none", "a", 0, nil},
		{"long line", "abcdefghijklmnopqrstuvwxyz", 1, []string{"abcdefghijklmnopqrs…"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, clean.Lines(tt.in, tt.lines, 20)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// FuzzText holds the promise the whole screen rests on: nothing that a
// terminal obeys or a reader cannot see gets through.
func FuzzText(f *testing.F) {
	for _, s := range []string{"", "plain", "\x1b[31m\u009b\x9b", "\u202e\u200b\n\r\t", "e\u0301\u0301\u0301\u0301\u0301", "\u3164\U000e0061\ufe0f"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		out := clean.Text(s)
		checkPrintable(t, out)
		if len(out) > 4*len(s) {
			t.Errorf("%d bytes became %d", len(s), len(out))
		}
		if again := clean.Text(out); again != out {
			t.Errorf("cleaning twice: %q, then %q", out, again)
		}
		capped := clean.Capped(s, 7)
		checkPrintable(t, capped)
		if n := utf8.RuneCountInString(capped); n > 7 {
			t.Errorf("Capped(%q, 7) has %d characters", s, n)
		}
		lines := clean.Lines(s, 3, 9)
		if len(lines) > 3 {
			t.Errorf("Lines(%q, 3) gave %d", s, len(lines))
		}
		for _, l := range lines {
			checkPrintable(t, l)
		}
	})
}

// checkPrintable spells the rule out on its own, by ranges and categories,
// not with the functions under test.
func checkPrintable(t *testing.T, s string) {
	t.Helper()
	if !utf8.ValidString(s) {
		t.Fatalf("invalid UTF-8: %q", s)
	}
	run := 4 // nothing to sit on
	for _, r := range s {
		switch {
		case r < 0x20, r >= 0x7f && r <= 0x9f, r >= 0x200b && r <= 0x200f, r >= 0x2028 && r <= 0x202e,
			r >= 0x2060 && r <= 0x206f, r == 0x061c, r == 0x00ad, r == 0xfeff, r >= 0xfe00 && r <= 0xfe0f,
			r >= 0xe0000 && r <= 0xe0fff, r >= 0xfff0 && r <= 0xfffb, r == 0x3164, r == 0xffa0, r == 0x034f,
			unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Cs, unicode.Zl, unicode.Zp):
			t.Fatalf("%U got through in %q", r, s)
		}
		if !unicode.IsMark(r) {
			run = 0
			continue
		}
		if run++; run > 4 {
			t.Fatalf("too many marks in %q", s)
		}
	}
}

func TestPlainTextCostsNoMemory(t *testing.T) {
	line := strings.Repeat("2026-11-22 19:50:26,972 ERROR grading.services ", 10)
	if n := testing.AllocsPerRun(100, func() { clean.Text(line) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkText(b *testing.B) {
	for name, s := range map[string]string{
		"ascii":   strings.Repeat("PDF generation failed for copy ", 8),
		"french":  strings.Repeat("Échec de la génération du PDF ", 8),
		"hostile": strings.Repeat("\x1b[31m\u202e", 32),
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(s)))
			b.ReportAllocs()
			for b.Loop() {
				clean.Text(s)
			}
		})
	}
}
