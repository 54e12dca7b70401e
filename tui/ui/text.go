package ui

import (
	"strings"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"
)

// blanks is cut into padding; wider padding than this is built.
const blanks = "                                                                                                                                "

// Blank gives n blank cells; none when n is negative.
func Blank(n int) string {
	switch {
	case n <= 0:
		return ""
	case n <= len(blanks):
		return blanks[:n]
	}
	return strings.Repeat(" ", n)
}

// Width counts the cells of s. Escape sequences and everything else that has
// no width count nothing.
func Width(s string) int {
	if printable(s) {
		return len(s)
	}
	n := 0
	clusters(s, false, func(_ string, cells int) bool {
		n += cells
		return true
	})
	return n
}

// Cut gives s in at most w cells, ending in … when something was left out. s
// is data: escape sequences and controls in it are dropped.
func Cut(s string, w int) string {
	s, _ = cut(s, w, false)
	return s
}

// Pad adds blanks until s has w cells. It never cuts.
func Pad(s string, w int) string { return s + Blank(w-Width(s)) }

// Fit gives data in exactly w cells, left-aligned.
func Fit(s string, w int) string {
	s, n := cut(s, w, false)
	return s + Blank(w-n)
}

// FitRight gives data in exactly w cells, right-aligned.
func FitRight(s string, w int) string {
	s, n := cut(s, w, false)
	return Blank(w-n) + s
}

// FitStyled gives a line of our own making in exactly w cells. Its colours
// (SGR) stay, and end where it is cut.
func FitStyled(s string, w int) string {
	s, n := cut(s, w, true)
	return s + Blank(w-n)
}

// cut gives at most w cells of s and how many they are.
func cut(s string, w int, sgr bool) (string, int) {
	if w <= 0 {
		return "", 0
	}
	if printable(s) {
		if len(s) <= w {
			return s, len(s)
		}
		return s[:w-1] + "…", w
	}
	return cutClusters(s, w, sgr)
}

// cutClusters is the slow path of cut. room is where the text ends that leaves
// a cell for the ellipsis.
func cutClusters(s string, w int, sgr bool) (string, int) {
	var b strings.Builder
	b.Grow(len(s))
	cells, room, roomCells, over, styled := 0, 0, 0, false, false
	clusters(s, sgr, func(seq string, n int) bool {
		if cells+n > w {
			over = true
			return false
		}
		b.WriteString(seq)
		cells += n
		styled = styled || n == 0
		if cells <= w-1 {
			room, roomCells = b.Len(), cells
		}
		return true
	})
	if !over {
		return b.String(), cells
	}
	out := b.String()[:room] + "…"
	if styled {
		out += "\x1b[m"
	}
	return out, roomCells + 1
}

// printable tells whether s is ASCII without controls, where a byte is a cell.
func printable(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// clusters walks over what s shows, a user-perceived character at a time. With
// sgr, colour sequences come too, as 0 cells; whatever else has no width is
// left out. Two characters that would melt into one once what was between them
// is gone, or with the blank before s, do not: the second is shown as ?.
func clusters(s string, sgr bool, yield func(seq string, cells int) bool) {
	before, gone := " ", true
	for s = valid(s); len(s) > 0; {
		seq, cells, n := first(s)
		whole := s[:n]
		s = s[n:]
		if cells == 0 && !(sgr && isSGR(seq)) {
			gone = true
			continue
		}
		if gone && len(seq) > 1 && cells > 0 && melt(before, seq) {
			seq, cells = "?", 1
		}
		if !yield(seq, cells) {
			return
		}
		before, gone = seq, seq != whole
	}
}

// melt tells whether b, put right after a, becomes part of the same character.
func melt(a, b string) bool {
	seq, _ := ansi.FirstGraphemeCluster(a+b, ansi.GraphemeWidth)
	return len(seq) > len(a)
}

func valid(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return strings.ToValidUTF8(s, "?")
}

// first takes the first character or escape sequence off s; n is its length in
// s, where seq may be less than that.
func first(s string) (seq string, cells, n int) {
	switch {
	case s[0] < ' ' || s[0] == 0x7f:
		seq, _, n, _ = ansi.DecodeSequence(s, 0, nil)
		return seq, 0, n
	case s[0] < utf8.RuneSelf && (len(s) == 1 || s[1] < utf8.RuneSelf):
		return s[:1], 1, 1
	}
	if n := simple(s); n > 0 && (n == len(s) || s[n] < utf8.RuneSelf || simple(s[n:]) > 0) {
		return s[:n], 1, n
	}
	seq, cells = ansi.FirstGraphemeCluster(s, ansi.GraphemeWidth)
	n = len(seq)
	if cells > 0 {
		seq, cells = agreed(seq, cells)
	}
	return seq, cells, n
}

// simple gives the bytes of the first rune when it is a Latin letter beyond
// ASCII (U+00C0 to U+02FF) or a piece of a frame or bar (U+2500 to U+25BF): one
// cell, and it joins nothing. 0: it is something else. It spares most text of
// the slow path.
func simple(s string) int {
	switch {
	case len(s) > 1 && s[0] >= 0xc3 && s[0] <= 0xcb:
		return 2
	case len(s) > 2 && s[0] == 0xe2 && s[1] >= 0x94 && s[1] <= 0x96:
		return 3
	}
	return 0
}

// agreed gives a cluster on whose width all terminals agree. Old ones add up
// the code points of a joined emoji, new ones see one picture; where the two
// differ only the first code point stays, so that no border ever moves. One
// that swallows the character after it is not shown at all.
func agreed(seq string, cells int) (string, int) {
	if ansi.StringWidthWc(seq) != cells {
		_, n := utf8.DecodeRuneInString(seq)
		seq = seq[:n]
		cells = ansi.StringWidth(seq)
	}
	if cells == 0 || cells != ansi.StringWidthWc(seq) || melt(seq, " ") {
		return "?", 1
	}
	return seq, cells
}

func isSGR(seq string) bool {
	return len(seq) > 2 && seq[0] == '\x1b' && seq[1] == '[' && seq[len(seq)-1] == 'm'
}

// Wrap breaks sentences into lines of at most w cells, at blanks where it can.
func Wrap(s string, w int) []string {
	if w <= 0 {
		return nil
	}
	var lines []string
	for _, paragraph := range strings.Split(valid(s), "\n") {
		lines = append(lines, wrapLine(paragraph, w)...)
	}
	return lines
}

func wrapLine(s string, w int) []string {
	var lines []string
	line, cells := "", 0
	for _, word := range strings.Fields(s) {
		n := Width(word)
		if line != "" && cells+1+n <= w {
			line, cells = line+" "+word, cells+1+n
			continue
		}
		if line != "" {
			lines = append(lines, line)
		}
		for n > w {
			head, rest := split(word, w)
			lines, word, n = append(lines, head), rest, n-Width(head)
		}
		line, cells = word, n
	}
	return append(lines, line)
}

// split parts a word after at most w cells, but always after one character:
// a wide one in a single column is cut by whoever fits the line.
func split(word string, w int) (head, rest string) {
	cells, at := 0, 0
	for at < len(word) {
		_, size, n := first(word[at:])
		if at > 0 && cells+size > w {
			break
		}
		cells += size
		at += n
	}
	return word[:at], word[at:]
}

// Break breaks a line that must stay as it is, such as a command, into lines of
// at most w cells, those after the first of hang cells less. It is broken at a
// blank where it can, which goes; all others stay.
func Break(s string, w, hang int) []string {
	var lines []string
	s = valid(s)
	for room := w; Width(s) > room; room = max(w-hang, 1) {
		head, rest := split(s, room)
		if rest == "" { // a wide character in one column
			break
		}
		if i := strings.LastIndexByte(head, ' '); rest[0] != ' ' && strings.TrimSpace(head[:max(i, 0)]) != "" {
			head, rest = head[:i], s[i:]
		}
		lines, s = append(lines, head), strings.TrimPrefix(rest, " ")
	}
	return append(lines, s)
}

// CutMiddle gives s in at most w cells and leaves something out in the middle,
// where both ends tell: a path.
func CutMiddle(s string, w int) string {
	all := Width(s)
	if w < 8 || all <= w {
		return Cut(s, w)
	}
	s = valid(s)
	head, _ := split(s, (w-1)/2)
	drop, tail := all-(w-1-Width(head)), s
	for drop > 0 && tail != "" {
		_, cells, n := first(tail)
		tail, drop = tail[n:], drop-cells
	}
	return Cut(head+"…"+tail, w)
}
