package pdf

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"gradecockpit/probes/clean"
)

// Limits bound a check.
type Limits struct {
	Bytes  int64 // of the file; 0: 256 MiB
	Memory int64 // of the process; 0: 512 MiB
	Pages  int   // that are looked into; 0: 50
}

func (l Limits) defaults() Limits {
	if l.Bytes <= 0 {
		l.Bytes = 256 << 20
	}
	if l.Memory <= 0 {
		l.Memory = 512 << 20
	}
	if l.Pages <= 0 {
		l.Pages = 50
	}
	return l
}

// examine checks a file in this process.
func examine(ctx context.Context, file File, l Limits) Check {
	c := Check{Path: file.Path(), Bytes: -1, Pages: -1}
	f, err := file.open()
	if err != nil {
		c.Verdict = Unreadable
		c.Reason, c.Next = refused(file, err)
		return c
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		c.Verdict, c.Reason = Unreadable, clean.Capped(err.Error(), maxText)
		return c
	}
	if !info.Mode().IsRegular() {
		c.Verdict, c.Reason = Unreadable, "it is "+kind(info.Mode())+", not a file"
		return c
	}
	c.describe(info)
	c.contents(ctx, f, l)
	return c
}

func kind(m fs.FileMode) string {
	switch {
	case m.IsDir():
		return "a folder"
	case m&fs.ModeNamedPipe != 0:
		return "a pipe"
	case m&fs.ModeSocket != 0:
		return "a socket"
	}
	return "a device"
}

// contents judges what is in the file: first by its ends, which cost nothing
// and tell the usual accidents, then by opening it.
func (c *Check) contents(ctx context.Context, f *os.File, l Limits) {
	const again = "Upload the original again."
	switch {
	case c.Bytes == 0:
		c.Verdict, c.Reason, c.Next = NoPDF, "the file is empty", "The disk was full or the upload broke off when it was written. "+again
		return
	case c.Bytes > l.Bytes:
		c.Verdict, c.Reason = NotLooked, fmt.Sprintf("the file is larger than %d MB, which is the limit of this check", l.Bytes>>20)
		return
	}
	head, tail, err := ends(f, c.Bytes)
	if err != nil {
		c.Verdict, c.Reason, c.Next = Unreadable, "it cannot be read: "+clean.Capped(err.Error(), maxText), "The disk may be failing: see the system's log."
		return
	}
	if !bytes.Contains(head, []byte("%PDF-")) {
		c.Verdict, c.Reason, c.Next = NoPDF, "it does not begin as a PDF"+looksLike(head), again
		return
	}
	cut := cutOff(tail)
	c.open(ctx, f, l)
	if cut != "" && (c.Verdict == Sound || c.Verdict == Damaged) {
		c.Verdict, c.Reason = Damaged, joined(cut, c.Reason)
	}
	if c.Verdict == Damaged && c.Next == "" {
		c.Next = again
	}
}

func joined(a, b string) string {
	if b == "" {
		return a
	}
	return a + "; " + b
}

// lookAt is how much of each end is read: a PDF's first and last marks have to
// be within 1024 bytes of them (ISO 32000, annex on older files).
const lookAt = 1024

func ends(f io.ReaderAt, size int64) (head, tail []byte, err error) {
	n := min(size, lookAt)
	head, tail = make([]byte, n), make([]byte, n)
	if _, err = f.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, nil, err
	}
	if _, err = f.ReadAt(tail, size-n); err != nil && !errors.Is(err, io.EOF) {
		return nil, nil, err
	}
	return head, tail, nil
}

// cutOff says that the end is missing; "" when it is there.
func cutOff(tail []byte) string {
	switch {
	case bytes.Contains(tail, []byte("%%EOF")):
		return ""
	case len(bytes.Trim(tail, "\x00")) == 0:
		return "cut off: it ends in zeros, as after a full disk or a crash while it was written"
	}
	return "cut off: the mark of its end (%%EOF) is missing"
}

// looksLike names what people upload instead.
func looksLike(head []byte) string {
	for _, k := range []struct{ magic, name string }{
		{"\x89PNG", "a PNG picture"}, {"\xff\xd8\xff", "a JPEG picture"}, {"PK\x03\x04", "a ZIP or Office document"},
		{"II*\x00", "a TIFF picture"}, {"MM\x00*", "a TIFF picture"}, {"{\\rtf", "an RTF document"}, {"\xd0\xcf\x11\xe0", "an old Office document"},
	} {
		if bytes.HasPrefix(head, []byte(k.magic)) {
			return ", but as " + k.name
		}
	}
	lower := bytes.ToLower(bytes.TrimSpace(head))
	if bytes.HasPrefix(lower, []byte("<!doctype html")) || bytes.HasPrefix(lower, []byte("<html")) {
		return ", but as a web page"
	}
	if len(bytes.Trim(head, "\x00")) == 0 {
		return ", but with zeros"
	}
	return ""
}
