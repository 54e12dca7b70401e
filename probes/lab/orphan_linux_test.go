package lab_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"gradecockpit/probes/lab"
	"gradecockpit/probes/lab/labtest"
)

// startOwner starts that process, changed by the given function.
func startOwner(t *testing.T, mode string, change func(*exec.Cmd)) (*exec.Cmd, io.Closer, owned) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), ownerEnv+"="+mode)
	if change != nil {
		change(cmd)
	}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(stdout)
	line, _ := lines.ReadBytes('\n')
	var o owned
	if err := json.Unmarshal(line, &o); err != nil {
		rest, _ := io.ReadAll(lines)
		_ = cmd.Wait()
		t.Fatalf("the owner said %s%s", line, rest)
	}
	go func() { _, _ = io.Copy(io.Discard, lines) }()
	return cmd, stdin, o
}

func kill9(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
}

func TestServersDieWithAKilledOwner(t *testing.T) {
	labtest.Need(t, "redis-server")
	cmd, _, o := startOwner(t, "with redis", nil)
	redisDir := filepath.Dir(strings.TrimSuffix(strings.TrimPrefix(o.RedisURL, "redis+socket://"), "?virtual_host=0"))
	kill9(t, cmd)
	await(t, "the servers to end", func() bool { return len(processesIn(o.Dir))+len(processesIn(redisDir)) == 0 })
	wantSwept(t, o.Dir, redisDir)
}

func TestPrometheusDiesWithAKilledOwner(t *testing.T) {
	labtest.Need(t, "prometheus")
	cmd, _, o := startOwner(t, "with prometheus", nil)
	if len(processesIn(o.PromDir)) == 0 {
		t.Fatal("there is nothing to end")
	}
	kill9(t, cmd)
	await(t, "Prometheus to end", func() bool { return len(processesIn(o.PromDir)) == 0 })
	wantSwept(t, o.PromDir)
}

func TestSweepEndsAServerThatOutlivedItsOwner(t *testing.T) {
	// A frozen server cannot follow the kernel's signal.
	cmd, _, o := startOwner(t, "paused", nil)
	kill9(t, cmd)
	if !alive(o.Server) {
		t.Fatal("the frozen server ended by itself: there is nothing to sweep")
	}
	wantSwept(t, o.Dir)
	await(t, "the servers to end", func() bool { return len(processesIn(o.Dir)) == 0 })
}

func TestSweepRemovesTheSharedMemoryOfAKilledServer(t *testing.T) {
	cmd, _, o := startOwner(t, "plain", nil)
	id := sharedMemory(t, o.Dir)
	if err := syscall.Kill(o.Server, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	kill9(t, cmd)
	await(t, "the servers to end", func() bool { return len(processesIn(o.Dir)) == 0 })
	if !segmentExists(id) {
		t.Fatal("a killed server left no segment: there is nothing to sweep")
	}
	wantSwept(t, o.Dir)
	if segmentExists(id) {
		t.Errorf("segment %d is still there", id)
	}
}

func TestLiveOwnerIsNotSwept(t *testing.T) {
	cmd, stdin, o := startOwner(t, "plain", nil)
	labtest.Server(t, lab.PostgresOptions{}) // sweeps
	if !alive(o.Server) {
		t.Error("the server of a living owner is gone")
	}
	_ = stdin.Close()
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(o.Dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the owner left %s", o.Dir)
	}
}

func TestWorksAsAnOrdinaryUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Log("every test of this run is one as an ordinary user")
		return
	}
	nobody, err := user.Lookup("nobody")
	if err != nil {
		labtest.Missing(t, "this test needs the user nobody")
	}
	program := publicCopy(t, os.Args[0])
	cmd, stdin, o := startOwner(t, "plain", func(c *exec.Cmd) {
		c.Path, c.Dir = program, "/"
		c.SysProcAttr = &syscall.SysProcAttr{Credential: credential(t, nobody)}
	})
	uid := strconv.Itoa(int(credential(t, nobody).Uid))
	if got := ownerOfProcess(t, o.Server); got != uid {
		t.Errorf("the server runs as %s, want %s", got, uid)
	}
	_ = stdin.Close()
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	if left := processesIn(o.Dir); len(left) > 0 {
		t.Errorf("processes %v outlived the server's Stop", left)
	}
}

func TestPauseFreezesTheWholeServer(t *testing.T) {
	s := labtest.Server(t, lab.PostgresOptions{})
	conn := connect(t, s.DSN("postgres", lab.AdminUser))
	s.Pause()
	awaitFrozen(t, s)
	s.Resume()
	var one int
	if err := conn.QueryRow(labtest.Context(t), "SELECT 1").Scan(&one); err != nil {
		t.Errorf("a session from before the pause: %v", err)
	}
	s.Pause() // Stop wakes it
}

func TestStopEndsEveryProcess(t *testing.T) {
	s := labtest.Server(t, lab.PostgresOptions{})
	connect(t, s.DSN("postgres", lab.AdminUser))
	if n := len(processesIn(s.Dir())); n < 3 {
		t.Fatalf("found only %d processes of a running server", n)
	}
	s.Pause()
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	if left := processesIn(s.Dir()); len(left) > 0 {
		t.Errorf("processes %v are still there", left)
	}
}

func TestRootDropsItsRights(t *testing.T) {
	if os.Geteuid() != 0 {
		labtest.Missing(t, "there are no rights to drop: run this test as root")
	}
	s := labtest.Server(t, lab.PostgresOptions{})
	first, err := postmaster(s.Dir())
	if err != nil {
		t.Fatal(err)
	}
	if ownerOfProcess(t, first) == "0" {
		t.Error("the server runs as root")
	}
}

// wantSwept starts a server, which sweeps, and checks that the directories went.
func wantSwept(t *testing.T, dirs ...string) {
	t.Helper()
	for _, dir := range dirs {
		if _, err := os.Stat(dir); err != nil {
			t.Fatalf("nothing to sweep: %v", err)
		}
	}
	labtest.Server(t, lab.PostgresOptions{})
	for _, dir := range dirs {
		if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is still there", dir)
		}
	}
}

// await polls for what other processes do by themselves.
func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	for ctx := labtest.Context(t); !done(); time.Sleep(5 * time.Millisecond) {
		if ctx.Err() != nil {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// processState is the letter of /proc/PID/stat; "" when the process is gone.
func processState(pid int) string {
	data, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	_, rest, _ := strings.Cut(string(data), ") ")
	state, _, _ := strings.Cut(rest, " ")
	return state
}

// awaitFrozen waits until every process of the server has stopped, as the
// signal takes effect when a process is next scheduled. One that had ended
// before waits as a zombie for its frozen parent.
func awaitFrozen(t *testing.T, s *lab.PostgresServer) {
	t.Helper()
	first, err := postmaster(s.Dir())
	if err != nil {
		t.Fatal(err)
	}
	pids := append(childrenOf(t, first), first)
	if len(pids) < 3 {
		t.Fatalf("the server has %d processes", len(pids))
	}
	await(t, "every process to stop", func() bool {
		for _, pid := range pids {
			if state := processState(pid); state != "T" && state != "Z" {
				return false
			}
		}
		return true
	})
}

func childrenOf(t *testing.T, parent int) []int {
	t.Helper()
	data, err := os.ReadFile("/proc/" + strconv.Itoa(parent) + "/task/" + strconv.Itoa(parent) + "/children")
	if err != nil {
		t.Fatal(err)
	}
	var pids []int
	for field := range strings.FieldsSeq(string(data)) {
		pid, _ := strconv.Atoi(field)
		pids = append(pids, pid)
	}
	return pids
}

// processesIn are those whose working directory is dir or below it, as that
// of every process of our servers is, even when dir is deleted.
func processesIn(dir string) []int {
	links, _ := filepath.Glob("/proc/[0-9]*/cwd")
	var pids []int
	for _, link := range links {
		if cwd, err := os.Readlink(link); err == nil && strings.HasPrefix(cwd, dir) {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(link)))
			pids = append(pids, pid)
		}
	}
	return pids
}

func ownerOfProcess(t *testing.T, pid int) string {
	t.Helper()
	info, err := os.Stat("/proc/" + strconv.Itoa(pid))
	if err != nil {
		t.Fatal(err)
	}
	return strconv.Itoa(int(info.Sys().(*syscall.Stat_t).Uid))
}

func credential(t *testing.T, u *user.User) *syscall.Credential {
	t.Helper()
	uid, uerr := strconv.ParseUint(u.Uid, 10, 32)
	gid, gerr := strconv.ParseUint(u.Gid, 10, 32)
	if err := errors.Join(uerr, gerr); err != nil {
		t.Fatal(err)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

// publicCopy puts the test binary where another user can run it.
func publicCopy(t *testing.T, program string) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "gradecockpit-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	data, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(dir, "lab.test")
	if err := errors.Join(os.Chmod(dir, 0o755), os.WriteFile(to, data, 0o755)); err != nil {
		t.Fatal(err)
	}
	return to
}

// sharedMemory reads the id of the server's segment.
func sharedMemory(t *testing.T, dir string) int {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "data", "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(strings.Split(string(data), "\n")[6])
	id, err := strconv.Atoi(fields[len(fields)-1])
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func segmentExists(id int) bool {
	var desc unix.SysvShmDesc
	_, err := unix.SysvShmCtl(id, unix.IPC_STAT, &desc)
	return err == nil
}
