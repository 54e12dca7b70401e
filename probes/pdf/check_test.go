package pdf

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/pdfcpu/pdfcpu/pkg/api"
	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/model"
)

// encrypted makes an encrypted copy of a PDF with pdfcpu.
func encrypted(t *testing.T, data []byte, user, owner string) []byte {
	t.Helper()
	api.DisableConfigDir()
	var out bytes.Buffer
	must(t, api.Encrypt(bytes.NewReader(data), &out, model.NewAESConfiguration(user, owner, 256)))
	return out.Bytes()
}

// without is a PDF whose table of contents points nowhere.
func without(data []byte) []byte {
	at := bytes.LastIndex(data, []byte("startxref\n"))
	return append(append([]byte{}, data[:at]...), "startxref\n7\n%%EOF\n"...)
}

// lost is a PDF whose last page is missing, though the table lists it.
func lost(data []byte) []byte {
	at := bytes.LastIndex(data, []byte("<</Type/Page/"))
	out := append([]byte{}, data...)
	copy(out[at:], bytes.Repeat([]byte(" "), bytes.Index(out[at:], []byte("endobj"))))
	return out
}

// picture has pages that show a picture only, as a scanner makes them.
func picture(boxes ...string) []byte {
	return document([]byte("q Q"), "/Type/XObject/Subtype/Form/BBox[0 0 1 1]", "/XObject<</I 3 0 R>>", boxes...)
}

func TestWhatACheckFinds(t *testing.T) {
	good := text("595 842", "595 842", "842 595")
	tests := []struct {
		name    string
		data    []byte
		verdict Verdict
		reason  string // the beginning
		pages   int
	}{
		{"sound", good, Sound, "", 3},
		{"encrypted, opens", encrypted(t, good, "", "owner"), Sound, "", 3},
		{"encrypted", encrypted(t, good, "secret", "owner"), Locked, "it is encrypted and opens with a password only", -1},
		{"half of it", good[:len(good)/2], Damaged, "cut off: the mark of its end (%%EOF) is missing", -1},
		{"the table is missing", good[:bytes.LastIndex(good, []byte("xref\n0"))], Damaged, "cut off: the mark of its end (%%EOF) is missing", 3},
		{"zeros at the end", append(append([]byte{}, good[:len(good)/2]...), make([]byte, 4096)...), Damaged, "cut off: it ends in zeros", -1},
		{"the table points nowhere", without(good), Damaged, "its table of contents (xref) is broken", 3},
		{"a page is lost", lost(good), Damaged, "pages of it are lost", 3},
		{"no page", document(nil, "", ""), Damaged, "", 0},
		{"empty", nil, NoPDF, "the file is empty", -1},
		{"zeros", make([]byte, 5000), NoPDF, "it does not begin as a PDF, but with zeros", -1},
		{"a picture", []byte("\x89PNG\r\n\x1a\n"), NoPDF, "it does not begin as a PDF, but as a PNG picture", -1},
		{"a web page", []byte("\n<!DOCTYPE html><p>413 Request Entity Too Large"), NoPDF, "it does not begin as a PDF, but as a web page", -1},
		{"only a head", []byte("%PDF-1.4\x1b[2J%%EOF"), Damaged, "", -1},
		{"a page that cannot be unpacked", document([]byte("no flate"), "/Filter/FlateDecode", "", "595 842"), Damaged, "page 1: ", 1},
		{"scanned", picture("595 842"), Sound, "", 1},
	}
	dir := t.TempDir()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := check(t, write(t, dir, "x.pdf", tt.data))
			if c.Verdict != tt.verdict || !strings.HasPrefix(c.Reason, tt.reason) || (tt.reason == "") != (c.Reason == "") && tt.verdict == Sound {
				t.Errorf("%s: %s, want %s: %s", c.Verdict, c.Reason, tt.verdict, tt.reason)
			}
			if c.Pages != tt.pages {
				t.Errorf("%d pages, want %d", c.Pages, tt.pages)
			}
			if c.Bytes != int64(len(tt.data)) || strings.ContainsRune(c.Reason, 0x1b) {
				t.Errorf("%d bytes, want %d; %q", c.Bytes, len(tt.data), c.Reason)
			}
			if c.Verdict != Sound && c.Reason == "" || (c.Verdict == Damaged || c.Verdict == NoPDF) && c.Next == "" {
				t.Errorf("no reason or no next step: %+v", c)
			}
		})
	}
}

func TestWhatASoundOneSays(t *testing.T) {
	dir := t.TempDir()
	f := write(t, dir, "copies/source/copy_1.pdf", text("595 842", "595 842", "842 595", "100 200"))
	got := check(t, f)
	want := Check{Path: filepath.Join(dir, f.Name), Bytes: got.Bytes, Mode: "0644", Verdict: Sound, Version: "1.5", Pages: 4, Looked: 4,
		Sizes: []Size{{595, 842, 2, "A4"}, {842, 595, 1, "A4 landscape"}, {100, 200, 1, ""}}}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(Check{}, "Modified", "Owner")); diff != "" {
		t.Error(diff)
	}
	if c := check(t, write(t, dir, "e.pdf", encrypted(t, text("595 842"), "", "owner"))); !c.Encrypted {
		t.Errorf("%+v is encrypted", c)
	}
	scan := picture("595 842", "595 842")
	if c := check(t, write(t, dir, "s.pdf", scan)); c.Pictures != 2 {
		t.Errorf("%d pages of pictures, want 2", c.Pictures)
	}
	many := make([]string, 120)
	for i := range many {
		many[i] = "595 842"
	}
	if c := check(t, write(t, dir, "m.pdf", text(many...))); c.Pages != 120 || c.Looked != 50 || len(c.Notes) != 1 {
		t.Errorf("%d pages, %d looked into: %q", c.Pages, c.Looked, c.Notes)
	}
}

// What is no file at all is said, and nothing waits for it.
func TestWhatCannotBeOpened(t *testing.T) {
	dir := t.TempDir()
	must(t, os.Mkdir(filepath.Join(dir, "folder.pdf"), 0o755))
	must(t, mkfifo(filepath.Join(dir, "pipe.pdf")))
	for name, want := range map[string]string{"folder.pdf": "it is a folder, not a file", "pipe.pdf": "it is a pipe, not a file", "missing.pdf": "there is no such file"} {
		if c := check(t, File{Root: dir, Name: name}); c.Verdict != Unreadable || c.Reason != want || c.Bytes != -1 {
			t.Errorf("%s: %+v, want %q", name, c, want)
		}
	}
	closed := write(t, dir, "closed.pdf", text("595 842"))
	must(t, os.Chmod(filepath.Join(dir, closed.Name), 0o000))
	must(t, os.Chmod(dir, 0o755))
	asOrdinaryUser(t, func() {
		if c := examine(t.Context(), closed, Limits{}.defaults()); c.Verdict != Unreadable || c.Reason != "permission denied" {
			t.Errorf("%+v", c)
		}
	})
}

// A path of the database leads out of the media folder on no way.
func TestNothingLeavesTheMediaFolder(t *testing.T) {
	dir := t.TempDir()
	media := filepath.Join(dir, "media")
	write(t, media, "copies/inside.pdf", text("595 842"))
	secret := write(t, dir, "secret.pdf", text("595 842"))
	must(t, os.Symlink("../secret.pdf", filepath.Join(media, "link.pdf")))
	must(t, os.Symlink(dir, filepath.Join(media, "up")))
	must(t, os.Symlink("copies/inside.pdf", filepath.Join(media, "fine.pdf")))
	for _, name := range []string{"../secret.pdf", "copies/../../secret.pdf", filepath.Join(dir, secret.Name), "link.pdf", "up/secret.pdf", "/etc/passwd", "copies/inside.pdf/../../../secret.pdf"} {
		c := check(t, File{Root: media, Name: name})
		if c.Verdict != Unreadable || c.Reason != "it lies outside the media folder" || c.Bytes != -1 {
			t.Errorf("%s: %s: %s (%d bytes)", name, c.Verdict, c.Reason, c.Bytes)
		}
	}
	for _, name := range []string{"copies/inside.pdf", "fine.pdf", "copies/../copies/inside.pdf"} {
		if c := check(t, File{Root: media, Name: name}); c.Verdict != Sound {
			t.Errorf("%s: %s: %s", name, c.Verdict, c.Reason)
		}
	}
}

// A check writes nothing: neither to the file nor a configuration of pdfcpu's.
func TestACheckWritesNothing(t *testing.T) {
	home := t.TempDir()
	env := []string{"HOME=" + home, "XDG_CONFIG_HOME=" + filepath.Join(home, "config"), "TMPDIR=" + home}
	f := write(t, t.TempDir(), "x.pdf", without(text("595 842")))
	before, err := os.ReadFile(filepath.Join(f.Root, f.Name))
	must(t, err)
	if c, _ := alone(t, env, f); c.Verdict != Damaged {
		t.Errorf("%+v", c)
	}
	after, err := os.ReadFile(filepath.Join(f.Root, f.Name))
	must(t, err)
	left, err := os.ReadDir(home)
	must(t, err)
	others, err := os.ReadDir(f.Root)
	must(t, err)
	if !bytes.Equal(before, after) || len(left) > 0 || len(others) != 1 {
		t.Errorf("changed: %v; left: %v, %v", !bytes.Equal(before, after), left, others)
	}
}
