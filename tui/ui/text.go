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
// left out.
func clusters(s string, sgr bool, yield func(seq string, cells int) bool) {
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "?")
	}
	var state byte
	for len(s) > 0 {
		seq, cells, n, next := ansi.DecodeSequence(s, state, nil)
		s, state = s[n:], next
		if cells == 0 {
			if sgr && isSGR(seq) && !yield(seq, 0) {
				return
			}
			continue
		}
		if len(seq) > 1 {
			seq, cells = agreed(seq, cells)
		}
		if !yield(seq, cells) {
			return
		}
	}
}

// agreed gives a cluster on whose width all terminals agree. Old ones add up
// the code points of a joined emoji, new ones see one picture; where the two
// differ only the first code point stays, so that no border ever moves.
func agreed(seq string, cells int) (string, int) {
	if ansi.StringWidthWc(seq) == cells {
		return seq, cells
	}
	_, n := utf8.DecodeRuneInString(seq)
	first := seq[:n]
	if w := ansi.StringWidth(first); w > 0 && w == ansi.StringWidthWc(first) {
		return first, w
	}
	return "?", 1
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
	for _, paragraph := range strings.Split(s, "\n") {
		lines = append(lines, wrapLine(paragraph, w)...)
	}
	return lines
}

func wrapLine(s string, w int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(s) {
		if line != "" && Width(line)+1+Width(word) <= w {
			line += " " + word
			continue
		}
		if line != "" {
			lines = append(lines, line)
		}
		for Width(word) > w {
			head, rest := split(word, w)
			lines, word = append(lines, head), rest
		}
		line = word
	}
	return append(lines, line)
}

// split parts a word after at most w cells, but always after one character:
// a wide one in a single column is cut by whoever fits the line.
func split(word string, w int) (head, rest string) {
	cells, n := 0, 0
	for n < len(word) {
		seq, size := ansi.FirstGraphemeCluster(word[n:], ansi.GraphemeWidth)
		if n > 0 && cells+size > w {
			break
		}
		cells += size
		n += len(seq)
	}
	return word[:n], word[n:]
}
