package wire

import (
	"testing"

	"gradecockpit/cmd/gradecockpit/internal/config"
	"gradecockpit/probes"
	"gradecockpit/probes/host"
	"gradecockpit/probes/lab/labtest"
)

// Adding up the folders costs too much for a command that does not show them.
func TestFoldersAreAddedUpForWhoSeesThem(t *testing.T) {
	env := map[string]string{"MEDIA_ROOT": t.TempDir(), "GRADECOCKPIT_TEMP_DIR": t.TempDir(), "XDG_CONFIG_HOME": t.TempDir()}
	cfg, err := config.Load(config.Sources{Getenv: func(name string) (string, bool) { v, ok := env[name]; return v, ok }})
	if err != nil {
		t.Fatal(err)
	}
	c, err := New(cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(labtest.Context(t)) })
	if s := c.Hub.SampleAll(labtest.Context(t)).Get(host.FilesID); s.Seq != 0 {
		t.Errorf("nobody sees them, and they were added up: %+v", s)
	}
	c.Hub.SetVisible([]probes.ID{host.FilesID})
	if o, _, ok := probes.Of[host.Contents](c.Hub.SampleAll(labtest.Context(t)), host.FilesID); !ok || len(o.Folders) != 2 {
		t.Errorf("somebody sees them: %+v", o)
	}
}
