package logs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gradecockpit/probes"
)

// history fills a folder: 300 errors about copies 0…9 over three parts of
// django.log, an audit.log beside it, and a traceback in text form.
func history(t *testing.T, dir string) {
	t.Helper()
	for part := range 3 {
		var b strings.Builder
		for i := range 100 {
			n := part*100 + i
			line := strings.Replace(jsonText([]string{"INFO", "ERROR"}[n%2], n), copyID(n), copyID(n%10), 1)
			b.WriteString(line + "\n")
		}
		write(t, dir, []string{"django.log.2", "django.log.1", "django.log"}[part], b.String())
	}
	write(t, dir, "audit.log", jsonText("INFO", 250)+"\n"+jsonText("INFO", 1000)+"\n")
	appendTo(t, dir, "celery.log", "2026-11-22 12:00:02,000 ERROR grading.services no name here\nTraceback:\n  copy "+aCopy+"\nValueError: x\n")
}

func TestSearch(t *testing.T) {
	tests := []struct {
		name      string
		q         Query
		n         int
		first     string // request id of the newest
		truncated bool
	}{
		{"everything, newest first", Query{Limit: 1000}, 303, "", false},
		{"a copy", Query{CopyID: copyID(3)}, 30, "req-293", false},
		{"a copy in capitals", Query{CopyID: strings.ToUpper(copyID(3))}, 30, "req-293", false},
		{"a copy named only in a traceback", Query{CopyID: aCopy}, 1, "", false},
		{"a request", Query{RequestID: "req-42"}, 1, "req-42", false},
		{"a request is not a prefix", Query{RequestID: "req-4"}, 1, "req-4", false},
		{"a copy's errors", Query{CopyID: copyID(3), Level: "error"}, 30, "req-293", false},
		{"none of that level", Query{CopyID: copyID(4), Level: "WARNING"}, 0, "", false},
		{"limit", Query{CopyID: copyID(3), Limit: 7}, 7, "req-293", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, dir := folder(t, Config{})
			history(t, dir)
			res, err := p.Search(context.Background(), tt.q, nil)
			if err != nil {
				t.Fatal(err)
			}
			if len(res.Lines) != tt.n || res.Truncated != tt.truncated {
				t.Errorf("got %d lines, truncated %v", len(res.Lines), res.Truncated)
			}
			if tt.n > 0 && res.Lines[0].RequestID != tt.first {
				t.Errorf("newest is %q", res.Lines[0].RequestID)
			}
			for i := 1; i < len(res.Lines); i++ {
				if res.Lines[i].At.After(res.Lines[i-1].At) {
					t.Fatalf("line %d is newer than the one before it", i)
				}
			}
		})
	}
}

// TestSearchFindsWhatGrepFinds compares with grep over the same files.
func TestSearchFindsWhatGrepFinds(t *testing.T) {
	p, dir := folder(t, Config{})
	history(t, dir)
	for n := range 10 {
		out, _ := exec.Command("sh", "-c", fmt.Sprintf("cat %s/*.log* | grep -c %s", dir, copyID(n))).Output()
		res, err := p.Search(context.Background(), Query{CopyID: copyID(n)}, nil)
		if err != nil || fmt.Sprintln(len(res.Lines)) != string(out) {
			t.Errorf("copy %d: grep finds %s, Search %d, %v", n, out, len(res.Lines), err)
		}
	}
}

func TestSearchKeepsTracebacks(t *testing.T) {
	p, dir := folder(t, Config{})
	history(t, dir)
	res, err := p.Search(context.Background(), Query{CopyID: aCopy}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"Traceback:", "  copy " + aCopy, "ValueError: x"}, res.Lines[0].Trace); diff != "" {
		t.Error(diff)
	}
}

func TestSearchPastAHugeLine(t *testing.T) {
	p, dir := folder(t, Config{})
	write(t, dir, "django.log", jsonText("ERROR", 1)+"\n"+strings.Repeat("x", 20<<20)+"\n"+jsonText("ERROR", 2))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	res, err := p.Search(context.Background(), Query{}, nil)
	runtime.ReadMemStats(&after)
	if err != nil {
		t.Fatal(err)
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > 16<<20 {
		t.Errorf("allocated %d bytes in all for it", used)
	}
	if diff := cmp.Diff([]string{"req-2", "", "req-1"}, requests(res.Lines)); diff != "" {
		t.Error(diff)
	}
}

func TestSearchFailures(t *testing.T) {
	p, dir := folder(t, Config{})
	var e *probes.Error
	if _, err := p.Search(context.Background(), Query{}, nil); !errors.As(err, &e) {
		t.Errorf("empty folder: %v", err)
	}
	history(t, dir)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := p.Search(ctx, Query{}, nil); !errors.As(err, &e) || !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if err := os.Mkdir(filepath.Join(dir, "audit.log.1"), 0o755); err != nil {
		t.Fatal(err)
	}
	res, err := p.Search(context.Background(), Query{RequestID: "req-1"}, nil)
	if err != nil || len(res.Lines) != 1 || len(res.Skipped) != 1 {
		t.Errorf("one bad file: %+v, %v", res, err)
	}
}
