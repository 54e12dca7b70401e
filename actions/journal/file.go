package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// open opens the file for appending, or makes it. A new file is not there for
// sure until its folder is synced too.
func (j *File) open() (*os.File, error) {
	if err := ownFolder(filepath.Dir(j.path)); err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	const flags = os.O_RDWR | os.O_APPEND | syscall.O_NOFOLLOW
	f, err := os.OpenFile(j.path, flags, 0o600)
	if errors.Is(err, fs.ErrNotExist) {
		if f, err = os.OpenFile(j.path, flags|os.O_CREATE, 0o600); err == nil {
			err = syncFolder(filepath.Dir(j.path))
		}
	}
	if err == nil {
		err = ownFile(f)
	}
	if err != nil {
		if f != nil {
			f.Close()
		}
		return nil, j.failed("open", err)
	}
	return f, nil
}

// ownFile refuses a file that is not ours alone to write, and takes reading
// rights from everybody else.
func ownFile(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return errors.New("it is not a regular file")
	}
	if err := owned(info); err != nil {
		return err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return f.Chmod(0o600)
	}
	return nil
}

// ownFolder makes the folder, or refuses one that others could write to.
func ownFolder(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make its folder: %w", err)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if err := owned(info); err != nil {
		return fmt.Errorf("folder %s: %w", dir, err)
	}
	if perm := info.Mode().Perm(); perm&0o022 != 0 {
		return fmt.Errorf("folder %s can be written by others (mode %04o): chmod go-w it, or choose another", dir, perm)
	}
	return nil
}

// owned refuses what belongs to another user: its owner could rewrite it.
func owned(info fs.FileInfo) error {
	st, ok := info.Sys().(*syscall.Stat_t)
	if ok && int(st.Uid) != os.Geteuid() {
		return fmt.Errorf("it belongs to user %d, and we are user %d", st.Uid, os.Geteuid())
	}
	return nil
}

func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// flock waits a bounded time for the file's lock; closing the file gives it
// back, and so does the death of the process.
func flock(f *os.File, how int) error {
	deadline := time.Now().Add(lockWait)
	for {
		err := syscall.Flock(int(f.Fd()), how|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("another session holds it for more than %s", lockWait)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// tail gives the size, and whether the last line lacks its end.
func tail(f *os.File) (size int64, torn bool, err error) {
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return 0, false, err
	}
	var last [1]byte
	_, err = f.ReadAt(last[:], info.Size()-1)
	return info.Size(), last[0] != '\n', err
}
