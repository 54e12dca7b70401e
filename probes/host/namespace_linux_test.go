package host

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"gradecockpit/probes/lab/labtest"
)

// apart names the variable that tells the test binary that it has namespaces of
// its own.
const apart = "GRADECOCKPIT_TEST_APART"

// alone runs the rest of a test in mount and process namespaces of its own, so
// that it can mount what it likes and sees its own processes only; nothing of
// it outlives the test. It is false in the process that only waits for that.
func alone(t *testing.T) bool {
	t.Helper()
	if os.Getenv(apart) == t.Name() {
		must(t, unix.Mount("proc", "/proc", "proc", 0, ""))
		return true
	}
	self, err := os.Executable()
	must(t, err)
	c := exec.CommandContext(labtest.Context(t), self, "-test.run=^"+t.Name()+"$", "-test.v")
	c.Env = append(os.Environ(), apart+"="+t.Name())
	c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID, Unshareflags: syscall.CLONE_NEWNS}
	out, err := c.CombinedOutput()
	if errors.Is(err, syscall.EPERM) {
		labtest.Missing(t, "this test needs root, and to be allowed to mount: "+err.Error())
	}
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Errorf("%v:\n%s", err, out)
	}
	return false
}

// mount mounts a file system on a folder of the test.
func mount(t *testing.T, fstype, options string) string {
	t.Helper()
	dir := t.TempDir()
	must(t, unix.Mount(fstype, dir, fstype, 0, options))
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	return dir
}
