package ui

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// The signs that go with a colour, so that no meaning hangs on colour alone.
// Every other place in the cockpit writes these; with --ascii the finished line
// goes through [ASCII], which knows their replacements.
const (
	SignGood   = "✓"
	SignBad    = "✗"
	SignWarn   = "⚠"
	SignDot    = "●" // a source or worker that is up
	SignHollow = "○" // one that is idle or unknown
	SignCursor = "▌"
	SignMark   = "•"
	SignGuess  = "≥" // a lower bound
	SignRight  = "→"
	SignUp     = "▲" // sorted upwards; findings
	SignDown   = "▼"
	SignFold   = "▸" // there is more of it, folded
	SignBlind  = "◌" // not looked at, or it cannot be
)

// replacements has one ASCII cell for one cell, so a line keeps its width.
var replacements = map[rune]byte{
	'✓': '+', '✗': 'x', '⚠': '!', '●': '*', '○': 'o', '◌': 'o', '▌': '>', '•': '*',
	'≥': '>', '≤': '<', '→': '>', '←': '<', '↑': '^', '↓': 'v', '▲': '^', '▼': 'v', '▸': '>',
	'…': '~', '·': '-', '–': '-', '—': '-', '×': 'x', '’': '\'', '‘': '\'',
	'“': '"', '”': '"', '«': '"', '»': '"', '±': '~', '−': '-', 'µ': 'u',
	'─': '-', '│': '|', '╭': '+', '╮': '+', '╰': '+', '╯': '+', '├': '+', '┤': '+', '└': '+', '┴': '+',
	'━': '=', '┃': '#', '┏': '#', '┓': '#', '┗': '#', '┛': '#',
	'▁': '_', '▂': '.', '▃': ':', '▄': '-', '▅': '=', '▆': '+', '▇': '*', '█': '#',
	'░': '.', '␛': '^', '\u00a0': ' ', '\u202f': ' ',
}

// ASCII rewrites a finished line for a terminal that shows only ASCII, cell by
// cell: our signs by their replacements, accented letters by their base, the
// rest by question marks. Colours stay.
func ASCII(line string) string {
	if !hasWide(line) {
		return line
	}
	var b strings.Builder
	b.Grow(len(line))
	clusters(line, true, func(seq string, cells int) bool {
		r, _ := utf8.DecodeRuneInString(seq)
		switch {
		case r < utf8.RuneSelf && cells == 0:
			b.WriteString(seq)
		case r < utf8.RuneSelf:
			b.WriteRune(r)
		default:
			b.WriteString(asciiCells(r, cells))
		}
		return true
	})
	return b.String()
}

func hasWide(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return true
		}
	}
	return false
}

func asciiCells(r rune, cells int) string {
	c, ok := replacements[r]
	if base := unaccented(r); !ok && base < utf8.RuneSelf {
		c, ok = byte(base), true
	}
	if ok && cells == 1 {
		return string(rune(c))
	}
	return strings.Repeat("?", cells)
}

// Fold makes text comparable for a search: lower case, without accents.
func Fold(s string) string {
	if printable(s) {
		return strings.ToLower(s)
	}
	return strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) {
			return -1
		}
		return unicode.ToLower(unaccented(r))
	}, s)
}

// accents lists the letters of French and its neighbours by their base letter.
var accents = map[rune]string{
	'a': "àâäáãåæ", 'c': "ç", 'e': "éèêë", 'i': "îïíì", 'n': "ñ",
	'o': "ôöóòõøœ", 'u': "ùûüú", 'y': "ÿý",
	'A': "ÀÂÄÁÃÅÆ", 'C': "Ç", 'E': "ÉÈÊË", 'I': "ÎÏÍÌ", 'N': "Ñ",
	'O': "ÔÖÓÒÕØŒ", 'U': "ÙÛÜÚ", 'Y': "ŸÝ",
}

var bases = func() map[rune]rune {
	m := map[rune]rune{}
	for base, letters := range accents {
		for _, r := range letters {
			m[r] = base
		}
	}
	return m
}()

func unaccented(r rune) rune {
	if base, ok := bases[r]; ok {
		return base
	}
	return r
}
