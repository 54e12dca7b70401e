package logs

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// noon is the time that tests write lines at and read them at.
var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func copyID(n int) string { return fmt.Sprintf("ebb90000-0000-4000-8000-%012d", n) }

// jsonText is a production line, without its end, about copy n.
func jsonText(level string, n int) string {
	return fmt.Sprintf(`{"timestamp": %q, "level": %q, "logger": "grading.services", "message": "PDF generation failed for copy %s (attempt 1)", "request_id": "req-%d", "module": "services", "line": 610}`,
		noon.Add(time.Duration(n)*time.Millisecond).Format("2006-01-02 15:04:05,000"), level, copyID(n), n)
}

// folder is a log folder as a source, at noon.
func folder(t *testing.T, cfg Config) (*Folder, string) {
	t.Helper()
	cfg.Dir = t.TempDir()
	p := NewFolder(cfg)
	p.now = func() time.Time { return noon }
	return p, cfg.Dir
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func appendTo(t *testing.T, dir, name, text string) {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
}

func rename(t *testing.T, dir, from, to string) {
	t.Helper()
	if err := os.Rename(filepath.Join(dir, from), filepath.Join(dir, to)); err != nil {
		t.Fatal(err)
	}
}

func sample(t *testing.T, p *Folder) Overview {
	t.Helper()
	got, err := p.Sample(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// requests lists the request ids of lines, in order.
func requests(lines []Line) []string {
	out := []string{}
	for _, l := range lines {
		out = append(out, l.RequestID)
	}
	return out
}
