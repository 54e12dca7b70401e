package pdf

import (
	"bytes"
	"compress/zlib"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"gradecockpit/probes/lab/labtest"
)

// examineArg turns the test binary into the process that checks.
const examineArg = "examine-pdf"

func TestMain(m *testing.M) {
	if len(os.Args) == 4 && os.Args[1] == examineArg {
		Child(os.Args[2], os.Args[3], os.Stdin, os.Stdout, os.Exit)
	}
	goleak.VerifyTestMain(m)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func checker(t *testing.T) *Checker {
	t.Helper()
	self, err := os.Executable()
	must(t, err)
	return NewChecker(self, examineArg)
}

func check(t *testing.T, f File) Check {
	t.Helper()
	c, err := checker(t).Check(labtest.Context(t), f)
	must(t, err)
	return c
}

// alone runs the process that checks by itself, for what a Checker does not tell.
func alone(t *testing.T, env []string, f File) (Check, *os.ProcessState) {
	t.Helper()
	self, err := os.Executable()
	must(t, err)
	cmd := exec.CommandContext(labtest.Context(t), self, examineArg, f.Root, f.Name)
	cmd.Env = env
	_, err = cmd.StdinPipe()
	must(t, err)
	out, err := cmd.Output()
	must(t, err)
	var c Check
	must(t, json.Unmarshal(out, &c))
	return c, cmd.ProcessState
}

// builder writes a PDF by hand: what it says is known.
type builder struct {
	bytes.Buffer
	offsets []int
}

func (b *builder) object(format string, args ...any) int {
	if b.Len() == 0 {
		b.WriteString("%PDF-1.5\n")
	}
	b.offsets = append(b.offsets, b.Len())
	n := len(b.offsets)
	fmt.Fprintf(b, "%d 0 obj\n%s\nendobj\n", n, fmt.Sprintf(format, args...))
	return n
}

func (b *builder) stream(dict string, data []byte) int {
	return b.object("<<%s /Length %d>>\nstream\n%s\nendstream", dict, len(data), data)
}

// finish writes the table of contents. The first object is the catalogue.
func (b *builder) finish() []byte {
	at := b.Len()
	fmt.Fprintf(b, "xref\n0 %d\n0000000000 65535 f \n", len(b.offsets)+1)
	for _, o := range b.offsets {
		fmt.Fprintf(b, "%010d 00000 n \n", o)
	}
	fmt.Fprintf(b, "trailer\n<</Size %d /Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n", len(b.offsets)+1, at)
	return b.Bytes()
}

// document has pages of the given sizes, in points; each shows the content.
func document(content []byte, filter, resources string, boxes ...string) []byte {
	b := &builder{}
	b.object("<</Type/Catalog/Pages 2 0 R>>")
	var kids strings.Builder
	for i := range boxes {
		fmt.Fprintf(&kids, "%d 0 R ", 4+i)
	}
	b.object("<</Type/Pages/Count %d/Kids[%s]>>", len(boxes), kids.String())
	b.stream(filter, content)
	for _, box := range boxes {
		b.object("<</Type/Page/Parent 2 0 R/MediaBox[0 0 %s]/Resources<<%s>>/Contents 3 0 R>>", box, resources)
	}
	return b.finish()
}

func text(boxes ...string) []byte {
	return document([]byte("BT ET"), "", "/Font<</F<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>>>", boxes...)
}

func deflate(t *testing.T, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	_, err := w.Write(data)
	must(t, err)
	must(t, w.Close())
	return b.Bytes()
}

func write(t *testing.T, dir, name string, data []byte) File {
	t.Helper()
	path := filepath.Join(dir, name)
	must(t, os.MkdirAll(filepath.Dir(path), 0o755))
	must(t, os.WriteFile(path, data, 0o644))
	return File{Root: dir, Name: name}
}

// cancelled is a context that has ended.
func cancelled() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}
