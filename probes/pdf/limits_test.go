package pdf

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"gradecockpit/probes"
	"gradecockpit/probes/lab/labtest"
)

func mkfifo(path string) error { return syscall.Mkfifo(path, 0o644) }

// bomb has n pages, each in an object stream that unpacks to size bytes.
func bomb(t *testing.T, n, size int) []byte {
	t.Helper()
	b := &builder{}
	b.object("<</Type/Catalog/Pages 2 0 R>>")
	first := 4 + n // number of the first page: after the streams and the table
	var kids strings.Builder
	for i := range n {
		fmt.Fprintf(&kids, "%d 0 R ", first+i)
	}
	b.object("<</Type/Pages/Count %d/Kids[%s]>>", n, kids.String())
	blanks := bytes.Repeat([]byte(" "), size)
	for i := range n {
		head := fmt.Sprintf("%d 0 ", first+i)
		data := append([]byte(head+"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]>>"), blanks...)
		b.stream(fmt.Sprintf("/Type/ObjStm/N 1/First %d/Filter/FlateDecode", len(head)), deflate(t, data))
	}
	// A table that has all of them, each holding one object more.
	at := b.Len()
	table := []byte{0, 0, 0, 0, 0}
	entry := func(kind byte, where int) {
		table = append(table, kind, byte(where>>16), byte(where>>8), byte(where), 0)
	}
	for _, o := range b.offsets {
		entry(1, o)
	}
	entry(1, at)
	for i := range n {
		entry(2, 3+i)
	}
	b.stream(fmt.Sprintf("/Type/XRef/Size %d/W[1 3 1]/Root 1 0 R/Filter/FlateDecode", first+n), deflate(t, table))
	fmt.Fprintf(b, "startxref\n%d\n%%%%EOF\n", at)
	return b.Bytes()
}

// A small file that unpacks to gigabytes is no verdict on it, and costs no more
// memory than is allowed.
func TestAFileThatUnpacksWithoutEnd(t *testing.T) {
	labtest.Long(t)
	dir := t.TempDir()
	zeros := make([]byte, 70<<20)
	for name, data := range map[string][]byte{
		"one page":            document(deflate(t, zeros), "/Filter/FlateDecode", "", "595 842"),
		"packed twice":        document(deflate(t, deflate(t, zeros)), "/Filter[/FlateDecode/FlateDecode]", "", "595 842"),
		"many object streams": bomb(t, 12, 55<<20),
	} {
		t.Run(name, func(t *testing.T) {
			if len(data) > 10<<20 {
				t.Fatalf("the file itself has %d bytes", len(data))
			}
			c, state := alone(t, nil, write(t, dir, "bomb.pdf", data))
			if c.Verdict == Sound || c.Reason == "" {
				t.Errorf("%s: %s", c.Verdict, c.Reason)
			}
			most := state.SysUsage().(*syscall.Rusage).Maxrss << 10 // kilobytes, on Linux
			t.Logf("%d KB became %d MB: %s: %s", len(data)>>10, most>>20, c.Verdict, c.Reason)
			if limit := (Limits{}).defaults().Memory; !raceDetector && most > limit*3/2 {
				t.Errorf("it took %d MB, the limit is %d", most>>20, limit>>20)
			}
		})
	}
}

func TestAFileThatIsTooLarge(t *testing.T) {
	dir := t.TempDir()
	f := write(t, dir, "huge.pdf", []byte("%PDF-1.4\n"))
	must(t, os.Truncate(filepath.Join(dir, f.Name), 40<<30))
	if c := check(t, f); c.Verdict != NotLooked || c.Bytes != 40<<30 {
		t.Errorf("%+v", c)
	}
}

// A check that does not end is killed, and the next one has its turn.
func TestACheckThatHangsIsKilled(t *testing.T) {
	pid := filepath.Join(t.TempDir(), "pid")
	c := NewChecker("sh", "-c", `echo $$ > "$1"; exec sleep 600`, "x")
	c.takes = 300 * time.Millisecond
	for range atOnce + 1 {
		got, err := c.Check(labtest.Context(t), File{Root: pid, Name: "x"})
		must(t, err)
		if got.Verdict != NotLooked || !strings.HasPrefix(got.Reason, "it could not be opened in") {
			t.Errorf("%+v", got)
		}
	}
	data, err := os.ReadFile(pid)
	must(t, err)
	var n int
	if _, err := fmt.Sscan(string(data), &n); err != nil || syscall.Kill(n, 0) == nil {
		t.Errorf("process %d still runs (%v)", n, err)
	}
}

// What keeps a check from being made is an error in words, not a verdict.
func TestAChecksOwnFailures(t *testing.T) {
	for name, c := range map[string]*Checker{"no such program": NewChecker(filepath.Join(t.TempDir(), "none")), "no answer": NewChecker("true")} {
		_, err := c.Check(labtest.Context(t), File{Name: "x"})
		var e *probes.Error
		if !errors.As(err, &e) || e.Source != probes.Host || e.Cause == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := checker(t).Check(cancelled(), File{Name: "x"}); !errors.Is(err, context.Canceled) {
		t.Errorf("broken off: %v", err)
	}
	crash := NewChecker("sh", "-c", "echo 'fatal error: out of \033[2Jmemory' >&2; exit 2", "x")
	c, err := crash.Check(labtest.Context(t), File{Name: "x"})
	if err != nil || c.Verdict != NotLooked || !strings.Contains(c.Reason, "out of") || strings.ContainsRune(c.Reason, 0x1b) {
		t.Errorf("%+v, %v", c, err)
	}
}

// The process that checks gets nothing of our environment, and ends with us.
func TestTheChildKnowsNoSecret(t *testing.T) {
	t.Setenv("DATABASE_URL", "postgresql://u:secret@db/x")
	out := filepath.Join(t.TempDir(), "env")
	c := NewChecker("sh", "-c", `env > "$1"; cat > /dev/null`, "x")
	c.takes = 300 * time.Millisecond // cat ends with its input only
	_, err := c.Check(labtest.Context(t), File{Root: out, Name: "x"})
	must(t, err)
	data, err := os.ReadFile(out)
	must(t, err)
	if bytes.Contains(data, []byte("secret")) {
		t.Errorf("its environment: %s", data)
	}
}
