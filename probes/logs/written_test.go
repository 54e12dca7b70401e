package logs

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// tailing follows a folder; next waits for the next record.
func tailing(t *testing.T, d *Folder, query string) (next func() Line) {
	t.Helper()
	q, err := ParseQuery(query, noon, time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	came, done := make(chan Line, 100), make(chan error, 1)
	go func() { done <- NewProbe(d).Follow(ctx, q, 1, func(l Line) { came <- l }) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return func() Line {
		t.Helper()
		select {
		case l := <-came:
			return l
		case <-time.After(30 * time.Second):
			t.Fatal("nothing came")
			return Line{}
		}
	}
}

// TestFollowOverRotations: renamed with late lines of another process, copied
// and emptied, a half line, a folder that is away for a while.
func TestFollowOverRotations(t *testing.T) {
	d, dir := folder(t, Config{})
	line := func(n int) string { return jsonText("ERROR", n) + "\n" }
	write(t, dir, "django.log", line(0)+line(1))
	next := tailing(t, d, "level:error")
	wants := func(ids ...string) {
		t.Helper()
		for _, id := range ids {
			if l := next(); l.RequestID != id {
				t.Fatalf("got %q, want %q", l.RequestID, id)
			}
		}
	}
	wants("req-1") // the last one that was there
	appendTo(t, dir, "django.log", jsonText("INFO", 99)+"\n"+line(2)+line(3)[:50])
	wants("req-2")
	appendTo(t, dir, "django.log", line(3)[50:])
	wants("req-3")
	rename(t, dir, "django.log", "django.log.1")
	appendTo(t, dir, "django.log.1", line(4))
	wants("req-4")
	write(t, dir, "django.log", line(5))
	wants("req-5")
	data, err := os.ReadFile(filepath.Join(dir, "django.log"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, "django.log.2", string(data))
	write(t, dir, "django.log", "")
	appendTo(t, dir, "django.log", line(6))
	wants("req-6")
	rename(t, dir, ".", "../away")
	rename(t, dir, "../away", ".")
	appendTo(t, dir, "audit.log", line(7))
	wants("req-7")
}

func TestFollowKeepsTracebacksWhole(t *testing.T) {
	d, dir := folder(t, Config{})
	write(t, dir, "django.log", "2026-11-22 11:59:30,118 ERROR g begin\n")
	next := tailing(t, d, "")
	next()
	appendTo(t, dir, "django.log", "backend-1  | 2026-11-22 12:00:00,000 ERROR g failed\nbackend-1  | Traceback:\ncelery-1   | stray of another\nbackend-1  | ValueError: needle\n"+
		"celery-1   | 2026-11-22 12:00:01,000 INFO g fine\n")
	l := next()
	if diff := cmp.Diff([]string{"Traceback:", "ValueError: needle"}, l.Trace); diff != "" || l.Origin != "backend-1" {
		t.Error(l.Origin, diff)
	}
	if l = next(); l.Message != "fine" || l.Origin != "celery-1" || strings.Contains(strings.Join(l.Trace, ""), "stray") {
		t.Errorf("%+v", l)
	}
}
