package pdf

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"gradecockpit/probes/clean"
)

// maxText bounds what a file or a library says, in runes.
const maxText = 300

// Path is where the file is, for people.
func (f File) Path() string { return clean.Capped(filepath.Join(f.Root, f.Name), maxText) }

// open opens the file for reading. It does not wait for a pipe's other end.
func (f File) open() (*os.File, error) {
	const flags = os.O_RDONLY | syscall.O_NONBLOCK
	if f.Root == "" {
		return os.OpenFile(f.Name, flags, 0)
	}
	root, err := os.OpenRoot(f.Root)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	return root.OpenFile(f.Name, flags, 0)
}

// refused puts a failure to open into words.
func refused(f File, err error) (reason, next string) {
	switch {
	case escapes(f, err):
		return "it lies outside the media folder", "A path from the database is followed inside the media folder only; look at the file by its own path if it is meant."
	case errors.Is(err, fs.ErrNotExist):
		return "there is no such file", "Is the folder mounted here? If so, the file was never written or was removed."
	case errors.Is(err, fs.ErrPermission):
		return "permission denied", "Run the check as a user who may read it."
	}
	return clean.Capped(err.Error(), maxText), ""
}

// escapes tells whether package os refused to leave the root; it exports no
// error for that.
func escapes(f File, err error) bool {
	var p *fs.PathError
	return f.Root != "" && (!filepath.IsLocal(f.Name) || errors.As(err, &p) && strings.Contains(p.Err.Error(), "escapes"))
}

// describe fills in what the system says of an open file.
func (c *Check) describe(info fs.FileInfo) {
	c.Bytes, c.Modified, c.Mode = info.Size(), info.ModTime(), fmt.Sprintf("%04o", info.Mode().Perm())
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		id := strconv.FormatUint(uint64(st.Uid), 10)
		c.Owner = "user " + id
		if u, err := user.LookupId(id); err == nil {
			c.Owner = clean.Capped(u.Username, 32)
		}
	}
}
