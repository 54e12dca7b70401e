package main_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"gradecockpit/probes/lab"
	"gradecockpit/probes/lab/labtest"
)

// TestDemoFillsItsPanesAndLeavesNothing: no process, no folder, whichever way
// it is left.
func TestDemoFillsItsPanesAndLeavesNothing(t *testing.T) {
	ways := map[string]func(*screen, []process){
		"q":       func(s *screen, _ []process) { s.press("q"); s.wait("[exit 0]"); s.restored() },
		"ctrl+c":  func(s *screen, _ []process) { s.press("C-c"); s.wait("[exit 0]"); s.restored() },
		"SIGTERM": func(s *screen, all []process) { signal(s.t, all, syscall.SIGTERM); s.wait("[exit 143]"); s.restored() },
		"SIGHUP":  func(s *screen, all []process) { signal(s.t, all, syscall.SIGHUP); s.wait("[exit 129]"); s.restored() },
		"the terminal is closed": func(s *screen, _ []process) {
			s.kill()
		},
	}
	for name, leave := range ways {
		t.Run(name, func(t *testing.T) {
			needPostgres(t)
			state := t.TempDir()
			s := open(t, 120, 36, map[string]string{"TMPDIR": state, "HOME": state}, binary, "demo")
			s.wait(fill...)
			all := descendants(t, s)
			if len(all) < 4 {
				t.Fatalf("only %d processes below the terminal: %v", len(all), all)
			}
			folders := foldersOf(all)
			if len(folders) == 0 {
				t.Fatalf("no folder in the servers' arguments: %v", all)
			}
			leave(s, all)
			eventually(t, func() bool { return len(alive(all)) == 0 }, func() string { return fmt.Sprintf("still alive: %v", alive(all)) })
			for _, dir := range folders {
				if _, err := os.Stat(dir); err == nil {
					t.Errorf("%s is left behind", dir)
				}
			}
			if left, _ := filepath.Glob(filepath.Join(state, "*")); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

// TestDemoWithoutATerminal prints the whole dashboard once, as root and as an
// ordinary user.
func TestDemoWithoutATerminal(t *testing.T) {
	needPostgres(t)
	for _, user := range []string{"root", "nobody"} {
		t.Run(user, func(t *testing.T) {
			state := t.TempDir()
			c := command(labtest.Context(t), map[string]string{"TMPDIR": state, "HOME": state}, "demo", "--quiet")
			if user == "nobody" {
				asNobody(t, c, state)
			}
			var out, errs bytes.Buffer
			c.Stdout, c.Stderr = &out, &errs
			if err := c.Run(); err != nil {
				t.Fatalf("%v: %s", err, errs.String())
			}
			for _, title := range []string{"Locks: ", "Stuck copies: ", "Queue: ", "Latency", "Audit timeline: "} {
				if !strings.Contains(out.String(), title) {
					t.Errorf("no %q in the dashboard:\n%s", title, out.String())
				}
			}
			if bytes.ContainsRune(out.Bytes(), 0x1b) {
				t.Error("an escape sequence in a pipe")
			}
			if left, _ := filepath.Glob(filepath.Join(state, "*")); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

// asNobody runs a command as the unprivileged user, where root can.
func asNobody(t *testing.T, c *exec.Cmd, state string) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Log("this test runs as an ordinary user already")
		return
	}
	for dir := state; len(dir) > len(os.TempDir()); dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chown(state, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	c.Dir = state
	c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
}

// needPostgres skips where there is no PostgreSQL, as every test with a server.
func needPostgres(t *testing.T) {
	t.Helper()
	s, err := lab.StartPostgres(labtest.Context(t), lab.PostgresOptions{})
	if err != nil {
		labtest.Missing(t, err.Error())
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
}

// process is one of /proc, known by its start time too: pids are reused.
type process struct {
	pid   int
	start string
	args  string
}

// read gives a process, if it is there and not a zombie.
func readProcess(pid int) (p process, parent int, ok bool) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return p, 0, false
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	args, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	parent, _ = strconv.Atoi(fields[1])
	p = process{pid, fields[19], strings.ReplaceAll(string(args), "\x00", " ")}
	return p, parent, fields[0] != "Z"
}

// descendants are all processes below the shell in the terminal, the cockpit first.
func descendants(t *testing.T, s *screen) (all []process) {
	t.Helper()
	pane, err := strconv.Atoi(strings.TrimSpace(s.tmux("display-message", "-p", "#{pane_pid}")))
	if err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	family := map[int]bool{pane: true}
	for grown := true; grown; {
		grown = false
		for _, e := range entries {
			pid, err := strconv.Atoi(e.Name())
			if err != nil || family[pid] {
				continue
			}
			if p, parent, ok := readProcess(pid); ok && family[parent] {
				family[pid], grown = true, true
				all = append(all, p)
			}
		}
	}
	return all
}

func alive(all []process) (left []process) {
	for _, p := range all {
		if now, _, ok := readProcess(p.pid); ok && now.start == p.start {
			left = append(left, p)
		}
	}
	return left
}

var folder = regexp.MustCompile(`/[^ :]*gradecockpit-demo-[^ /:]+`)

func foldersOf(all []process) (dirs []string) {
	for _, p := range all {
		dirs = append(dirs, folder.FindAllString(p.args, -1)...)
	}
	return dirs
}

// signal is for the cockpit itself, the first process below the shell.
func signal(t *testing.T, all []process, sig syscall.Signal) {
	t.Helper()
	for _, p := range all {
		if strings.HasPrefix(p.args, binary) {
			if err := syscall.Kill(p.pid, sig); err != nil {
				t.Fatal(err)
			}
			return
		}
	}
	t.Fatalf("the cockpit is not among %v", all)
}
