package main_test

import (
	"bufio"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"gradecockpit/probes/lab"
	"gradecockpit/probes/lab/labtest"
)

// TestExportServesUntilItIsTold: the shipped program serves a world, ends on
// each signal with its own exit code, and leaves no file and no connection.
func TestExportServesUntilItIsTold(t *testing.T) {
	w := world(t, lab.Options{Quiet: true, Seed: 1, Faults: []string{"expired-locks"}})
	for sig, code := range map[syscall.Signal]int{syscall.SIGTERM: 143, syscall.SIGHUP: 129} {
		t.Run(sig.String(), func(t *testing.T) {
			env, state := settings(t, w)
			env["HOME"], env["GRADECOCKPIT_READ_ONLY"] = state, "false" // it does not help
			c := command(labtest.Context(t), env, "export", "--listen", "127.0.0.1:0")
			errs, err := c.StderrPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			said := bufio.NewReader(errs)
			line, err := said.ReadString('\n')
			_, url, ok := strings.Cut(strings.TrimSpace(line), "serving ")
			if err != nil || !ok {
				t.Fatalf("it says %q, %v", line, err)
			}
			labtest.Eventually(t, func() bool { return strings.Contains(fetch(t, url), `gradecockpit_locks{state="expired"} 7`) })
			if got := fetch(t, strings.Replace(url, "/metrics", "/healthz", 1)); got != "ok\n" {
				t.Errorf("health: %q", got)
			}
			if err := c.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
			rest, _ := io.ReadAll(said)
			var exit *exec.ExitError
			if err := c.Wait(); !errors.As(err, &exit) || exit.ExitCode() != code {
				t.Errorf("%v, want exit code %d", err, code)
			}
			if len(rest) > 0 {
				t.Errorf("it also said %s", rest)
			}
			if left, _ := filepath.Glob(filepath.Join(state, "*")); len(left) > 0 {
				t.Errorf("written: %v", left)
			}
			leavesNoConnection(t, w)
		})
	}
}

// TestExportOnAPortThatIsTaken is one sentence.
func TestExportOnAPortThatIsTaken(t *testing.T) {
	env := map[string]string{"HOME": t.TempDir()}
	first := command(labtest.Context(t), env, "export", "--listen", "127.0.0.1:0")
	errs, err := first.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(errs).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	_, url, _ := strings.Cut(strings.TrimSpace(line), "http://")
	second := command(labtest.Context(t), env, "export", "--listen", strings.TrimSuffix(url, "/metrics"))
	out, err := second.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 2 || strings.Count(string(out), "\n") != 1 || !strings.Contains(string(out), "is taken already") {
		t.Errorf("%v: %s", err, out)
	}
	if err := first.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := first.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 130 {
		t.Errorf("%v, want exit code 130", err)
	}
}

func fetch(t *testing.T, url string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(labtest.Context(t), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}
