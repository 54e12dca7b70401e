package host

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"gradecockpit/probes"
	"gradecockpit/probes/clean"
)

const (
	// topEntries is how many of the largest entries of a folder are told.
	topEntries = 10
	// One walk takes this long at most, and what does not come back from it
	// within walkWait hangs; two on one network mount take turns.
	walkFor  = 1500 * time.Millisecond
	walkWait = 4 * time.Second
)

// A walk that took long, as on a slow disk or through a large folder, is not
// repeated before a hundred times as long has passed; the others are too quick
// to matter.
const (
	longWalk = 200 * time.Millisecond
	walkRest = 100
)

// Files looks into the folders, which costs more than looking at them.
type Files struct {
	host *Host
	now  func() time.Time

	mu   sync.Mutex
	last map[string]walked // by path, those that took long
}

// walked is what a walk saw, and until when that does.
type walked struct {
	content Content
	until   time.Time
}

// Files makes the probe of FilesID.
func (h *Host) Files() *Files { return &Files{host: h, now: time.Now, last: map[string]walked{}} }

// ID is "host-files".
func (p *Files) ID() probes.ID { return FilesID }

// Source is the machine.
func (p *Files) Source() probes.SourceID { return probes.Host }

// Sample walks all folders side by side, each within the bounds of a walk. What
// is not reached in time is told as a lower bound.
func (p *Files) Sample(ctx context.Context) (any, error) {
	ctx = ourMounts(ctx)
	folders, _ := p.host.folders(ctx)
	m := readMounts(ctx)
	out := make([]Content, len(folders))
	var wg sync.WaitGroup
	for i, f := range folders {
		if c, ok := p.resting(f.Path); ok {
			out[i] = c
			continue
		}
		wg.Go(func() {
			var c Content
			begun := p.now()
			since, ok := p.host.watch.try(ctx, p.host.key(f.Path, m), walkWait, func() { c = p.host.walk(ctx, f, m) })
			if !ok { // c may still be written to
				out[i] = Content{Role: f.Role, Path: clean.Capped(f.Path, maxPath), Hangs: since}
				return
			}
			c.At = begun
			p.keep(f.Path, c, p.now())
			out[i] = c
		})
	}
	wg.Wait()
	return Contents{Folders: out}, nil
}

// resting gives what was seen of a folder that is not looked into now.
func (p *Files) resting(path string) (Content, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	w, ok := p.last[path]
	return w.content, ok && p.now().Before(w.until)
}

func (p *Files) keep(path string, c Content, ended time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.last, path)
	if took := ended.Sub(c.At); took >= longWalk {
		p.last[path] = walked{c, ended.Add(walkRest * took)}
	}
}

// walk adds up one folder.
func (h *Host) walk(ctx context.Context, f Folder, m mounts) Content {
	ctx, cancel := context.WithTimeout(ctx, walkFor)
	defer cancel()
	c := Content{Role: f.Role, Path: clean.Capped(f.Path, maxPath)}
	real, err := filepath.EvalSymlinks(f.Path)
	if err != nil {
		c.Err = cannot(err)
		return c
	}
	dir, err := os.OpenFile(real, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NONBLOCK, 0)
	if err != nil {
		c.Err = cannot(err)
		return c
	}
	defer dir.Close()
	var st unix.Stat_t
	if err := unix.Fstat(int(dir.Fd()), &st); err != nil {
		c.Err = cannot(err)
		return c
	}
	s := strangers{role: f.Role, owner: st.Uid}
	w := &walker{ctx: ctx, dev: uint64(st.Dev), mounts: m.points(), left: maxEntries, linked: map[uint64]struct{}{}, visit: s.visit}
	sum := w.own(&st)
	add := func(b branch, one size) {
		sum.add(one)
		c.Largest = append(c.Largest, Entry{Name: b.name, Bytes: one.bytes, Owner: h.names.of(b.st.Uid), Folder: b.st.Mode&unix.S_IFMT == unix.S_IFDIR, Partial: one.partial})
	}
	var inner []branch
	err = w.children(dir, real, func(name string, st *unix.Stat_t) {
		if b := (branch{name, *st}); st.Mode&unix.S_IFMT == unix.S_IFDIR {
			inner = append(inner, b)
		} else {
			add(b, w.tree(dir, real, name, st, 1))
		}
	})
	w.branches(dir, real, inner, add)
	c.Bytes, c.Files, c.Partial = sum.bytes, sum.files, sum.partial || err != nil
	c.Largest = largest(c.Largest)
	c.Problems = s.problems(&h.names)
	return c
}

func cannot(err error) string {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return "the cockpit may not read it: permission denied"
	case errors.Is(err, fs.ErrNotExist):
		return "missing"
	case errors.Is(err, unix.ENOTDIR):
		return "not a folder"
	}
	return clean.Capped(err.Error(), maxPath)
}

// largest keeps the largest, with names that can be shown.
func largest(all []Entry) []Entry {
	slices.SortFunc(all, func(a, b Entry) int {
		return cmp.Or(cmp.Compare(b.Bytes, a.Bytes), strings.Compare(a.Name, b.Name))
	})
	all = slices.Clone(all[:min(len(all), topEntries)]) // the others can go
	for i := range all {
		all[i].Name = clean.Capped(all[i].Name, maxPath)
	}
	return all
}

// strangers collects what is in a folder and does not fit to its owner: what
// somebody made as another user, most often as root, the application cannot
// change. In folders for temporary files that is how it should be.
type strangers struct {
	role   Role
	owner  uint32
	counts map[uint32]int
	first  map[uint32]string // an example of each
	closed []string          // folders that their owner cannot write in
}

func (s *strangers) visit(depth int, path string, st *unix.Stat_t) {
	if s.role == Temporary {
		return
	}
	if st.Mode&unix.S_IFMT == unix.S_IFDIR && st.Mode&0o200 == 0 && st.Uid != 0 && len(s.closed) < 3 {
		s.closed = append(s.closed, filepath.Base(path))
	}
	if st.Uid == s.owner {
		return
	}
	if s.counts == nil {
		s.counts, s.first = map[uint32]int{}, map[uint32]string{}
	}
	if s.counts[st.Uid]++; s.counts[st.Uid] == 1 {
		s.first[st.Uid] = filepath.Base(path)
	}
}

func (s *strangers) problems(n *names) (out []Problem) {
	for _, uid := range slices.Sorted(maps.Keys(s.counts)) {
		name, count := clean.Capped(s.first[uid], 60), s.counts[uid]
		says := fmt.Sprintf("%s belongs to %s, the folder to %s", name, n.of(uid), n.of(s.owner))
		if count > 1 {
			says = fmt.Sprintf("%d entries (%s …) belong to %s, the folder to %s", count, name, n.of(uid), n.of(s.owner))
		}
		out = append(out, Problem{Says: says, Next: "The application's user may be unable to write them: chown them to it.", Severe: s.role == Database})
	}
	for _, name := range s.closed {
		out = append(out, Problem{Says: "the folder " + clean.Capped(name, 60) + " in it is not writable for its owner", Next: "chmod u+w", Severe: true})
	}
	return out
}
