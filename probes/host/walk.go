package host

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// The bounds of one walk, per folder: enough for the temporary files and logs
// of a machine, little enough to be no load.
const (
	maxEntries = 50000
	maxDepth   = 40
)

var errEnough = errors.New("enough was looked at")

// walker adds up a folder as du does: space on the disk, hard links once,
// without following links and without leaving the file system. Each folder is
// opened relative to its parent, so that nobody can put a link in our way.
type walker struct {
	ctx    context.Context
	dev    uint64
	mounts map[string]bool     // where something is mounted
	left   int                 // entries that may still be looked at
	linked map[uint64]struct{} // inodes with several names, seen already
	visit  func(depth int, path string, st *unix.Stat_t)
}

// size is what a tree takes.
type size struct {
	bytes   uint64
	files   int
	partial bool
}

func (s *size) add(o size) {
	s.bytes, s.files, s.partial = s.bytes+o.bytes, s.files+o.files, s.partial || o.partial
}

// own is what one entry itself takes, in units of 512 bytes by POSIX.
func (w *walker) own(st *unix.Stat_t) size {
	if st.Nlink > 1 && st.Mode&unix.S_IFMT != unix.S_IFDIR {
		if _, seen := w.linked[st.Ino]; seen {
			return size{}
		}
		w.linked[st.Ino] = struct{}{}
	}
	return size{bytes: uint64(st.Blocks) * 512, files: 1}
}

// children calls do for each entry of an open folder that lies on the same file
// system. A mount point is not touched at all: its server may be gone.
func (w *walker) children(dir *os.File, path string, do func(name string, st *unix.Stat_t)) error {
	for {
		names, err := dir.Readdirnames(256)
		for _, name := range names {
			if w.left--; w.left < 0 || w.ctx.Err() != nil {
				return errEnough
			}
			var st unix.Stat_t
			if w.mounts[filepath.Join(path, name)] ||
				unix.Fstatat(int(dir.Fd()), name, &st, unix.AT_SYMLINK_NOFOLLOW) != nil || uint64(st.Dev) != w.dev {
				continue // gone meanwhile, or another file system
			}
			do(name, &st)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// tree is an entry with all that is below it.
func (w *walker) tree(parent *os.File, path, name string, st *unix.Stat_t, depth int) size {
	sum := w.own(st)
	path = filepath.Join(path, name)
	if w.visit != nil {
		w.visit(depth, path, st)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR {
		return sum
	}
	dir, err := openIn(parent, name)
	if err != nil || depth >= maxDepth {
		if err == nil {
			dir.Close()
		}
		sum.partial = true
		return sum
	}
	defer dir.Close()
	err = w.children(dir, path, func(name string, st *unix.Stat_t) { sum.add(w.tree(dir, path, name, st, depth+1)) })
	sum.partial = sum.partial || err != nil
	return sum
}

// branch is a folder directly in the one that is walked.
type branch struct {
	name string
	st   unix.Stat_t
}

// branches walks them one after the other. Each may look at its part of what is
// left, and what one does not need is for the next: a large one must not hide
// what the others take.
func (w *walker) branches(dir *os.File, path string, all []branch, do func(branch, size)) {
	for i := range all {
		left := max(w.left, 0)
		part := left / (len(all) - i)
		w.left = part
		one := w.tree(dir, path, all[i].name, &all[i].st, 1)
		w.left = left - part + max(w.left, 0)
		do(all[i], one)
	}
}

// openIn opens a folder by its name in another one, never through a link.
func openIn(parent *os.File, name string) (*os.File, error) {
	fd, err := unix.Openat(int(parent.Fd()), name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}
