package pdf

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/pdfcpu/pdfcpu/pkg/api"
	"github.com/pdfcpu/pdfcpu/pkg/filter"
	"github.com/pdfcpu/pdfcpu/pkg/log"
	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu"
	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/model"
	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/types"

	"gradecockpit/probes/clean"
)

// settings are pdfcpu's for a file that nobody vouches for. Without the first
// line it would make a folder of its own in the user's configuration; Offline
// keeps it from following addresses in the file.
func settings(l Limits) *model.Configuration {
	api.DisableConfigDir()
	conf := model.NewDefaultConfiguration()
	conf.Cmd = model.VALIDATE
	conf.ValidationMode = model.ValidationRelaxed
	conf.Offline, conf.Optimize = true, false
	conf.Limits.MaxStreamBytes, conf.Limits.MaxDecodeBytes = l.Bytes, l.Memory/8
	conf.Limits.MaxImageBytes, conf.Limits.MaxImagePixels = l.Memory/8, l.Memory/8
	conf.Limits.MaxObjectCount, conf.Limits.MaxXRefEntries = 2_000_000, 2_000_000
	return conf
}

// open opens the file with pdfcpu and judges it. A panic of the library is a
// damaged file, not the end of the check.
func (c *Check) open(ctx context.Context, f *os.File, l Limits) {
	defer func() {
		if v := recover(); v != nil {
			c.Verdict, c.Reason = Damaged, "it cannot be read: "+clean.Capped(fmt.Sprint(v), maxText)
		}
	}()
	debug.SetMemoryLimit(l.Memory / 2) // the collector tries harder before the limit
	said := &talk{}
	log.SetCLILogger(said)
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		c.Verdict, c.Reason = Unreadable, clean.Capped(err.Error(), maxText)
		return
	}
	doc, err := pdfcpu.ReadWithContext(ctx, f, settings(l))
	if err == nil {
		err = api.ValidateContext(doc)
	}
	if err == nil {
		err = doc.EnsurePageCount()
	}
	if err != nil {
		c.fail(ctx, err)
		return
	}
	c.read(ctx, doc, l)
	c.Notes = append(c.Notes, said.notes...)
	switch {
	case c.Verdict != Sound:
	case said.blanked:
		c.Verdict, c.Reason = Damaged, "pages of it are lost"
	case said.repaired:
		c.Verdict, c.Reason = Damaged, "its table of contents (xref) is broken: it opens only in programs that repair it"
	}
}

// fail puts the library's error into words.
func (c *Check) fail(ctx context.Context, err error) {
	text := clean.Capped(err.Error(), maxText)
	switch {
	case ctx.Err() != nil:
		c.Verdict, c.Reason = NotLooked, "it could not be opened in time"
	case errors.Is(err, pdfcpu.ErrWrongPassword), errors.Is(err, pdfcpu.ErrOwnerPasswordRequired):
		c.Encrypted = true
		c.Verdict, c.Reason, c.Next = Locked, "it is encrypted and opens with a password only", "Ask for the file without a password and upload it again."
	case errors.Is(err, filter.ErrDecodeLimitExceeded):
		c.Verdict, c.Reason = NotLooked, "something in it unpacks to more than this check allows; a worker may run out of memory on it"
	case errors.Is(err, pdfcpu.ErrUnsupportedEncryptionFeature):
		c.Encrypted = true
		c.Verdict, c.Reason = NotLooked, "it is encrypted in a way that this check does not know"
	default:
		c.Verdict, c.Reason = Damaged, text
	}
}

// read takes what an open document says.
func (c *Check) read(ctx context.Context, doc *model.Context, l Limits) {
	c.Verdict, c.Version, c.Encrypted, c.Pages = Sound, doc.HeaderVersion.String(), doc.Encrypt != nil, doc.PageCount
	if c.Pages == 0 {
		c.Verdict, c.Reason = Damaged, "it has no page"
		return
	}
	if dims, err := doc.PageDims(); err == nil {
		c.Sizes = sizes(dims)
	}
	for nr := 1; nr <= min(c.Pages, l.Pages) && ctx.Err() == nil; nr++ {
		if err := c.page(doc, nr, l.Memory/8); err != nil {
			c.fail(ctx, err)
			c.Reason = fmt.Sprintf("page %d: %s", nr, c.Reason)
			return
		}
	}
	if c.Looked < c.Pages {
		c.Notes = append(c.Notes, fmt.Sprintf("Only the first %d of %d pages were looked into.", c.Looked, c.Pages))
	}
}

// page unpacks what one page shows, and tells whether it is a picture without text.
func (c *Check) page(doc *model.Context, nr int, most int64) error {
	page, _, inherited, err := doc.PageDict(nr, false)
	if err != nil {
		return err
	}
	c.Looked++
	if err := unpack(doc, page, most); err != nil {
		return err
	}
	resources := inherited.Resources
	if o, ok := page.Find("Resources"); ok {
		if own, err := doc.DereferenceDict(o); err == nil && own != nil {
			resources = own
		}
	}
	if has(doc, resources, "XObject") && !has(doc, resources, "Font") {
		c.Pictures++
	}
	return nil
}

// unpack tries what a page shows, each part of it up to so many bytes. The
// library's own way to a page's content knows no limit.
func unpack(doc *model.Context, page types.Dict, most int64) error {
	o, _ := page.Find("Contents")
	o, err := doc.Dereference(o)
	if err != nil || o == nil {
		return err // a page may be empty
	}
	parts, several := o.(types.Array)
	if !several {
		parts = types.Array{o}
	}
	for _, part := range parts {
		sd, _, err := doc.DereferenceStreamDict(part)
		if err != nil {
			return err
		}
		if sd == nil {
			continue
		}
		err = sd.DecodeWithLimit(most)
		sd.Content = nil // only that it can be done is wanted
		if err != nil && !errors.Is(err, filter.ErrUnsupportedFilter) {
			return err
		}
	}
	return nil
}

// has tells whether a page's resources hold something of a kind.
func has(doc *model.Context, resources types.Dict, kind string) bool {
	o, ok := resources.Find(kind)
	if !ok {
		return false
	}
	d, err := doc.DereferenceDict(o)
	return err == nil && len(d) > 0
}

// The sizes of paper that exams come in, in points.
var papers = []Size{{595, 842, 0, "A4"}, {842, 1191, 0, "A3"}, {420, 595, 0, "A5"}, {612, 792, 0, "Letter"}, {612, 1008, 0, "Legal"}}

// maxSizes bounds the different sizes that are told.
const maxSizes = 6

// sizes counts the sizes of pages, rounded to a point.
func sizes(dims []types.Dim) []Size {
	var all []Size
	for _, d := range dims {
		w, h := math.Round(d.Width), math.Round(d.Height)
		i := slices.IndexFunc(all, func(s Size) bool { return s.Width == w && s.Height == h })
		if i < 0 {
			if len(all) == 1000 {
				break // every page another size: a joke, or an attack
			}
			all = append(all, Size{Width: w, Height: h, Name: paper(w, h)})
			i = len(all) - 1
		}
		all[i].Pages++
	}
	slices.SortStableFunc(all, func(a, b Size) int { return cmp.Compare(b.Pages, a.Pages) })
	return all[:min(len(all), maxSizes)]
}

// paper names a size; scanners miss it by a few points.
func paper(w, h float64) string {
	const near = 6
	for _, p := range papers {
		if math.Abs(min(w, h)-p.Width) <= near && math.Abs(max(w, h)-p.Height) <= near {
			if w > h {
				return p.Name + " landscape"
			}
			return p.Name
		}
	}
	return ""
}

// talk takes what pdfcpu says while it reads: what it had to mend or skip.
type talk struct {
	notes    []string
	repaired bool // its table of contents
	blanked  bool // a page is lost, and read as an empty one
}

// maxNotes bounds what is kept of it.
const maxNotes = 5

func (t *talk) take(says string) {
	says = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(says), "pdfcpu "))
	what, mended := strings.CutPrefix(says, "repaired: ")
	t.repaired = t.repaired || mended && strings.HasPrefix(what, "xreftable")
	t.blanked = t.blanked || mended && strings.HasPrefix(what, "corrupt page")
	if topic, _, ok := strings.Cut(says, ":"); ok && len(t.notes) < maxNotes && (mended || topic == "skipped" || topic == "digested") {
		t.notes = append(t.notes, clean.Capped(says, maxText))
	}
}

func (t *talk) Printf(format string, args ...any) { t.take(fmt.Sprintf(format, args...)) }
func (t *talk) Println(args ...any)               { t.take(fmt.Sprintln(args...)) }
func (t *talk) Fatalf(format string, args ...any) { t.Printf(format, args...) }
func (t *talk) Fatalln(args ...any)               { t.Println(args...) }
