package logs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"gradecockpit/probes"
)

// script is a Command that runs a shell script, and ends with the test.
func script(t *testing.T, text string) *Command {
	t.Helper()
	c := NewCommand([]string{"sh", "-c", text})
	c.now = func() time.Time { return noon }
	t.Cleanup(c.Close)
	return c
}

// printing is a script that prints a file and then waits for more of it.
func printing(t *testing.T, text string) (c *Command, file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "output")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return script(t, "exec tail -n +1 -F '"+file+"'"), file
}

// overviewOf samples until the command's overview is as wanted, a minute at most.
func overviewOf(t *testing.T, s Source, done func(Overview) bool) Overview {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		o, err := s.Sample(context.Background())
		if err == nil && done(o) {
			return o
		}
		if time.Now().After(end) {
			t.Fatalf("it never happened; last: %+v, %v", o, err)
		}
	}
}

// everything gives all records of a source, newest first.
func everything(t *testing.T, s Source, q Query) []Line {
	t.Helper()
	var all []Line
	if _, err := s.Each(context.Background(), q, func(l Line) bool { all = append(all, l); return true }); err != nil {
		t.Fatal(err)
	}
	return all
}

func stampAt(after time.Duration) string { return noon.Add(after).Format("2006-01-02 15:04:05,000") }

// TestCommandOfCompose: lines of two services, one in JSON and one in text
// whose traceback is interleaved with the other's lines.
func TestCommandOfCompose(t *testing.T) {
	c, _ := printing(t, strings.Join([]string{
		"backend-1  | " + jsonText("INFO", 1),
		"celery-1   | " + stampAt(2*time.Millisecond) + " ERROR grading Async finalization failed for copy " + copyID(2) + " (attempt 1/3): boom",
		"celery-1   | Traceback (most recent call last):",
		"backend-1  | " + jsonText("WARNING", 3),
		"celery-1   |   File \"tasks.py\", line 73, in run",
		"celery-1   | ValueError: boom",
		"\x1b[36mbackend-1  | \x1b[0m" + jsonText("ERROR", 4),
		"db-1       | something in no known format",
	}, "\n")+"\n")
	o := overviewOf(t, c, func(o Overview) bool { return len(o.Recent) == 4 && o.Unparsed == 1 && len(o.Errors[0].Trace) == 3 })
	if o.ErrorsLastHour != 2 || o.WarningsLastHour != 1 || o.ByCopy[copyID(2)].Origin != "celery-1" {
		t.Errorf("got %d errors, %d warnings, %+v", o.ErrorsLastHour, o.WarningsLastHour, o.ByCopy[copyID(2)])
	}
	if !strings.Contains(o.Dir, "tail -n +1 -F") || o.Files[0].Name != "sh" || o.Files[0].Size == 0 {
		t.Errorf("the source is %q, %+v", o.Dir, o.Files)
	}
	var got []string
	for _, l := range everything(t, c, Query{}) {
		got = append(got, fmt.Sprint(l.Origin, " ", l.Level, " ", len(l.Trace)))
	}
	// A line without a time comes last: nobody knows when it was.
	want := []string{"backend-1 ERROR 0", "backend-1 WARNING 0", "celery-1 ERROR 3", "backend-1 INFO 0", "db-1  0"}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// TestCommandIsFollowed: what is printed later is seen, half lines when they
// are whole.
func TestCommandIsFollowed(t *testing.T) {
	c, file := printing(t, jsonText("ERROR", 1)+"\n"+jsonText("ERROR", 2)[:40])
	overviewOf(t, c, func(o Overview) bool { return len(o.Recent) == 1 })
	appendTo(t, filepath.Dir(file), "output", jsonText("ERROR", 2)[40:]+"\n")
	o := overviewOf(t, c, func(o Overview) bool { return len(o.Recent) == 2 })
	if got := requests(o.Recent); !slices.Equal(got, []string{"req-1", "req-2"}) {
		t.Errorf("got %q", got)
	}
}

func TestCommandIsSearched(t *testing.T) {
	c, _ := printing(t, jsonText("ERROR", 1)+"\n"+stampAt(2*time.Millisecond)+" ERROR grading it failed\n  ValueError: deep inside\n"+jsonText("INFO", 3)+"\n")
	overviewOf(t, c, func(o Overview) bool { return len(o.Recent) == 3 })
	res, err := c.Search(context.Background(), Query{CopyID: copyID(1)}, nil)
	if err != nil || !slices.Equal(requests(res.Lines), []string{"req-1"}) || !res.Done || res.Truncated || res.Total == 0 {
		t.Fatalf("got %+v, %v", res, err)
	}
	if len(res.Skipped) != 1 || !strings.Contains(res.Skipped[0], "there is what it printed since 12:00:00 UTC") {
		t.Errorf("it does not say how far back it goes: %q", res.Skipped)
	}
	if res, err = c.Search(context.Background(), Query{Limit: 2}, nil); err != nil || len(res.Lines) != 2 || !res.Truncated {
		t.Errorf("got %+v, %v", res, err)
	}
	r, err := c.ReadLine(context.Background(), res.Lines[1].Place)
	if err != nil || len(r.Text) != 2 || !slices.Equal(r.Trace, []string{"  ValueError: deep inside"}) {
		t.Errorf("got %+v, %v", r, err)
	}
	for _, place := range []string{"", "django.log:7", "output:1:1", "output:0:99"} {
		if _, err := c.ReadLine(context.Background(), place); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("place %q: %v", place, err)
		}
	}
}

// TestRestartedCommandRepeatsNothing: most commands print their history again
// when they are started again.
func TestRestartedCommandRepeatsNothing(t *testing.T) {
	dir := t.TempDir()
	text := func(n int) string {
		return stampAt(time.Duration(n)*time.Millisecond) + " ERROR grading number " + fmt.Sprint(n) + "\n  trace" + "\n"
	}
	write(t, dir, "output", text(1)+"no format, no time\n"+text(2))
	c := script(t, fmt.Sprintf("cd '%s'; cat output; echo x >> runs; while [ ! -e more ]; do sleep 0.02; done; cat more >> output", dir))
	overviewOf(t, c, func(o Overview) bool { return len(o.Recent) == 2 })
	// The second run prints all of the first once more, then what is new.
	write(t, dir, "more", text(2)+text(3))
	o := overviewOf(t, c, func(o Overview) bool { return len(o.Recent) >= 3 })
	for _, runs := 0, ""; len(runs) < 6; {
		b, _ := os.ReadFile(filepath.Join(dir, "runs"))
		runs = string(b)
		o, _ = c.Sample(context.Background())
	}
	var got []string
	for _, l := range o.Recent {
		got = append(got, fmt.Sprint(l.Message, " ", len(l.Trace)))
	}
	if want := []string{"number 1 2", "number 2 1", "number 3 1"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestDeadCommandIsAnErrorInWords(t *testing.T) {
	c := script(t, "echo 'no such service: backend' >&2; exit 1")
	_, err := c.Sample(context.Background())
	var e *probes.Error
	if !errors.As(err, &e) || e.Cause != "sh ended (exit status 1): no such service: backend" || !strings.Contains(e.Next, "started again") {
		t.Errorf("got %v", err)
	}
	if _, err := c.Each(context.Background(), Query{}, func(Line) bool { return true }); err == nil {
		t.Error("a search in nothing must say why there is nothing")
	}
	missing := NewCommand([]string{"no-such-program-anywhere"})
	t.Cleanup(missing.Close)
	if _, err := missing.Sample(context.Background()); err == nil || !strings.Contains(err.Error(), "not on PATH") {
		t.Errorf("got %v", err)
	}
}

// TestDeadCommandKeepsWhatItPrinted, and says why nothing more comes.
func TestDeadCommandKeepsWhatItPrinted(t *testing.T) {
	c := script(t, "echo '"+jsonText("ERROR", 1)+"'; echo gone >&2; exit 3")
	if _, err := c.Sample(context.Background()); err == nil {
		t.Error("it has ended, and no error says so")
	}
	for end := time.Now().Add(time.Minute); ; { // it runs again for a moment now and then
		res, err := c.Search(context.Background(), Query{}, nil)
		if err != nil || len(res.Lines) != 1 {
			t.Fatalf("got %+v, %v", res, err)
		}
		if slices.Contains(res.Skipped, "sh ended (exit status 3): gone.") {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("nobody says why it ended: %q", res.Skipped)
		}
	}
}

// TestCommandKeepsTheNewestInBoundedMemory whatever it prints.
func TestCommandKeepsTheNewestInBoundedMemory(t *testing.T) {
	c := NewCommand([]string{"none"})
	c.most, c.now = 1<<20, func() time.Time { return noon }
	c.begin()
	for n := range 20_000 {
		c.take([]byte(jsonText("ERROR", n)))
	}
	c.take([]byte(stampAt(time.Hour) + " ERROR grading endless"))
	for range 2000 {
		c.take([]byte(strings.Repeat("x", 4096)))
	}
	c.take([]byte("\x00\xff\xfe binary \x1b]0;owned\x07"))
	if got := c.ring.bytes; got > 1<<20+MaxRecord || len(c.ring.records) == 0 {
		t.Errorf("%d bytes are kept, want at most 1 MB and one record", got)
	}
	if len(c.last) > maxOrigins {
		t.Errorf("%d origins are kept", len(c.last))
	}
	for n := range 20_000 {
		c.take([]byte(jsonText("ERROR", n)))
	}
	last, ok := c.get(c.ring.next - 1)
	if !ok || !strings.Contains(string(last.raw), "req-19999") || c.ring.bytes > 1<<20 {
		t.Errorf("the newest is %.80q, and %d bytes are kept", last.raw, c.ring.bytes)
	}
	if !strings.Contains(c.reach(), "only the newest 1 MB") {
		t.Errorf("got %q", c.reach())
	}
}

func TestHostileOutputIsClean(t *testing.T) {
	c := NewCommand([]string{"none"})
	c.now = func() time.Time { return noon }
	c.begin()
	c.take([]byte("a\x1bb | \x00" + stampAt(0) + " ERROR x\x1b]0;owned\x07 evil\x1b[2J"))
	c.take([]byte("\x1b]0;owned\x07"))
	c.take([]byte(jsonText("ERROR", 1) + "\xff"))
	for _, seq := range c.ring.order() {
		k, _ := c.get(seq)
		l := c.lineOf(k, seq)
		if strings.ContainsAny(l.Message+l.Logger+l.Origin+strings.Join(l.Trace, ""), "\x1b\x07\x00") {
			t.Errorf("not clean: %q", fmt.Sprint(l))
		}
	}
}

// TestTailOfSeveralFiles: `tail -F` says whose lines follow.
func TestTailOfSeveralFiles(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "django.log", jsonText("ERROR", 1)+"\n")
	write(t, dir, "audit.log", jsonText("INFO", 2)+"\n")
	c := script(t, "cd '"+dir+"'; exec tail -n +1 -F django.log audit.log")
	o := overviewOf(t, c, func(o Overview) bool { return len(o.Recent) == 2 })
	if o.Recent[0].Origin != "django.log" || o.Recent[1].Origin != "audit.log" || o.Unparsed != 0 {
		t.Errorf("got %+v", o.Recent)
	}
}

func TestPrefixes(t *testing.T) {
	for in, want := range map[string][3]string{
		"backend-1  | x":                                {"backend-1", "", "x"},
		"viatique_backend_1 | x | y":                    {"viatique_backend_1", "", "x | y"},
		"web.1.ab12@node-3    | x":                      {"web.1.ab12@node-3", "", "x"},
		"backend  | ":                                   {"backend", "", ""},
		"backend-1  | 2026-11-22T12:00:00.118123456Z x": {"backend-1", "12:00:00.118123456", "x"},
		"2026-11-22T12:00:00.5Z x":                      {"", "12:00:00.5", "x"},
		" | x":                                          {"", "", " | x"},
		"{\"a\": \"b | c\"}":                            {"", "", "{\"a\": \"b | c\"}"},
		"[2026-11-22 12:00:00,000] INFO a | b":          {"", "", "[2026-11-22 12:00:00,000] INFO a | b"},
	} {
		origin, at, rest := prefix([]byte(in))
		when := ""
		if !at.IsZero() {
			when = at.Format("15:04:05.999999999")
		}
		if got := [3]string{origin, when, string(rest)}; got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

// TestClosedCommandLeavesNothing and is not started again.
func TestClosedCommandLeavesNothing(t *testing.T) {
	c := script(t, `sleep 1000 & echo "`+stampAt(0)+` INFO x $! $$"; wait`)
	o := overviewOf(t, c, func(o Overview) bool { return len(o.Recent) == 1 })
	var child, grandchild int
	if _, err := fmt.Sscan(o.Recent[0].Message, &grandchild, &child); err != nil {
		t.Fatal(err)
	}
	c.Close()
	for _, pid := range []int{child, grandchild} {
		for end := time.Now().Add(time.Minute); syscall.Kill(pid, 0) != syscall.ESRCH; time.Sleep(5 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("process %d still runs", pid)
			}
		}
	}
	never := NewCommand([]string{"sh", "-c", "echo"})
	never.Close()
	if _, err := never.Sample(context.Background()); err == nil || never.child != nil {
		t.Errorf("a closed command was started: %v", err)
	}
}
