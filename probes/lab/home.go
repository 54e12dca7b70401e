package lab

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Homes are directly under /tmp: a folder below $HOME or a private $TMPDIR is
// out of reach for the user that root drops to, and a socket's path must stay
// under 104 bytes.
const (
	homesRoot  = "/tmp"
	homePrefix = "gradecockpit-demo-"
	newPrefix  = "gradecockpit-new-" // not locked yet: the sweep leaves it alone
	ownerFile  = "owner.lock"
	pidSuffix  = ".child"
)

// home is the private directory of one server.
type home struct {
	path    string
	account *account // whom it belongs to; nil: to us
	lock    *os.File // held as long as we live: a home whose lock is free is a leftover
}

// newHome sweeps what killed sessions left, then makes a directory that is
// locked before it gets its lasting name.
func newHome(as *account) (*home, error) {
	sweep(homesRoot)
	path, err := os.MkdirTemp(homesRoot, newPrefix)
	if err != nil {
		return nil, fmt.Errorf("make a directory for the server: %w", err)
	}
	h := &home{path: path, account: as}
	if err := h.claim(); err != nil {
		_ = h.remove()
		return nil, fmt.Errorf("claim %s: %w", h.path, err)
	}
	return h, nil
}

func (h *home) claim() error {
	lock, err := os.OpenFile(filepath.Join(h.path, ownerFile), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	h.lock = lock
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return err
	}
	if _, err := fmt.Fprintln(lock, os.Getpid()); err != nil { // for people who look
		return err
	}
	final := filepath.Join(homesRoot, homePrefix+strings.TrimPrefix(filepath.Base(h.path), newPrefix))
	if err := os.Rename(h.path, final); err != nil {
		return err
	}
	h.path = final
	return h.account.own(final)
}

// remove deletes the directory and gives up the claim.
func (h *home) remove() error {
	err := os.RemoveAll(h.path)
	if h.lock != nil {
		_ = h.lock.Close()
		h.lock = nil
	}
	return err
}

// tail gives the end of a child's output, at most 64 KiB.
func (h *home) tail(name string) string {
	const limit = 64 << 10
	data, err := os.ReadFile(filepath.Join(h.path, name+".log"))
	if err != nil {
		return ""
	}
	return string(data[max(0, len(data)-limit):])
}

// sweep stops and removes what killed sessions left under root. It touches
// only directories that are ours (or, for root, of the user it drops to), as
// anyone may make a directory of that name in /tmp.
func sweep(root string) {
	entries, _ := filepath.Glob(filepath.Join(root, homePrefix+"*"))
	for _, path := range entries {
		if ours(path) {
			sweepHome(path)
		}
	}
	unfinished, _ := filepath.Glob(filepath.Join(root, newPrefix+"*"))
	for _, path := range unfinished {
		if info, err := os.Lstat(path); err == nil && ours(path) && time.Since(info.ModTime()) > time.Hour {
			_ = os.RemoveAll(path)
		}
	}
}

// ours tells whether path is a real directory of ours.
func ours(path string) bool {
	info, err := os.Lstat(path)
	if err != nil || !info.IsDir() {
		return false
	}
	uid, ok := ownerOf(info)
	if !ok {
		return false
	}
	as, _ := serverAccount()
	return uid == os.Geteuid() || (as != nil && uid == as.uid)
}

func ownerOf(info os.FileInfo) (uid int, ok bool) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return int(st.Uid), true
}

// sweepHome removes one home if nobody holds its lock.
func sweepHome(path string) {
	lock, err := os.OpenFile(filepath.Join(path, ownerFile), os.O_RDWR|syscall.O_NOFOLLOW, 0)
	switch {
	case err == nil:
		defer lock.Close()
		if syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil {
			return // its owner lives
		}
	case !errors.Is(err, os.ErrNotExist):
		return // root's, who dropped to our user: not ours to judge
	}
	children, _ := filepath.Glob(filepath.Join(path, "*"+pidSuffix))
	for _, file := range children {
		stopOrphan(path, file)
	}
	sweepSharedMemory(filepath.Join(path, dataDir, "postmaster.pid"))
	_ = os.RemoveAll(path)
}

// stopOrphan ends a child that outlived its owner. The number in the file may
// be another process's by now: only one whose arguments name the home is ours.
func stopOrphan(path, file string) {
	data, err := os.ReadFile(file)
	if err != nil {
		return
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil || pid <= 1 || !runsIn(pid, path) {
		return
	}
	thaw(pid)
	for _, s := range []syscall.Signal{syscall.SIGQUIT, syscall.SIGKILL} {
		if syscall.Kill(pid, s) != nil {
			return
		}
		for deadline := time.Now().Add(grace); runsIn(pid, path) && time.Now().Before(deadline); {
			time.Sleep(5 * time.Millisecond) // not our child: there is nothing to wait on
		}
	}
}

func runsIn(pid int, path string) bool { return strings.Contains(commandLine(pid), path) }

// sweepSharedMemory reads the key and id of a segment from the 7th line of
// PostgreSQL's own pid file, which is there only when it was killed.
func sweepSharedMemory(pidFile string) {
	data, err := os.ReadFile(pidFile)
	if err != nil {
		return
	}
	lines := strings.Split(string(data), "\n")
	if len(lines) < 7 {
		return
	}
	var key uint64 // printed unsigned, sign-extended
	var id int
	if n, _ := fmt.Sscan(lines[6], &key, &id); n == 2 {
		removeSharedMemory(key, id)
	}
}
