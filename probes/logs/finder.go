package logs

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"
)

// finder finds the first of some ASCII texts, case ignored, in one of two ways.
//
// For ids, and for many texts at once, it is Horspool's search over groups of
// four bytes: the group at the end of the window says how far the window can
// move, which for an id of 36 characters is 33 bytes at almost every step. That
// outruns a search that looks at every byte, SIMD or not, and folding the case
// costs one OR. For other texts it looks for their rarest letter with
// [bytes.IndexByte], which is SIMD.
type finder struct {
	needles []string // lower case, not empty
	rare    []int    // where in each needle its rarest byte is
	ids     bool     // search by groups
	window  int      // length of the shortest one
	shift   []uint8  // how far the window can move, by the slot of its last group
	drop    uint32   // bits of a hash that the slot does not have
}

const (
	group = 4 // bytes that are hashed together
	// The table for a few texts fits into a first-level cache, that for many has
	// room for the groups of some hundred ids.
	fewSlots, manySlots = 12, 16 // bits
	// From this length on, skipping is worth more than SIMD for ids, whose digits
	// are everywhere; with more texts than fewTexts it always is.
	longText = 16
	fewTexts = 4
	piece    = 4 << 10
)

// common are the bytes of log lines, the most common first, as counted in the
// application's JSON.
const common = ` "e-a:io,tn0drs4/ceg2pl13b5f8679m_u.vy` + "`"

// newFinder makes a finder of texts that are ASCII and not empty.
func newFinder(texts ...string) *finder {
	f := &finder{window: 255}
	allIDs := true
	for _, s := range texts {
		s = lowerASCII(s)
		at := rarest(s)
		f.needles, f.rare = append(f.needles, s), append(f.rare, at)
		f.window = min(f.window, len(s))
		allIDs = allIDs && strings.Trim(s, "0123456789abcdef-") == ""
	}
	f.ids = f.window >= longText && allIDs || len(texts) > fewTexts && f.window >= 2*group
	if f.ids {
		f.fill()
	}
	return f
}

// rarest gives the place of the rarest byte of a text.
func rarest(s string) (at int) {
	rank := -1
	for i := range len(s) {
		r := strings.IndexByte(common, s[i])
		if r < 0 {
			r = len(common)
		}
		if r > rank {
			at, rank = i, r
		}
	}
	return at
}

// fill makes the table of how far the window can move.
func (f *finder) fill() {
	bits := fewSlots
	if len(f.needles) > fewTexts {
		bits = manySlots
	}
	f.drop, f.shift = uint32(32-bits), make([]uint8, 1<<bits)
	for i := range f.shift {
		f.shift[i] = uint8(f.window - group + 1)
	}
	for _, s := range f.needles {
		for end := group; end <= f.window; end++ {
			h := f.slot(binary.LittleEndian.Uint32([]byte(s[end-group : end])))
			f.shift[h] = min(f.shift[h], uint8(f.window-end))
		}
	}
}

// slot folds the case of a group and gives its place in the table.
func (f *finder) slot(x uint32) uint32 { return (x | 0x20202020) * 0x9E3779B1 >> f.drop }

// index gives where the first text begins in b, or -1.
func (f *finder) index(b []byte) int {
	if f.ids {
		return f.indexGroups(b)
	}
	// Piece by piece: a text, or a case, that is nowhere must not be looked for
	// to the end each time that another one is found.
	for from := 0; from+f.window <= len(b); from += piece {
		if i := f.indexPiece(b[from:], piece); i >= 0 {
			return from + i
		}
	}
	return -1
}

// indexPiece is index for texts that begin in the first n bytes of b.
func (f *finder) indexPiece(b []byte, n int) int {
	first := -1
	for i, s := range f.needles {
		part := b[:min(len(b), n+len(s)-1)]
		if at := indexRare(part, s, f.rare[i]); at >= 0 {
			first, n = at, at
		}
	}
	return first
}

func (f *finder) indexGroups(b []byte) int {
	for i := f.window - group; i <= len(b)-group; {
		s := f.shift[f.slot(binary.LittleEndian.Uint32(b[i:]))]
		if s == 0 {
			if at := i + group - f.window; f.matchAt(b, at) {
				return at
			}
			s = 1
		}
		i += int(s)
	}
	return -1
}

func (f *finder) matchAt(b []byte, at int) bool {
	return slices.ContainsFunc(f.needles, func(s string) bool { return foldEqual(b[at:], s) })
}

// indexFold gives where a lower-case text begins in b, case ignored, or -1.
func indexFold(b []byte, lower string) int {
	return indexRare(b, lower, rarest(lower))
}

// indexRare looks for the byte of a text at a place, in both cases.
func indexRare(b []byte, lower string, at int) int {
	end := len(b) - len(lower) + at + 1 // from there on it cannot be
	if end <= at {
		return -1
	}
	small, big := lower[at], upperByte(lower[at])
	nextSmall, nextBig := seek(b, small, at, end), end
	if big != small {
		nextBig = seek(b, big, at, end)
	}
	for {
		i := min(nextSmall, nextBig)
		switch {
		case i == end:
			return -1
		case foldEqual(b[i-at:], lower):
			return i - at
		case i == nextSmall:
			nextSmall = seek(b, small, i+1, end)
		default:
			nextBig = seek(b, big, i+1, end)
		}
	}
}

// seek gives where a byte stands between two places, or end.
func seek(b []byte, c byte, from, end int) int {
	if i := bytes.IndexByte(b[from:end], c); i >= 0 {
		return from + i
	}
	return end
}

// foldEqual says whether b begins with a lower-case text, case ignored.
func foldEqual(b []byte, lower string) bool {
	if len(b) < len(lower) {
		return false
	}
	for i := range len(lower) {
		if lowerByte(b[i]) != lower[i] {
			return false
		}
	}
	return true
}

func lowerByte(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c | 0x20
	}
	return c
}

func upperByte(c byte) byte {
	if c >= 'a' && c <= 'z' {
		return c &^ 0x20
	}
	return c
}

// lowerASCII lowers ASCII letters and leaves every other byte as it is.
func lowerASCII(s string) string {
	b := []byte(s)
	for i, c := range b {
		b[i] = lowerByte(c)
	}
	return string(b)
}
