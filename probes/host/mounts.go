package host

import (
	"context"
	"path/filepath"
	"strings"

	"github.com/shirou/gopsutil/v4/common"
	"github.com/shirou/gopsutil/v4/disk"
)

// ourMounts makes gopsutil read the mounts of this process, not those of
// process 1, which may live in another namespace.
func ourMounts(ctx context.Context) context.Context {
	return context.WithValue(ctx, common.EnvKey, common.EnvMap{common.HostProcMountinfo: "/proc/self/mountinfo"})
}

// mounts is the table of mounts. It comes from the kernel and touches none of
// the file systems, so it can be read while one of them hangs.
type mounts []disk.PartitionStat

func readMounts(ctx context.Context) mounts {
	all, err := disk.PartitionsWithContext(ctx, true)
	if err != nil {
		return nil
	}
	return all
}

// of gives the mount that a path lies on. Of two at the same place the later
// one hides the earlier.
func (m mounts) of(path string) (best disk.PartitionStat, ok bool) {
	for _, p := range m {
		if under(path, p.Mountpoint) && len(p.Mountpoint) >= len(best.Mountpoint) {
			best, ok = p, true
		}
	}
	return best, ok
}

// points are where something is mounted.
func (m mounts) points() map[string]bool {
	out := make(map[string]bool, len(m))
	for _, p := range m {
		out[p.Mountpoint] = true
	}
	return out
}

// under tells whether path is root or below it.
func under(path, root string) bool {
	rest, ok := strings.CutPrefix(filepath.Clean(path), strings.TrimSuffix(root, "/"))
	return ok && (rest == "" || rest[0] == '/')
}

// remote tells whether a server elsewhere answers for a file system, so that a
// look at it can hang.
func remote(fstype string) bool {
	for _, kind := range []string{"nfs", "cifs", "smb", "fuse", "ceph", "gluster", "lustre", "9p", "afs", "autofs", "ocfs2", "gpfs", "beegfs"} {
		if strings.HasPrefix(fstype, kind) {
			return true
		}
	}
	return false
}
