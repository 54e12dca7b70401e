package wire

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"gradecockpit/cmd/gradecockpit/internal/config"
	"gradecockpit/probes"
	"gradecockpit/probes/host"
	"gradecockpit/probes/lab"
	"gradecockpit/probes/lab/labtest"
)

// A cockpit over all sources that has been closed runs nothing any more: no
// loop of a probe, no reader of a command's output, no connection.
func TestAClosedCockpitLeavesNoGoroutine(t *testing.T) {
	w, err := lab.Start(labtest.Context(t), lab.Options{Quiet: true, NoWorker: true, Seed: 1}) // nothing of its own begins later
	if err != nil {
		labtest.Missing(t, "a world cannot be started: "+err.Error())
	}
	t.Cleanup(func() { _ = w.Close() })
	env := w.Env()
	env["GRADECOCKPIT_LOG_COMMAND"] = "tail -n 100 -F " + filepath.Join(env["GRADING_LOG_DIR"], "django.log")
	env["PROMETHEUS_URL"] = env["METRICS_URL"] // no Prometheus: that it fails is no reason to leak
	cfg, err := config.Load(config.Sources{Getenv: func(name string) (string, bool) { v, ok := env[name]; return v, ok }})
	if err != nil {
		t.Fatal(err)
	}
	before := goleak.IgnoreCurrent()
	c, err := New(cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	c.Hub.SetVisible([]probes.ID{host.FilesID})
	ctx, cancel := context.WithCancel(labtest.Context(t))
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.Hub.Run(ctx)
	}()
	for {
		set, err := c.Hub.Next(ctx, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, ok := probes.Of[host.Contents](set, host.FilesID); ok && asked(set) {
			break
		}
	}
	cancel()
	<-done
	closing, stop := context.WithTimeout(context.Background(), 5*time.Second)
	defer stop()
	c.Close(closing)
	if err := goleak.Find(before); err != nil {
		t.Error(err)
	}
}

// asked tells whether every probe has run.
func asked(set probes.Set) bool {
	for _, s := range set.Snapshots() {
		if s.Seq == 0 {
			return false
		}
	}
	return true
}
