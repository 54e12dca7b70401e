// Package clean turns untrusted bytes into text that is safe to print.
//
// Everything that comes from outside (rows, log lines, headers, file names,
// error messages of servers) goes through here once, after decoding and before
// its width is measured. It is not under internal/ because the actions read
// rows of their own when they plan, and those are as hostile as a probe's.
//
// What a terminal would obey, or a reader could not see, is spelled out in
// ASCII (`\x1b`, `\u202e`) rather than dropped: the trick stays visible. A
// backslash of the data itself stays as it is, so cleaning twice changes
// nothing, and a text that holds a literal `\x1b` looks the same as a spelled
// out escape; both are harmless.
package clean

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxMarks is how many combining marks may sit on one character. Written
// languages need up to three; a hundred of them paint over other lines.
const maxMarks = 4

// Text gives s as one line of valid UTF-8 without controls, invisible or
// reordering characters. Its length is at most 4 times that of s. A text of
// printable ASCII comes back as it is, without a copy.
func Text(s string) string {
	n := plain(s)
	if n == len(s) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s) + 16)
	b.WriteString(s[:n])
	marks := 0
	if n == 0 {
		marks = maxMarks // a mark at the start would sit on what is left of us
	}
	for _, r := range s[n:] {
		switch {
		case western(r):
			b.WriteRune(r)
		case isMark(r) && marks < maxMarks:
			marks++
			b.WriteRune(r)
			continue
		case unicode.Is(unicode.Zs, r) || r == '\t':
			b.WriteByte(' ')
		case isMark(r) || !visible(r):
			b.WriteString(spell(r))
		default:
			b.WriteRune(r)
		}
		marks = 0
	}
	return b.String()
}

// plain counts the leading bytes that are printable ASCII.
func plain(s string) int {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return i
		}
	}
	return len(s)
}

// western is the quick way out for the letters of European languages: printable
// ASCII, Latin-1 without the soft hyphen, and all up to the combining marks.
func western(r rune) bool {
	return r >= ' ' && r <= '~' || r > 0xA0 && r < 0x300 && r != 0xAD
}

// visible says whether a character shows itself, in its place, in a width that
// terminals agree on. Private use and unassigned characters are not: what they
// look like depends on the font.
func visible(r rune) bool {
	return unicode.IsPrint(r) && !unicode.In(r, unicode.Variation_Selector,
		unicode.Other_Default_Ignorable_Code_Point, toneModifiers)
}

// isMark says whether a visible character joins the one before it.
func isMark(r rune) bool {
	return visible(r) && (unicode.IsMark(r) || unicode.Is(joining, r))
}

var (
	// Emoji skin tones widen the character before them on some terminals only.
	toneModifiers = &unicode.RangeTable{R32: []unicode.Range32{{Lo: 0x1F3FB, Hi: 0x1F3FF, Stride: 1}}}
	// Hangul vowels and finals, and half-width voicing marks, are letters to
	// Unicode but join like marks, without a limit.
	joining = &unicode.RangeTable{R16: []unicode.Range16{
		{Lo: 0x1160, Hi: 0x11FF, Stride: 1}, {Lo: 0xD7B0, Hi: 0xD7FF, Stride: 1}, {Lo: 0xFF9E, Hi: 0xFF9F, Stride: 1},
	}}
)

// spell writes a character as an ASCII escape. U+FFFD, which also stands for
// each invalid byte, is visible and never comes here.
func spell(r rune) string {
	switch {
	case r == '\n':
		return `\n`
	case r == '\r':
		return `\r`
	case r <= 0xFF:
		return fmt.Sprintf(`\x%02x`, r)
	case r <= 0xFFFF:
		return fmt.Sprintf(`\u%04x`, r)
	default:
		return fmt.Sprintf(`\U%08x`, r)
	}
}

// Capped is Text cut to max characters, the last of them "…" when something
// was cut. It looks at no more of s than it gives back, so s may be huge.
func Capped(s string, max int) string {
	if max <= 0 {
		return ""
	}
	head := firstRunes(s, max+1) // each gives at least one character
	out := Text(head)
	if kept := firstRunes(out, max); len(kept) == len(out) {
		return out
	}
	return strings.Clone(firstRunes(out, max-1)) + "…"
}

// firstRunes gives the first n characters of s.
func firstRunes(s string, n int) string {
	if len(s) <= n {
		return s
	}
	i := 0
	for ; n > 0 && i < len(s); n-- {
		_, size := utf8.DecodeRuneInString(s[i:])
		i += size
	}
	return s[:i]
}

// Lines gives a text of several lines, such as a traceback, as at most
// maxLines lines of at most maxLen characters. The middle goes first, with a
// line that says so: a traceback names its error at the end.
func Lines(s string, maxLines, maxLen int) []string {
	s = strings.TrimRight(s, "\r\n")
	if s == "" || maxLines <= 0 {
		return nil
	}
	total := strings.Count(s, "\n") + 1
	left := total - maxLines // lines that must go, if more than 0
	var out []string
	n := 0
	for line := range strings.SplitSeq(s, "\n") {
		switch {
		case left <= 0 || n == 0 && maxLines > 2 || n > left+1 || maxLines <= 2 && n >= left:
			out = append(out, Capped(strings.TrimSuffix(line, "\r"), maxLen))
		case n == 1 && maxLines > 2:
			out = append(out, Capped(fmt.Sprintf("… %d lines left out", left+1), maxLen))
		}
		n++
	}
	return out
}
