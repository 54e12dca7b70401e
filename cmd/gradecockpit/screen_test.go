package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"gradecockpit/probes/lab/labtest"
)

// patience bounds every wait for something on the screen. It is long because
// the machine may be busy; a wait ends as soon as its condition is true.
const patience = 60 * time.Second

// screen is a program in a tmux server of its own.
type screen struct {
	t      *testing.T
	socket string
}

// open runs a program in a terminal of cols by rows cells. The shell around it
// stays afterwards and prints "[exit N]", so that a test sees how it ended.
func open(t *testing.T, cols, rows int, env map[string]string, args ...string) *screen {
	t.Helper()
	labtest.Need(t, "tmux")
	dir := t.TempDir()
	s := &screen{t, filepath.Join(dir, "s")}
	var b strings.Builder
	b.WriteString("unset CI ACCESSIBLE NO_COLOR; export TERM=xterm-256color\n")
	for name, value := range env {
		fmt.Fprintf(&b, "export %s=%s\n", name, quote(value))
	}
	for _, a := range args {
		b.WriteString(quote(a) + " ")
	}
	b.WriteString("\necho \"[exit $?]\"\nexec cat\n")
	script := filepath.Join(dir, "run.sh")
	if err := os.WriteFile(script, []byte(b.String()), 0o700); err != nil {
		t.Fatal(err)
	}
	s.tmux("-f", "/dev/null", "new-session", "-d", "-x", strconv.Itoa(cols), "-y", strconv.Itoa(rows), "sh", script)
	s.tmux("set", "-g", "status", "off")
	t.Cleanup(s.kill)
	return s
}

// in gives the screen to a subtest, which then fails instead of its parent.
func (s *screen) in(t *testing.T) *screen { return &screen{t, s.socket} }

func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

func (s *screen) tmux(args ...string) string {
	s.t.Helper()
	out, err := exec.Command("tmux", append([]string{"-S", s.socket}, args...)...).CombinedOutput()
	if err != nil {
		s.t.Fatalf("tmux %v: %v: %s", args, err, out)
	}
	return string(out)
}

// kill ends the tmux server, as a lost SSH session does: SIGHUP for the program.
func (s *screen) kill() { _ = exec.Command("tmux", "-S", s.socket, "kill-server").Run() }

// text is what the screen shows.
func (s *screen) text() string {
	s.t.Helper()
	return s.tmux("capture-pane", "-p")
}

// press sends keys by tmux's names.
func (s *screen) press(keys ...string) {
	s.t.Helper()
	s.tmux(append([]string{"send-keys"}, keys...)...)
}

// write types text literally.
func (s *screen) write(text string) {
	s.t.Helper()
	s.tmux("send-keys", "-l", text)
}

// wait is over when all the texts are on the screen at once.
func (s *screen) wait(texts ...string) string {
	s.t.Helper()
	return s.until("to show "+strings.Join(texts, ", "), func(shown string) bool {
		for _, want := range texts {
			if !strings.Contains(shown, want) {
				return false
			}
		}
		return true
	})
}

// gone is over when the text is not on the screen.
func (s *screen) gone(text string) string {
	s.t.Helper()
	return s.until("to lose "+text, func(shown string) bool { return !strings.Contains(shown, text) })
}

func (s *screen) until(what string, done func(shown string) bool) string {
	s.t.Helper()
	var shown string
	eventually(s.t, func() bool { shown = s.text(); return done(shown) }, func() string {
		return fmt.Sprintf("the screen was expected %s, and is:\n%s", what, shown)
	})
	return shown
}

// eventually polls a condition within patience.
func eventually(t *testing.T, done func() bool, says func() string) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if done() {
			return
		}
	}
	t.Fatal(says())
}

// restored checks that the terminal is as before: main screen, visible cursor.
func (s *screen) restored() {
	s.t.Helper()
	if got := strings.TrimSpace(s.tmux("display-message", "-p", "alternate=#{alternate_on} cursor=#{cursor_flag} mouse=#{mouse_any_flag}")); got != "alternate=0 cursor=1 mouse=0" {
		s.t.Errorf("the terminal is not restored: %s", got)
	}
}
