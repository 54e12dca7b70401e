package logs

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"gradecockpit/probes/lab/labtest"
)

// The benchmarks print ratios against ripgrep over the same files in the same
// run: the median of the one by the median of the other, taken in turns.

// partSize is where the application rotates.
const partSize = 10 << 20

// generate writes the parts of a django.log of production lines, and gives the
// uuid of a copy of which some records are in every part.
func generate(tb testing.TB, dir string, parts int) (id string) {
	tb.Helper()
	r := rand.New(rand.NewPCG(7, 7))
	uuid := func() string {
		return fmt.Sprintf("%08x-%04x-4%03x-8%03x-%012x", r.Uint32(), r.IntN(1<<16), r.IntN(1<<12), r.IntN(1<<12), r.Uint64()>>16)
	}
	copies := make([]string, 3000)
	for i := range copies {
		copies[i] = uuid()
	}
	at := noon
	for part := parts - 1; part >= 0; part-- {
		name := filepath.Join(dir, "django.log")
		if part > 0 {
			name += "." + strconv.Itoa(part)
		}
		f, err := os.Create(name)
		if err != nil {
			tb.Fatal(err)
		}
		w := bufio.NewWriterSize(f, 1<<20)
		for size := 0; size < partSize; {
			at = at.Add(time.Duration(r.IntN(300)) * time.Millisecond)
			n, _ := w.WriteString(productionLine(r, at, copies[r.IntN(len(copies))], uuid()))
			size += n
		}
		if err := errors.Join(w.Flush(), f.Close()); err != nil {
			tb.Fatal(err)
		}
	}
	return copies[5]
}

// productionLine is one of the records that the deployed system writes most.
func productionLine(r *rand.Rand, at time.Time, copyID, request string) string {
	stamp := at.Format("2006-01-02 15:04:05,000")
	tail := fmt.Sprintf(`"request_id": "%s", "path": "/api/grading/copies/%s/draft/", "method": "PUT", "user_id": %d, "module": "views", "function": "put", "line": 210}`, request, copyID, r.IntN(40))
	switch n := r.IntN(10); {
	case n < 7:
		return fmt.Sprintf(`{"timestamp": "%s", "level": "INFO", "logger": "grading.views", "message": "Saved draft of copy %s (version %d)", %s`+"\n", stamp, copyID, r.IntN(90), tail)
	case n < 9:
		return fmt.Sprintf(`{"timestamp": "%s", "level": "WARNING", "logger": "django.request", "message": "Conflict: /api/grading/copies/%s/finalize/", "status_code": 409, "request": "<WSGIRequest: POST '/api/grading/copies/%s/finalize/'>", "module": "log", "function": "log_response", "line": 229}`+"\n", stamp, copyID, copyID)
	}
	return fmt.Sprintf(`{"timestamp": "%s", "level": "ERROR", "logger": "grading.services", "message": "PDF generation failed for copy %s (attempt 1): No pages found to flatten", "exc_info": "Traceback (most recent call last):\n  File \"/app/grading/services.py\", line 596, in finalize_copy\n    pdf_bytes = flattener.flatten_copy(copy)\nValueError: No pages found to flatten", %s`+"\n", stamp, copyID, tail)
}

// turns runs the contestants in turns and gives the median time of each.
func turns(b *testing.B, run ...func()) []time.Duration {
	times := make([][]time.Duration, len(run))
	for b.Loop() {
		for i, f := range run {
			start := time.Now()
			f()
			times[i] = append(times[i], time.Since(start))
		}
	}
	medians := make([]time.Duration, len(run))
	for i, t := range times {
		slices.Sort(t)
		medians[i] = t[len(t)/2]
	}
	return medians
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// BenchmarkTraceCommand is the whole command, cold start included, over ten
// rotated files of 10 MB.
func BenchmarkTraceCommand(b *testing.B) {
	labtest.Need(b, "rg")
	dir := b.TempDir()
	id := generate(b, dir, 10)
	binary := filepath.Join(b.TempDir(), "gradecockpit")
	if out, err := exec.Command("go", "build", "-o", binary, "gradecockpit/cmd/gradecockpit").CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	files, _ := filepath.Glob(dir + "/django.log*")
	command := func(name string, args ...string) func() {
		return func() {
			cmd := exec.Command(name, args...)
			cmd.Env = []string{"GRADING_LOG_DIR=" + dir, "HOME=" + dir}
			if out, err := cmd.Output(); err != nil || len(out) < 1000 {
				b.Fatalf("%v: %d bytes", err, len(out))
			}
		}
	}
	t := turns(b, command(binary, "trace", id), command("rg", append([]string{"--no-messages", id}, files...)...), command(binary, "version", "--help"))
	b.ReportMetric(float64(t[0])/float64(t[1]), "x-ripgrep")
	b.ReportMetric(ms(t[0]), "ms-trace")
	b.ReportMetric(ms(t[1]), "ms-ripgrep")
	b.ReportMetric(ms(t[2]), "ms-start")
}

// BenchmarkFirstScreen is how long the first 50 records of a filter take, by
// default over 100 MB; GRADECOCKPIT_BENCH_MB=1000 makes it 1 GB. A text that is
// nowhere is looked for to the end, while partial results say how far.
func BenchmarkFirstScreen(b *testing.B) {
	labtest.Need(b, "rg")
	size := 100
	if s := os.Getenv("GRADECOCKPIT_BENCH_MB"); s != "" {
		size, _ = strconv.Atoi(s)
	}
	dir := b.TempDir()
	id := generate(b, dir, size/10)
	files, _ := filepath.Glob(dir + "/django.log*")
	for _, query := range []string{"level:error", "conflict", "/version 8\\d/", "since:1h level:warning", id, "nowhere to be found"} {
		b.Run(query, func(b *testing.B) {
			q, err := ParseQuery(query, time.Now(), time.UTC)
			if err != nil {
				b.Fatal(err)
			}
			q.Limit, q.Since = 50, time.Time{}
			var first, whole []time.Duration
			t := turns(b, func() {
				start := time.Now()
				said := time.Duration(0)
				_, err := New(Config{Dir: dir}).Seek(context.Background(), q, func(Result) {
					if said == 0 {
						said = time.Since(start)
					}
				})
				if err != nil {
					b.Fatal(err)
				}
				whole = append(whole, time.Since(start))
				if said == 0 {
					said = time.Since(start)
				}
				first = append(first, said)
			}, func() {
				_ = exec.Command("rg", append([]string{"-i", "--no-messages", "-c", "nowhere to be found"}, files...)...).Run()
			})
			slices.Sort(first)
			b.ReportMetric(ms(first[len(first)/2]), "ms-first")
			b.ReportMetric(ms(t[0]), "ms-all")
			b.ReportMetric(float64(t[0])/float64(t[1]), "x-ripgrep")
		})
	}
}

// BenchmarkFollow is reading a fresh file into the tally.
func BenchmarkFollow(b *testing.B) {
	dir := b.TempDir()
	generate(b, dir, 1)
	b.SetBytes(partSize)
	b.ReportAllocs()
	for b.Loop() {
		o, err := NewFolder(Config{Dir: dir, MaxTail: 1 << 30}).Sample(context.Background())
		if err != nil || len(o.Recent) != maxRecent {
			b.Fatal(err)
		}
	}
}
