package cli

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"gradecockpit/cmd/gradecockpit/internal/config"
	"gradecockpit/cmd/gradecockpit/internal/wire"
	"gradecockpit/probes/clean"
)

func newConfig(o *options) *cobra.Command {
	c := &cobra.Command{Use: "config", Short: "Show the configuration and where each value comes from"}
	c.AddCommand(newConfigShow(o))
	return c
}

func newConfigShow(o *options) *cobra.Command {
	c := &cobra.Command{Use: "show", Short: "Print every setting, its value (secrets masked) and its origin", Args: cobra.NoArgs}
	return o.printing(c, func(_ context.Context, cfg *config.Config, _ []string, format string) error {
		if format == "json" {
			return printJSON(o.streams.Out, settingsJSON(cfg))
		}
		return printSettings(o, cfg)
	})
}

type settingJSON struct {
	Key    string   `json:"key"`
	Value  string   `json:"value"`
	Origin string   `json:"origin"`
	Hidden []string `json:"overrides,omitempty"`
}

func settingsJSON(cfg *config.Config) []settingJSON {
	var all []settingJSON
	for _, v := range cfg.Values() {
		all = append(all, settingJSON{v.Setting.Key, v.Masked(), v.Origin, v.Hidden})
	}
	return all
}

func printSettings(o *options, cfg *config.Config) error {
	w := tabwriter.NewWriter(o.streams.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "SETTING\tVALUE\tFROM")
	for _, v := range cfg.Values() {
		origin := v.Origin
		if len(v.Hidden) > 0 {
			origin += " (not " + strings.Join(v.Hidden, ", ") + ")"
		}
		value := clean.Text(v.Masked())
		if value == "" {
			value = "-"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", v.Setting.Key, value, origin)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	env := cfg.Environment
	if env == "" {
		env = "none"
	}
	fmt.Fprintf(o.streams.Out, "\nfile         %s\nenvironment  %s\njournal      %s\nstate        %s\n",
		cfg.Path, env, wire.JournalPath(cfg), config.StateDir())
	return nil
}
