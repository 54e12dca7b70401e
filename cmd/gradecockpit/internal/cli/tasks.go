package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"gradecockpit/tui/pane"
	"gradecockpit/tui/panes"
)

// newPanes gives commands of their own to the panes about Celery, under the
// words that people know from its command line.
func newPanes(o *options) []*cobra.Command {
	var all []*cobra.Command
	for _, p := range []struct {
		name, short string
		pane        pane.ID
	}{
		{"workers", "Print the workers: state, load, queues", "workers"},
		{"tasks", "Print the tasks in every state", "tasks"},
		{"queues", "Print the queues with what waits in them, and the quarantines", "queue"},
	} {
		if spec, ok := panes.Find(p.pane); ok {
			all = append(all, newPane(o, spec, p.name, fmt.Sprintf("%s (show %s)", p.short, p.pane)))
		}
	}
	return all
}

func newPane(o *options, spec pane.Spec, name, short string) *cobra.Command {
	c := &cobra.Command{Use: name, Short: short, Args: cobra.NoArgs}
	out := output(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		if err := checkOutput(*out); err != nil {
			return err
		}
		return o.printPane(c.Context(), spec, *out)
	}
	return c
}
