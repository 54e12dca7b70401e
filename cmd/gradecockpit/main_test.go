package main_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"gradecockpit/probes/lab"
	"gradecockpit/probes/lab/labtest"
)

// binary is the cockpit as it is shipped, built once for all tests here.
var binary string

func TestMain(m *testing.M) {
	asPanicky()
	dir, err := os.MkdirTemp("", "gradecockpit-e2e-")
	if err == nil {
		// An ordinary user runs it too.
		err = os.Chmod(dir, 0o755)
	}
	if err == nil {
		binary = filepath.Join(dir, "gradecockpit")
		var out []byte
		if out, err = exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
			err = fmt.Errorf("%w: %s", err, out)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// world starts the demo's stack, with everything on it that tests need to see.
func world(t *testing.T, opts lab.Options) *lab.World {
	t.Helper()
	w, err := lab.Start(labtest.Context(t), opts)
	if err != nil {
		labtest.Missing(t, "a world cannot be started: "+err.Error())
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Errorf("close the world: %v", err)
		}
	})
	return w
}

// settings point a cockpit at a world and keep its files in a folder of the test.
func settings(t *testing.T, w *lab.World) (env map[string]string, state string) {
	t.Helper()
	state = t.TempDir()
	env = w.Env()
	env["XDG_STATE_HOME"], env["XDG_CONFIG_HOME"] = state, filepath.Join(state, "config")
	env["GRADECOCKPIT_AS"] = lab.Operator
	return env, state
}

// command is the binary without a terminal.
func command(ctx context.Context, env map[string]string, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, binary, args...)
	c.Env = append(os.Environ(), "CI=true")
	for name, value := range env {
		c.Env = append(c.Env, name+"="+value)
	}
	return c
}
