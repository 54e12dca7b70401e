package wire

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"time"

	"gradecockpit/cmd/gradecockpit/internal/config"
	"gradecockpit/probes"
	"gradecockpit/probes/host"
	"gradecockpit/probes/pdf"
	"gradecockpit/tui/pane"
)

// The schedules of the machine: it changes slowly, and looking into folders
// costs so much more than looking at them that it is done for who sees it alone.
var (
	machine = probes.Schedule{Interval: 10 * time.Second, Deadline: 5 * time.Second}
	inside  = probes.Schedule{Interval: time.Minute, Deadline: 10 * time.Second, OnScreen: true}
)

// ExaminePDF is the command of this program that a PDF is checked by, in a
// process of its own; it is for [pdf.Child].
const ExaminePDF = "examine-pdf"

// addHost adds the machine that the cockpit runs on.
func (c *Cockpit) addHost() error {
	t := c.Config.Text
	h := host.New(host.Config{
		Media: t(config.MediaDir), Temporary: t(config.TempDir), Logs: t(config.LogDir), Database: t(config.DataDir), Reader: c.reader,
		Limits: host.Limits{Warning: c.Config.Int("thresholds.disk_warning"), Critical: c.Config.Int("thresholds.disk_critical")},
	})
	c.add(h.Probe(), machine)
	c.add(h.Files(), inside)
	self, err := os.Executable()
	if err != nil {
		self = os.Args[0]
	}
	c.pdfs = pdf.NewChecker(self, ExaminePDF)
	return nil
}

// readFile checks the PDF that a page is about. What the database names is
// followed inside the media folder only.
func (c *Cockpit) readFile(ctx context.Context, ref pane.Ref) (any, error) {
	return c.checkMedia(ctx, ref.ID)
}

func (c *Cockpit) checkMedia(ctx context.Context, path string) (pdf.Check, error) {
	media := c.Config.Text(config.MediaDir)
	if media == "" {
		return pdf.Check{}, probes.NotConfigured(probes.Host, "MEDIA_ROOT")
	}
	if rel, err := filepath.Rel(media, path); filepath.IsAbs(path) && err == nil {
		path = rel
	}
	return c.pdfs.Check(ctx, pdf.File{Root: media, Name: path})
}

// CheckPDFs checks a file by its path, or the PDFs of a copy. A name that
// stands for no file is taken for a copy's.
func (c *Cockpit) CheckPDFs(ctx context.Context, name string) ([]pdf.Check, error) {
	if _, err := os.Lstat(name); err == nil || strings.ContainsRune(name, filepath.Separator) {
		one, err := c.pdfs.Check(ctx, pdf.File{Name: name})
		return []pdf.Check{one}, err
	}
	if c.grading == nil {
		return nil, &probes.Error{Source: probes.Host, Op: "find the PDF", Cause: "there is no file of that name, and no database to look for a copy in"}
	}
	d, err := c.grading.Dossier(ctx, name)
	if err != nil {
		return nil, err
	}
	var all []pdf.Check
	for _, path := range []string{d.PDFSource, d.FinalPDF} {
		if path == "" {
			continue
		}
		one, err := c.checkMedia(ctx, path)
		if err != nil {
			return all, err
		}
		all = append(all, one)
	}
	if len(all) == 0 {
		return nil, &probes.Error{Source: probes.Host, Op: "find the PDF", Cause: "the copy names no PDF"}
	}
	return all, nil
}
