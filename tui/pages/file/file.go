// Package file is the page of a PDF: what a check of it found.
package file

import (
	"fmt"
	"strings"
	"time"

	"gradecockpit/probes/pdf"
	"gradecockpit/tui/dialog"
	"gradecockpit/tui/page"
	"gradecockpit/tui/pane"
	"gradecockpit/tui/ui"
)

// New makes the page. Its Reader gives a [pdf.Check].
func New() page.Spec {
	return page.Spec{Kind: pane.KindFile, Title: "PDF", Word: "pdf", Help: "the check of a PDF in the media folder", Takes: pdf.Takes + 5*time.Second, Text: text}
}

func text(in page.Input) page.Text {
	c, ok := in.Data.(pdf.Check)
	if !ok {
		return page.Text{Yank: in.Ref.ID}
	}
	word, tone := Verdict(c)
	out := page.Text{Mark: word, Tone: tone, Yank: c.Path}
	for _, l := range Lines(c, in.Now, in.Zone) {
		out.Paras = append(out.Paras, dialog.Para{Head: ui.Pad(l.Head, headWidth), Text: l.Text, Tone: l.Tone})
	}
	return out
}

// Verdict is what came of the check, with its sign.
func Verdict(c pdf.Check) (word string, tone ui.Tone) {
	switch c.Verdict {
	case pdf.Sound:
		return ui.SignGood + " " + string(c.Verdict), ui.Good
	case pdf.NotLooked, pdf.Unreadable, pdf.Locked:
		return ui.SignWarn + " " + string(c.Verdict), ui.Warn
	}
	return ui.SignBad + " " + string(c.Verdict), ui.Bad
}

// headWidth is the width of the words before the lines.
const headWidth = 11

// Line is one thing that is known of a file.
type Line struct {
	Head, Text string
	Tone       ui.Tone
}

// Lines says all of it, what is wrong first.
func Lines(c pdf.Check, now time.Time, zone *time.Location) []Line {
	word, tone := Verdict(c)
	says := word
	if c.Reason != "" {
		says += ": " + c.Reason
	}
	lines := []Line{{"Verdict", strings.TrimRight(says, ".") + ".", tone}}
	add := func(head, text string) {
		if text != "" {
			lines = append(lines, Line{Head: head, Text: text})
		}
	}
	add("Next", c.Next)
	add("File", c.Path)
	if c.Bytes >= 0 {
		add("Size", ui.Bytes(uint64(c.Bytes))+" ("+ui.Count(c.Bytes)+" bytes)")
	}
	if !c.Modified.IsZero() {
		add("Written", ui.Ago(now.Sub(c.Modified))+", "+ui.Exact(c.Modified, zone))
	}
	add("Owner", pane.Joined(c.Owner, c.Mode))
	if c.Pages >= 0 {
		add("Pages", pages(c))
	}
	if c.Version != "" {
		add("PDF", pane.Joined("version "+c.Version, encrypted(c)))
	}
	add("Pictures", pictures(c))
	for _, n := range c.Notes {
		add("Note", n)
	}
	return lines
}

func encrypted(c pdf.Check) string {
	if c.Encrypted {
		return "encrypted, opens without a password"
	}
	return "not encrypted"
}

// pages are how many there are, by size.
func pages(c pdf.Check) string {
	var parts []string
	for _, s := range c.Sizes {
		name := fmt.Sprintf("%.0f×%.0f pt", s.Width, s.Height)
		if s.Name != "" {
			name = s.Name
		}
		if s.Pages != c.Pages {
			name = ui.Count(int64(s.Pages)) + " of " + name
		}
		parts = append(parts, name)
	}
	return pane.Joined(append([]string{ui.Count(int64(c.Pages))}, parts...)...)
}

// pictures tells a scan, which has to be read by OCR, from a text.
func pictures(c pdf.Check) string {
	switch {
	case c.Looked == 0 || c.Pictures == 0:
		return ""
	case c.Pictures == c.Looked:
		return "pictures without text on every page: a scan"
	}
	return fmt.Sprintf("pictures without text on %d of %s", c.Pictures, ui.Plural(c.Looked, "page"))
}
