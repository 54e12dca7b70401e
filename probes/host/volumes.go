package host

import (
	"cmp"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/shirou/gopsutil/v4/disk"

	"gradecockpit/probes/clean"
)

// maxPath bounds a path on the screen, in runes.
const maxPath = 200

// facts is what the system says of a folder.
type facts struct {
	real  string
	info  os.FileInfo
	dev   uint64
	uid   uint32
	owner string
	usage *disk.UsageStat
	err   error
}

// look asks the system about a folder. It may never come back.
func (h *Host) look(path string) (f facts) {
	if f.real, f.err = filepath.EvalSymlinks(path); f.err != nil {
		return f
	}
	if f.info, f.err = os.Stat(f.real); f.err != nil {
		return f
	}
	if st, ok := f.info.Sys().(*syscall.Stat_t); ok {
		f.dev, f.uid, f.owner = uint64(st.Dev), st.Uid, h.names.of(st.Uid)
	}
	f.usage, f.err = disk.Usage(f.real)
	return f
}

// key is what a look at a path counts under: its mount where a server elsewhere
// answers for it, as far as is known where links in the path lead; else the path.
func (h *Host) key(path string, m mounts) string {
	path = cmp.Or(h.names.real(path), path)
	if p, ok := m.of(path); ok && remote(p.Fstype) {
		return "mount " + p.Mountpoint
	}
	return "path " + path
}

// inspect looks at all folders side by side, and gives each volume once. Those
// of one network mount take turns: if it hangs, one call waits for it.
func (h *Host) inspect(ctx context.Context, folders []Folder) ([]Folder, []Volume) {
	m := readMounts(ctx)
	found := make([]facts, len(folders))
	var wg sync.WaitGroup
	for i := range folders {
		path := folders[i].Path // a look that hangs still reads it when the folder is judged
		wg.Go(func() {
			var f facts
			since, ok := h.watch.try(ctx, h.key(path, m), patience, func() { f = h.look(path) })
			if !ok {
				folders[i].Hangs = since
				return
			}
			found[i] = f
		})
	}
	wg.Wait()
	volumes := map[string]*Volume{}
	for i := range folders {
		h.judge(&folders[i], found[i])
		h.place(&folders[i], found[i], m, volumes)
	}
	return folders, sorted(volumes)
}

// place puts a folder on its volume. A folder that hangs has one too, as far as
// its mount is known.
func (h *Host) place(f *Folder, seen facts, m mounts, volumes map[string]*Volume) {
	path := cmp.Or(seen.real, h.names.real(f.Path), f.Path)
	h.names.keep(f.Path, seen.real)
	mount, known := m.of(path)
	key := strconv.FormatUint(seen.dev, 10)
	if seen.usage == nil {
		if f.Hangs.IsZero() || !known {
			return
		}
		key = "hangs " + mount.Mountpoint
	}
	v := volumes[key]
	if v == nil {
		v = &Volume{Mount: clean.Capped(cmp.Or(mount.Mountpoint, path), maxPath), Device: clean.Capped(mount.Device, maxPath), Type: clean.Text(mount.Fstype),
			ReadOnly: slices.Contains(mount.Opts, "ro"), Hangs: f.Hangs}
		if u := seen.usage; u != nil {
			v.Size, v.Used, v.Free, v.Inodes, v.InodesUsed = u.Total, u.Used, u.Free, u.InodesTotal, u.InodesUsed
		}
		volumes[key] = v
	}
	v.Roles = append(v.Roles, f.Role)
	f.Mount = v.Mount
}

// sorted puts what hangs first, then the fullest.
func sorted(volumes map[string]*Volume) []Volume {
	var all []Volume
	for _, v := range volumes {
		all = append(all, *v)
	}
	slices.SortFunc(all, func(a, b Volume) int {
		return cmp.Or(cmp.Compare(b.fullness(), a.fullness()), cmp.Compare(a.Mount, b.Mount))
	})
	return all
}

// fullness orders volumes: the worse of bytes and inodes.
func (v Volume) fullness() float64 {
	if !v.Hangs.IsZero() {
		return 2
	}
	bytes, _ := v.Share()
	inodes, _ := v.InodeShare()
	return max(bytes, inodes)
}

// The history of a volume: an hour at the usual pace. Growth is measured over
// the last minutes, because a disk that fills up does so now; two looks that
// are closer than tooClose say nothing.
const (
	keptPoints = 360
	recently   = 5 * time.Minute
	tooClose   = 20 * time.Second
)

// follow adds a look to the history of a volume and measures its growth.
func (p *Probe) follow(v *Volume) {
	if !v.Hangs.IsZero() {
		return
	}
	now := p.now()
	h := append(p.histories[v.Mount], Point{now, v.Used})
	h = h[max(0, len(h)-keptPoints):]
	p.histories[v.Mount] = h
	v.History = slices.Clone(h) // the payload is immutable, the history goes on
	first := slices.IndexFunc(h, func(x Point) bool { return now.Sub(x.At) <= recently })
	if over := now.Sub(h[first].At); over >= tooClose {
		v.GrowthOver = over
		v.Growth = (float64(v.Used) - float64(h[first].Used)) / over.Seconds()
	}
}
