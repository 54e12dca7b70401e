package logs

import (
	"bufio"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// BenchmarkRead compares following a fresh file with the cheapest way to read
// its lines at all.
func BenchmarkRead(b *testing.B) {
	const lines = 20_000
	dir := b.TempDir()
	path := filepath.Join(dir, "django.log")
	text := strings.Repeat(jsonText("INFO", 1)+"\n", lines)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		b.Fatal(err)
	}
	read := map[string]func() int{
		"scanner": func() (n int) {
			f, _ := os.Open(path)
			defer f.Close()
			for s := bufio.NewScanner(f); s.Scan(); {
				n++
			}
			return n
		},
		"probe": func() int {
			o, err := New(Config{Dir: dir, MaxTail: 1 << 30}).Sample(context.Background())
			if err != nil || len(o.(Overview).Recent) != maxRecent {
				b.Fatal(err)
			}
			return lines
		},
		"search": func() int {
			res, err := New(Config{Dir: dir}).Search(context.Background(), Query{Level: "ERROR"})
			if err != nil || len(res.Lines) != 0 {
				b.Fatal(err)
			}
			return lines
		},
	}
	for _, name := range []string{"scanner", "probe", "search"} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				if n := read[name](); n != lines {
					b.Fatal(n)
				}
			}
			b.ReportMetric(float64(lines*b.N)/b.Elapsed().Seconds(), "lines/s")
		})
	}
}
