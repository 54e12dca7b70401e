package logs

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func packed(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func search(t *testing.T, d *Folder, text string) Result {
	t.Helper()
	q, err := ParseQuery(text, noon, noon.Location())
	if err != nil {
		t.Fatal(err)
	}
	q.Limit = 1000
	res, err := d.Search(context.Background(), q, nil)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

func TestPackedPartsAreSearchedToo(t *testing.T) {
	d, dir := folder(t, Config{})
	write(t, dir, "django.log", jsonText("ERROR", 5)+"\n")
	write(t, dir, "django.log.1", jsonText("ERROR", 4)+"\n")
	write(t, dir, "django.log.2.gz", packed(t, strings.Repeat(jsonText("INFO", 2)+"\n", 3000)+jsonText("ERROR", 3)+"\n"))
	write(t, dir, "django.log-20261120", jsonText("ERROR", 2)+"\n")
	write(t, dir, "django.log-20261119.gz", packed(t, jsonText("ERROR", 1)+"\n"))
	write(t, dir, "django.log.1.gz", packed(t, jsonText("ERROR", 99)+"\n")) // gzip has not removed django.log.1 yet
	write(t, dir, "django.log.bak", jsonText("ERROR", 98)+"\n")
	res := search(t, d, "level:error")
	if diff := cmp.Diff([]string{"req-5", "req-4", "req-3", "req-2", "req-1"}, requests(res.Lines)); diff != "" || len(res.Skipped) > 0 {
		t.Error(diff, res.Skipped)
	}
	r, err := d.ReadLine(context.Background(), res.Lines[2].Place)
	if err != nil || r.RequestID != "req-3" || res.Bytes != res.Total {
		t.Errorf("%+v, %v; %d of %d bytes", r, err, res.Bytes, res.Total)
	}
}

func TestDamagedParts(t *testing.T) {
	d, dir := folder(t, Config{})
	write(t, dir, "django.log", jsonText("ERROR", 9)+"\n")
	good := packed(t, jsonText("ERROR", 8)+"\n"+strings.Repeat(jsonText("INFO", 1)+"\n", 20_000))
	write(t, dir, "django.log.1.gz", good[:len(good)-200])
	write(t, dir, "django.log.2.gz", "this is no gzip")
	write(t, dir, "django.log.3.gz", "")
	write(t, dir, "django.log.4", "\xff\xfe broken \x00\x00"+jsonText("ERROR", 7)[:60]+"\n\x00\x00\x00"+jsonText("ERROR", 3)+"\n")
	res := search(t, d, "level:error")
	want := []string{"django.log.1.gz is damaged", "django.log.2.gz is damaged", "django.log.3.gz is damaged"}
	if len(res.Skipped) != len(want) {
		t.Fatalf("%q", res.Skipped)
	}
	for i, w := range want {
		if !strings.HasPrefix(res.Skipped[i], w) {
			t.Errorf("%q, want %q", res.Skipped[i], w)
		}
	}
	if diff := cmp.Diff([]string{"req-9", "req-8", "req-3"}, requests(res.Lines)); diff != "" {
		t.Error(diff)
	}
}

// TestBytesThatAreNoText: nothing of it comes out as it went in.
func TestBytesThatAreNoText(t *testing.T) {
	d, dir := folder(t, Config{})
	write(t, dir, "django.log", jsonText("INFO", 1)+"\nneedle \xff\xfe\x1b[2J\x00\u202e\nneedle2\r\n"+strings.Repeat("\x00", 700_000)+jsonText("INFO", 2)+"\n\n\n")
	res := search(t, d, "needle")
	if len(res.Lines) != 2 || strings.ContainsAny(res.Lines[1].Message, "\x1b\x00\u202e") || res.Lines[0].Message != "needle2" {
		t.Errorf("%+v", res.Lines)
	}
	if all := search(t, d, ""); len(all.Lines) != 4 || all.Lines[0].RequestID != "req-2" {
		t.Errorf("%d records, the newest is %+v", len(all.Lines), all.Lines[0])
	}
}

// TestLineOf50MB is survived with little memory, and what is around it is found.
func TestLineOf50MB(t *testing.T) {
	d, dir := folder(t, Config{})
	f, err := os.Create(filepath.Join(dir, "django.log"))
	if err != nil {
		t.Fatal(err)
	}
	f.WriteString(jsonText("ERROR", 1) + "\n" + `{"timestamp": "2026-11-22 12:00:00,500", "level": "ERROR", "logger": "g", "message": "needle `)
	filler := bytes.Repeat([]byte("ebb90000-0000-4000 "), 1<<16)
	for range 42 {
		f.Write(filler)
	}
	f.WriteString("\"}\n" + jsonText("ERROR", 1000) + "\n")
	f.Close()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	got := requests(search(t, d, "level:error").Lines)
	tr, err := NewProbe(d).Trace(context.Background(), copyID(1))
	runtime.ReadMemStats(&after)
	if diff := cmp.Diff([]string{"req-1000", "", "req-1"}, got); diff != "" || err != nil || len(tr.Records) != 1 {
		t.Errorf("%s; traced %d, %v", diff, len(tr.Records), err)
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > 20<<20 {
		t.Errorf("allocated %d MB in all for it", used>>20)
	}
	r, err := d.ReadLine(context.Background(), search(t, d, "needle").Lines[0].Place)
	if err != nil || !r.Cut || len(r.Text) != 1 || len(r.Text[0]) < MaxRecord {
		t.Errorf("read again: cut %v, %v", r.Cut, err)
	}
}

// TestFileThatGoesAway: what was listed and cannot be opened is left out with
// the reason, and what is truncated while it is read is no error.
func TestFileThatGoesAway(t *testing.T) {
	d, dir := folder(t, Config{})
	write(t, dir, "django.log", jsonText("ERROR", 2)+"\n")
	if err := os.Symlink(filepath.Join(dir, "nowhere"), filepath.Join(dir, "django.log.1")); err != nil {
		t.Fatal(err)
	}
	res := search(t, d, "level:error")
	if len(res.Lines) != 1 || len(res.Skipped) != 1 || !strings.Contains(res.Skipped[0], "django.log.1 does not exist") {
		t.Errorf("%d lines, skipped %q", len(res.Lines), res.Skipped)
	}
	text, _ := jumble(5, 3_000_000)
	write(t, dir, "audit.log", text)
	n := 0
	_, err := d.Each(context.Background(), Query{}, func(Line) bool {
		if n++; n == 3 {
			write(t, dir, "audit.log", "")
			if err := os.Remove(filepath.Join(dir, "django.log")); err != nil {
				t.Error(err)
			}
		}
		return true
	})
	if err != nil || n < 3 {
		t.Errorf("%d records, %v", n, err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Search(context.Background(), Query{}, nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without the folder: %v", err)
	}
}

func TestUnreadableFileIsNamed(t *testing.T) {
	d, dir := folder(t, Config{})
	os.Chmod(filepath.Dir(dir), 0o755)
	os.Chmod(dir, 0o755)
	write(t, dir, "django.log", jsonText("ERROR", 2)+"\n")
	write(t, dir, "audit.log", jsonText("ERROR", 1)+"\n")
	os.Chmod(filepath.Join(dir, "audit.log"), 0)
	asOrdinaryUser(t, func() {
		res, err := d.Search(context.Background(), Query{}, nil)
		if err != nil || len(res.Lines) != 1 || len(res.Skipped) != 1 || !strings.HasPrefix(res.Skipped[0], "no right to read ") {
			t.Errorf("%d lines, %q, %v", len(res.Lines), res.Skipped, err)
		}
	})
}

// TestPartialResults: what was found so far is handed over while the rest is
// looked at, and says how far that came.
func TestPartialResults(t *testing.T) {
	d, dir := folder(t, Config{})
	write(t, dir, "django.log", jsonText("ERROR", 1)+"\n"+strings.Repeat(jsonText("INFO", 2)+"\n", 100_000)+jsonText("ERROR", 3)+"\n")
	m, err := d.merge(context.Background(), Query{Level: "ERROR"}, false)
	if err != nil {
		t.Fatal(err)
	}
	defer m.close()
	h, ok := m.next()
	if !ok || h.RequestID != "req-3" || m.extent.Bytes == 0 || m.extent.Bytes > m.extent.Total/2 || m.extent.Oldest.IsZero() {
		t.Errorf("%+v after %+v", h, m.extent)
	}
	if h, ok = m.next(); !ok || h.RequestID != "req-1" || m.extent.Bytes != m.extent.Total {
		t.Errorf("%+v after %+v", h, m.extent)
	}
	if _, ok = m.next(); ok || m.extent.Truncated {
		t.Errorf("does not end: %+v", m.extent)
	}
}
