package host

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"gradecockpit/probes/lab/labtest"
)

func TestMain(m *testing.M) { labtest.Main(m) }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// limits are the settings' defaults.
var limits = Limits{Warning: 80, Critical: 90}

func sample(t *testing.T, p *Probe) Overview {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	got, err := p.Sample(ctx)
	must(t, err)
	return got.(Overview)
}

func inside(t *testing.T, h *Host) map[Role]Content {
	t.Helper()
	got, err := h.Files().Sample(labtest.Context(t))
	must(t, err)
	out := map[Role]Content{}
	for _, c := range got.(Contents).Folders {
		out[c.Role] = c
	}
	return out
}

// write makes a file of n bytes, with data in all of them.
func write(t *testing.T, path string, n int) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(path), 0o755))
	data := make([]byte, n)
	for i := range data {
		data[i] = 'x'
	}
	must(t, os.WriteFile(path, data, 0o644))
}

func says(all []Problem) (out []string) {
	for _, p := range all {
		out = append(out, p.Says)
	}
	return out
}
