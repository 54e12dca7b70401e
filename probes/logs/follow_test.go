package logs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gradecockpit/probes"
)

func TestFollow(t *testing.T) {
	line := func(n int) string { return jsonText("ERROR", n) + "\n" }
	tests := []struct {
		name string
		act  func(t *testing.T, p *Folder, dir string) // after django.log with line 1 was sampled
		want []string
	}{
		{"appended", func(t *testing.T, p *Folder, dir string) { appendTo(t, dir, "django.log", line(2)+line(3)) },
			[]string{"req-1", "req-2", "req-3"}},
		{"a half line waits for its end", func(t *testing.T, p *Folder, dir string) {
			appendTo(t, dir, "django.log", line(2)[:40])
			if got := sample(t, p); len(got.Recent) != 1 || got.Unparsed != 0 {
				t.Errorf("half a line gave %v, %d unparsed", requests(got.Recent), got.Unparsed)
			}
			appendTo(t, dir, "django.log", line(2)[40:])
		}, []string{"req-1", "req-2"}},
		{"rotated by rename, with lines before and after", func(t *testing.T, p *Folder, dir string) {
			appendTo(t, dir, "django.log", line(2))
			rename(t, dir, "django.log", "django.log.1")
			write(t, dir, "django.log", line(4))
			appendTo(t, dir, "django.log.1", line(3)) // by a process that had it open
		}, []string{"req-1", "req-2", "req-3", "req-4"}},
		{"rotated twice between two samples", func(t *testing.T, p *Folder, dir string) {
			rename(t, dir, "django.log", "django.log.2")
			write(t, dir, "django.log.1", line(2))
			write(t, dir, "django.log", line(3))
		}, []string{"req-1", "req-2", "req-3"}},
		{"truncated", func(t *testing.T, p *Folder, dir string) {
			write(t, dir, "django.log", "")
			sample(t, p)
			appendTo(t, dir, "django.log", line(2))
		}, []string{"req-1", "req-2"}},
		{"truncated and already longer than before", func(t *testing.T, p *Folder, dir string) {
			write(t, dir, "django.log", line(2)+line(3)+line(4)) // the same inode
		}, []string{"req-1", "req-2", "req-3", "req-4"}},
		{"copytruncate", func(t *testing.T, p *Folder, dir string) {
			appendTo(t, dir, "django.log", line(2))
			write(t, dir, "django.log.1", line(1)+line(2))
			write(t, dir, "django.log", line(3))
		}, []string{"req-1", "req-2", "req-3"}},
		{"copied, not truncated yet", func(t *testing.T, p *Folder, dir string) {
			appendTo(t, dir, "django.log", line(2))
			write(t, dir, "django.log.1", line(1)+line(2))
		}, []string{"req-1", "req-2"}},
		{"a hole of NULs after a truncation", func(t *testing.T, p *Folder, dir string) {
			write(t, dir, "django.log", strings.Repeat("\x00", 2*maxLine)+line(2))
		}, []string{"req-1", "req-2"}},
		{"two logs come in order of time", func(t *testing.T, p *Folder, dir string) {
			appendTo(t, dir, "django.log", line(2)+line(4))
			appendTo(t, dir, "audit.log", line(3)+line(5))
		}, []string{"req-1", "req-2", "req-3", "req-4", "req-5"}},
		{"the folder goes and comes back", func(t *testing.T, p *Folder, dir string) {
			rename(t, dir, ".", "../away")
			if _, err := p.Sample(context.Background()); err == nil {
				t.Error("no error without the folder")
			}
			rename(t, dir, "../away", ".")
			appendTo(t, dir, "django.log", line(2))
		}, []string{"req-1", "req-2"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, dir := folder(t, Config{})
			write(t, dir, "django.log", line(1))
			sample(t, p)
			tt.act(t, p, dir)
			if diff := cmp.Diff(tt.want, requests(sample(t, p).Recent)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestTracebacksBelongToTheirRecord(t *testing.T) {
	p, dir := folder(t, Config{})
	write(t, dir, "django.log", "stray\n[2026-11-22 11:59:16,277] ERROR grading.services services Failed for copy "+aCopy+"\nTraceback (most recent call last):\n")
	early := sample(t, p)
	appendTo(t, dir, "django.log", "  File \"x.py\"\n\nValueError: \x1b[2J\n[2026-11-22 11:59:17,000] INFO audit audit audit\n")
	late := sample(t, p)

	want := []string{"Traceback (most recent call last):", `  File "x.py"`, `ValueError: \x1b[2J`}
	if diff := cmp.Diff(want, late.ByCopy[aCopy].Trace); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(want[:1], early.Errors[0].Trace); diff != "" {
		t.Errorf("an overview that was handed out changed: %s", diff)
	}
	if late.Unparsed != 1 || len(late.Recent) != 2 || late.Recent[1].Trace != nil {
		t.Errorf("got %d unparsed, %+v", late.Unparsed, late.Recent)
	}
}

func TestLongTracebackKeepsItsEnd(t *testing.T) {
	p, dir := folder(t, Config{})
	text := "2026-11-22 11:59:30,118 ERROR grading.services Failed\n"
	for i := range 500 {
		text += fmt.Sprintf("  frame %d\n", i)
	}
	write(t, dir, "django.log", text)
	early := sample(t, p).Errors[0].Trace
	kept := slices.Clone(early)
	appendTo(t, dir, "django.log", "ValueError: the end\n")
	trace := sample(t, p).Errors[0].Trace
	if diff := cmp.Diff(kept, early); diff != "" {
		t.Errorf("an overview that was handed out changed: %s", diff)
	}
	if len(trace) != maxTrace || trace[0] != "  frame 0" || trace[traceHead] != "… lines left out" || trace[maxTrace-1] != "ValueError: the end" {
		t.Errorf("got %q", trace)
	}
}

func TestOverviewIsBounded(t *testing.T) {
	p, dir := folder(t, Config{MaxTail: 64 << 20})
	var text strings.Builder
	for i := range 3000 {
		text.WriteString(jsonText("ERROR", i) + "\n")
	}
	write(t, dir, "django.log", text.String())
	o := sample(t, p)
	if len(o.Recent) != maxRecent || len(o.Errors) != maxErrors || len(o.ByCopy) > maxCopies+maxCopies/10 || o.ErrorsLastHour != 3000 {
		t.Errorf("got %d recent, %d errors, %d copies, %d in the last hour", len(o.Recent), len(o.Errors), len(o.ByCopy), o.ErrorsLastHour)
	}
	if _, ok := o.ByCopy[copyID(2999)]; !ok || o.Recent[maxRecent-1].RequestID != "req-2999" {
		t.Error("the newest is missing")
	}
	if !o.Since.Equal(noon) {
		t.Errorf("since %v", o.Since)
	}
}

func TestStartReadsOnlyTheEnd(t *testing.T) {
	line := len(jsonText("ERROR", 1)) + 1
	p, dir := folder(t, Config{MaxTail: int64(3*line) + 10})
	write(t, dir, "django.log.2", jsonText("ERROR", 1)+"\n")
	write(t, dir, "django.log.1", jsonText("ERROR", 2)+"\n"+jsonText("ERROR", 3)+"\n"+jsonText("ERROR", 4)+"\n")
	write(t, dir, "django.log", jsonText("ERROR", 5)+"\n")
	o := sample(t, p)
	if diff := cmp.Diff([]string{"req-3", "req-4", "req-5"}, requests(o.Recent)); diff != "" || o.Unparsed != 0 {
		t.Errorf("%d unparsed, %s", o.Unparsed, diff)
	}
	appendTo(t, dir, "django.log.2", jsonText("ERROR", 6)+"\n")
	if got := requests(sample(t, p).Recent); got[len(got)-1] != "req-6" {
		t.Errorf("a skipped file that grows is not followed: %v", got)
	}
}

func TestOnlyTheLastHourCounts(t *testing.T) {
	p, dir := folder(t, Config{})
	write(t, dir, "django.log", `2026-11-22 10:59:00,000 ERROR g too old
2026-11-22 11:30:00,000 ERROR g one
2026-11-22 11:59:00,000 CRITICAL g two
2026-11-22 11:59:00,000 WARNING g a warning
2026-11-22 11:59:00,000 INFO g nothing
`)
	if o := sample(t, p); o.ErrorsLastHour != 2 || o.WarningsLastHour != 1 {
		t.Errorf("got %d errors, %d warnings", o.ErrorsLastHour, o.WarningsLastHour)
	}
}

// TestNothingIsReadTwice looks at the bytes that were read: an unchanged
// folder costs none, a growing file what it grew by.
func TestNothingIsReadTwice(t *testing.T) {
	p, dir := folder(t, Config{})
	write(t, dir, "django.log", strings.Repeat(jsonText("INFO", 1)+"\n", 1000))
	sample(t, p)
	before := p.tails[0].offset
	more := jsonText("ERROR", 2) + "\n"
	appendTo(t, dir, "django.log", more)
	o := sample(t, p)
	if got := p.tails[0].offset - before; got != int64(len(more)) || o.ErrorsLastHour != 1 {
		t.Errorf("read %d bytes of %d, %d errors", got, len(more), o.ErrorsLastHour)
	}
}

func TestHugeLine(t *testing.T) {
	p, dir := folder(t, Config{MaxTail: 1 << 30})
	f, err := os.Create(filepath.Join(dir, "django.log"))
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(f, "%s\n%s", jsonText("ERROR", 1), `{"timestamp": "2026-11-22 12:00:00,500", "level": "ERROR", "logger": "g", "message": "`)
	filler := bytes.Repeat([]byte("x"), 1<<20)
	for range 50 {
		if _, err := f.Write(filler); err != nil {
			t.Fatal(err)
		}
	}
	fmt.Fprintf(f, "\"}\n%s\n", jsonText("ERROR", 1000))
	f.Close()

	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	o := sample(t, p)
	runtime.ReadMemStats(&after)
	if len(o.Errors) != 3 || o.Errors[1].Message != "(the line is cut or damaged)" || o.Errors[2].RequestID != "req-1000" {
		t.Errorf("got %+v", o.Errors)
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > 8<<20 {
		t.Errorf("allocated %d bytes in all for it", used)
	}
}

// TestRotationByManyWriters has writers that rotate as Python's
// RotatingFileHandler does while the probe follows; grep is the judge.
func TestRotationByManyWriters(t *testing.T) {
	if _, err := exec.LookPath("grep"); err != nil {
		t.Fatal("grep is missing")
	}
	p, dir := folder(t, Config{})
	write(t, dir, "django.log", "")
	sample(t, p)

	const writers, each = 4, 400
	var rotating sync.Mutex
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			for i := range each {
				rotating.Lock()
				logRotating(t, dir, jsonText("ERROR", w*each+i)+"\n")
				rotating.Unlock()
			}
		})
	}
	done := make(chan struct{})
	go func() { all.Wait(); close(done) }()
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		sample(t, p)
	}

	o := sample(t, p)
	out, err := exec.Command("sh", "-c", "cat "+dir+"/django.log* | grep -c ERROR").Output()
	if err != nil {
		t.Fatal(err)
	}
	want, _ := strconv.Atoi(strings.TrimSpace(string(out)))
	if want != writers*each || o.ErrorsLastHour != want || len(o.ByCopy) != want {
		t.Errorf("grep counts %d, the probe %d lines about %d copies; written were %d", want, o.ErrorsLastHour, len(o.ByCopy), writers*each)
	}
	if o.Unparsed != 0 || len(o.Files) < 5 {
		t.Errorf("%d unparsed, %d files", o.Unparsed, len(o.Files))
	}
}

// logRotating appends a line, and first shifts the files when the log is full.
// Nothing is ever dropped at the end, so that nothing may be missing.
func logRotating(t *testing.T, dir, line string) {
	base := filepath.Join(dir, "django.log")
	if info, err := os.Stat(base); err == nil && info.Size()+int64(len(line)) > 10_000 {
		for i := 99; i >= 1; i-- {
			os.Rename(fmt.Sprintf("%s.%d", base, i), fmt.Sprintf("%s.%d", base, i+1))
		}
		os.Rename(base, base+".1")
	}
	appendTo(t, dir, "django.log", line)
}

func TestDeadlineLeavesTheRestForLater(t *testing.T) {
	p, dir := folder(t, Config{MaxTail: 1 << 30})
	write(t, dir, "django.log", strings.Repeat(jsonText("ERROR", 1)+"\n", 20_000))
	sum := 0
	for range 100 {
		ctx := &countdown{Context: context.Background(), left: 5}
		got, err := p.Sample(ctx)
		if err != nil {
			t.Fatal(err)
		}
		o := got
		if sum++; o.ErrorsLastHour == 20_000 {
			if o.Note != "" || sum < 3 {
				t.Errorf("note %q after %d samples", o.Note, sum)
			}
			return
		}
		if sum == 1 && !strings.HasPrefix(o.Note, "Still reading: ") {
			t.Errorf("note %q", o.Note)
		}
	}
	t.Error("never came to the end")
}

// countdown is a context that ends after it was asked a number of times.
type countdown struct {
	context.Context
	left int
}

func (c *countdown) Err() error {
	if c.left--; c.left < 0 {
		return context.DeadlineExceeded
	}
	return nil
}

func TestFailures(t *testing.T) {
	tests := []struct {
		name   string
		dir    func(t *testing.T, dir string) string
		want   string
		denied bool
	}{
		{"not configured", func(*testing.T, string) string { return "" }, "logs: not configured. Set GRADING_LOG_DIR.", false},
		{"no folder", func(t *testing.T, dir string) string { return dir + "/gone\x1b" }, `/gone\x1b does not exist. Set GRADING_LOG_DIR`, false},
		{"a file for a folder", func(t *testing.T, dir string) string { write(t, dir, "f", ""); return dir + "/f" }, "/f: not a directory", false},
		{"no log in it", func(t *testing.T, dir string) string { write(t, dir, "nginx.log", ""); return dir }, "no django.log or audit.log in ", false},
		{"a folder for a file", func(t *testing.T, dir string) string {
			if err := os.Mkdir(dir+"/django.log", 0o755); err != nil {
				t.Fatal(err)
			}
			return dir
		}, "/django.log is not a regular file", false},
		{"file without rights", func(t *testing.T, dir string) string {
			write(t, dir, "django.log", "")
			os.Chmod(dir+"/django.log", 0)
			return dir
		}, "no right to read ", true},
		{"folder without rights", func(t *testing.T, dir string) string {
			write(t, dir, "django.log", "")
			os.Chmod(dir, 0)
			t.Cleanup(func() { os.Chmod(dir, 0o755) })
			return dir
		}, "no right to read ", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			base := t.TempDir()
			os.Chmod(filepath.Dir(base), 0o755)
			p := NewFolder(Config{Dir: tt.dir(t, base)})
			var err error
			asOrdinaryUser(t, func() { _, err = p.Sample(context.Background()) })
			var e *probes.Error
			if !errors.As(err, &e) || e.Denied != tt.denied || !strings.Contains(e.Error(), tt.want) || strings.ContainsRune(e.Error(), '\x1b') {
				t.Errorf("got %v, want %q, denied %v", err, tt.want, tt.denied)
			}
		})
	}
}

func TestOneUnreadableFileIsANote(t *testing.T) {
	p, dir := folder(t, Config{})
	write(t, dir, "django.log", jsonText("ERROR", 1)+"\n")
	if err := os.Mkdir(filepath.Join(dir, "audit.log"), 0o755); err != nil {
		t.Fatal(err)
	}
	o := sample(t, p)
	if len(o.Errors) != 1 || !strings.HasSuffix(o.Note, "/audit.log is not a regular file.") {
		t.Errorf("got %d errors, note %q", len(o.Errors), o.Note)
	}
}
