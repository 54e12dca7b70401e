package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"gradecockpit/tui/dialog"
	"gradecockpit/tui/page"
	"gradecockpit/tui/pages"
	"gradecockpit/tui/pane"
	"gradecockpit/tui/ui"
)

// findPage gives a kind of page by the word of the command line.
func findPage(word string) (page.Spec, bool) {
	all := pages.All()
	i := slices.IndexFunc(all, func(p page.Spec) bool { return p.Word != "" && p.Word == word })
	if i < 0 {
		return page.Spec{}, false
	}
	return all[i], true
}

// pageWords are the words of all pages that have one.
func pageWords() (words []string) {
	for _, p := range pages.All() {
		if p.Word != "" {
			words = append(words, p.Word)
		}
	}
	return words
}

// printPage prints a page of the screen as text, for pipes and screen readers,
// or what its reader gave as JSON.
func (o *options) printPage(ctx context.Context, spec page.Spec, id, format string) error {
	cfg, err := o.load()
	if err != nil {
		return err
	}
	return o.glance(ctx, cfg, func(ctx context.Context, l look) error {
		ref := pane.Ref{Kind: spec.Kind, ID: id}
		read, err := l.ReadPage(ctx, spec, ref)
		if err != nil {
			return bad(err)
		}
		theme := o.plainTheme(cfg)
		in := pane.Input{Set: l.set.With(read), Data: read.Payload, Now: l.now, Zone: time.Local, ASCII: theme.ASCII, Width: wide}
		if spec.Rows != nil {
			t := pane.New(spec.Rows(ref), theme, 0)
			t.SetInput(in)
			if format == "json" {
				return t.JSON(o.streams.Out)
			}
			return t.Plain(o.streams.Out)
		}
		text := spec.Text(page.Input{Input: in, Ref: ref, Height: wide / 4, Read: read.Good})
		if format == "json" {
			return printJSON(o.streams.Out, map[string]any{"page": spec.Word, "id": id, "state": text.Mark, "data": read.Payload, "text": lay(theme, text.Paras)})
		}
		lines := append([]string{strings.TrimRight(strings.TrimSpace(spec.Title+" "+ref.Name())+": "+text.Mark, ": ")}, lay(theme, text.Paras)...)
		_, err = fmt.Fprintln(o.streams.Out, strings.Join(lines, "\n"))
		return err
	})
}

// lay writes paragraphs as lines of plain text.
func lay(theme *ui.Theme, paras []dialog.Para) []string { return dialog.Plain(theme, paras, wide) }
