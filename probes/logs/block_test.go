package logs

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gradecockpit/probes/lab/labtest"
)

// jumble is a file of every format, larger than some blocks, with tracebacks,
// stray lines and lines of two containers, but without blank lines. It gives
// the text and how many records it has.
func jumble(seed uint64, size int) (text string, records int) {
	r := rand.New(rand.NewPCG(seed, 1))
	var b strings.Builder
	for n := 0; b.Len() < size; n++ {
		records++
		at := noon.Add(time.Duration(n) * time.Millisecond)
		stamp := at.Format("2006-01-02 15:04:05,000")
		trace := strings.Repeat("  File \"/app/x.py\", line 3, in f\n", r.IntN(30)) + "ValueError: e" + copyID(n%50) + "\n"
		switch r.IntN(7) {
		case 0:
			fmt.Fprintf(&b, "%s ERROR grading.services failed for copy %s\nTraceback (most recent call last):\n%s", stamp, copyID(n%50), trace)
		case 1:
			fmt.Fprintf(&b, "[%s] WARNING grading.views views n%d\n", stamp, n)
		case 2:
			fmt.Fprintf(&b, "[%s: INFO/ForkPoolWorker-1] Task a.b[%s] received\n", stamp, copyID(n%50))
		case 3:
			fmt.Fprintf(&b, "backend-1  | %s ERROR grading n%d\nbackend-1  | %s\n", stamp, n, strings.ReplaceAll(strings.TrimSuffix(trace, "\n"), "\n", "\nbackend-1  | "))
		case 4: // behind a production line nothing goes on
			fmt.Fprintf(&b, "%s\nstray %s\n  goes on\n", jsonText("INFO", n), copyID(n%50))
			records++
		default:
			fmt.Fprintf(&b, "%s\n", jsonText("INFO", n))
		}
	}
	return b.String(), records
}

func each(t *testing.T, s Source, q Query) (out []Line) {
	t.Helper()
	if _, err := s.Each(context.Background(), q, func(l Line) bool { out = append(out, l); return true }); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestEveryByteBelongsToOneRecord: wherever a block ends.
func TestEveryByteBelongsToOneRecord(t *testing.T) {
	for seed := range uint64(6) {
		d, dir := folder(t, Config{})
		text, records := jumble(seed, 900_000+int(seed)*7777)
		write(t, dir, "django.log", text)
		sum := 0
		all := each(t, d, Query{})
		for _, l := range all {
			sum += l.Length + 1
		}
		if sum != len(text) || len(all) != records {
			t.Errorf("seed %d: %d records of %d bytes, want %d of %d", seed, len(all), sum, records, len(text))
		}
	}
}

// TestWhatIsLookedForIsFound: the quick way around the texts gives what looking
// at every record gives.
func TestWhatIsLookedForIsFound(t *testing.T) {
	d, dir := folder(t, Config{})
	text, _ := jumble(42, 1_500_000)
	write(t, dir, "django.log", text)
	everything := each(t, d, Query{})
	raw := make([][]byte, len(everything))
	for i, l := range everything {
		r, err := d.ReadLine(context.Background(), l.Place)
		if err != nil {
			t.Fatal(err)
		}
		raw[i] = []byte(strings.Join(r.Text, "\n"))
	}
	for _, query := range []string{copyID(7), "stray", "level:error " + copyID(9), "/ValueError: e.*0{9}1[0-3]/", "logger:celery task", "goes on", "level:error",
		"!copy grading.views", "origin=backend-1 ERROR"} {
		q, err := ParseQuery(query, noon, time.UTC)
		if err != nil {
			t.Fatal(err)
		}
		var want, got []string
		for i, l := range everything {
			if q.Matches(l, raw[i]) {
				want = append(want, l.Place)
			}
		}
		for _, l := range each(t, d, q) {
			got = append(got, l.Place)
		}
		if diff := cmp.Diff(want, got); diff != "" || len(got) == 0 {
			t.Errorf("%s: %d records: %s", query, len(got), diff)
		}
	}
}

// TestFoundWhatRipgrepFinds compares the lines in which an id stands, over the
// rotated parts of all logs, with those that ripgrep prints.
func TestFoundWhatRipgrepFinds(t *testing.T) {
	labtest.Need(t, "rg")
	d, dir := folder(t, Config{})
	for i, name := range []string{"django.log", "django.log.1", "django.log.2", "audit.log"} {
		text, _ := jumble(uint64(i), 600_000)
		write(t, dir, name, text)
	}
	for n := range 5 {
		out, err := exec.Command("rg", "--no-filename", "--no-line-number", "-i", copyID(n), dir).Output()
		if err != nil {
			t.Fatal(err)
		}
		lines := 0
		for _, l := range each(t, d, Query{Text: []string{strings.ToUpper(copyID(n))}}) {
			r, err := d.ReadLine(context.Background(), l.Place)
			if err != nil {
				t.Fatal(err)
			}
			for _, text := range r.Text {
				if strings.Contains(text, copyID(n)) {
					lines++
				}
			}
		}
		if want := strings.Count(string(out), "\n"); lines != want || want == 0 {
			t.Errorf("%d lines, ripgrep finds %d", lines, want)
		}
	}
}

func TestReadLineAfterARotation(t *testing.T) {
	for name, rotate := range map[string]func(t *testing.T, dir string){
		"not rotated": func(*testing.T, string) {},
		"renamed": func(t *testing.T, dir string) {
			rename(t, dir, "django.log", "django.log.1")
			write(t, dir, "django.log", jsonText("INFO", 9)+"\n")
		},
		"copied and emptied": func(t *testing.T, dir string) {
			data, _ := os.ReadFile(filepath.Join(dir, "django.log"))
			write(t, dir, "django.log.1", string(data))
			write(t, dir, "django.log", jsonText("INFO", 9)+"\n")
		},
	} {
		t.Run(name, func(t *testing.T) {
			d, dir := folder(t, Config{})
			text, _ := jumble(3, 20_000)
			write(t, dir, "django.log", text)
			lines := each(t, d, Query{})
			rotate(t, dir)
			got := 0
			for _, l := range lines {
				r, err := d.ReadLine(context.Background(), l.Place)
				if err != nil {
					t.Fatal(err)
				}
				if r.At != l.At || r.Message != l.Message || !cmp.Equal(r.Trace, l.Trace) {
					t.Errorf("%s is now %+v", l.Place, r)
				}
				got += len(strings.Join(r.Text, "\n")) + 1
			}
			if got != len(text) {
				t.Errorf("%d bytes of %d", got, len(text))
			}
		})
	}
}

func TestReadLineOfWhatIsGone(t *testing.T) {
	d, dir := folder(t, Config{})
	write(t, dir, "django.log", jsonText("INFO", 1)+"\n")
	place := each(t, d, Query{})[0].Place
	write(t, dir, "django.log", jsonText("INFO", 2)+"\n")
	for _, p := range []string{place, "", "x", "django.log:1:999999:00000000", "django.log:-1:-1:zz"} {
		if _, err := d.ReadLine(context.Background(), p); err == nil || !strings.Contains(err.Error(), "it is no longer in the logs") {
			t.Errorf("%q: %v", p, err)
		}
	}
}
