package logs

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// slowIndex is what finder must give, found by trying every place.
func slowIndex(b []byte, texts []string) int {
	lower := []byte(lowerASCII(string(b)))
	first := -1
	for _, s := range texts {
		if i := bytes.Index(lower, []byte(lowerASCII(s))); i >= 0 && (first < 0 || i < first) {
			first = i
		}
	}
	return first
}

func TestFinder(t *testing.T) {
	id := "762e6220-885d-48e6-a935-a25fc913e34f"
	ids := make([]string, 60)
	for i := range ids {
		ids[i] = fmt.Sprintf("%08x-885d-48e6-a935-a25fc913%04x", i*7919, i)
	}
	for name, texts := range map[string][]string{
		"an id": {id}, "many ids": ids, "one letter": {"e"}, "two": {"OK"}, "a word": {"Conflict"}, "levels": {"error", "critical", "fatal"},
		"many words": {"finalize", "rasterize", "pymupdf_", "tesseract", "flattening", "broken document"}, "long": {"PDF generation failed for copy"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFinder(texts...)
			r := rand.New(rand.NewPCG(1, 2))
			for round := range 400 {
				text := noise(r, texts)
				if got, want := f.index(text), slowIndex(text, texts); got != want {
					t.Fatalf("round %d: %d, want %d in %d bytes", round, got, want, len(text))
				}
			}
		})
	}
}

// noise is a text of pieces of the texts, in both cases, with whole ones among
// them now and then.
func noise(r *rand.Rand, texts []string) []byte {
	var b bytes.Buffer
	for size := r.IntN(9000); b.Len() < size; {
		s := texts[r.IntN(len(texts))]
		if r.IntN(2) == 0 {
			s = strings.ToUpper(s)
		}
		switch from := r.IntN(len(s)); r.IntN(60) {
		case 0:
			b.WriteString(s)
		case 1:
			b.WriteString("\x00\xff ")
		default:
			b.WriteString(s[from:from+r.IntN(len(s)-from)] + "0123456789abcdef-@`[{"[r.IntN(10):])
		}
	}
	return b.Bytes()
}

func FuzzFinder(f *testing.F) {
	f.Add([]byte("the quick brown FOX"), "fox", "quick")
	f.Add([]byte("AB-ab-aB"), "b-a", "-")
	f.Fuzz(func(t *testing.T, text []byte, a, b string) {
		if !simple(a) || !simple(b) || a == "" || b == "" {
			return
		}
		if got, want := newFinder(a, b).index(text), slowIndex(text, []string{a, b}); got != want {
			t.Errorf("%q, %q in %q: %d, want %d", a, b, text, got, want)
		}
	})
}
