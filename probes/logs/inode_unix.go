//go:build unix

package logs

import (
	"os"
	"syscall"
)

// inode is the number by which a file is known whatever its name is.
func inode(info os.FileInfo) uint64 {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(st.Ino)
	}
	return 0
}
