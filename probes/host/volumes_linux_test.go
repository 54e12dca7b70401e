package host

import (
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// df asks df for the numbers in the columns.
func df(t *testing.T, path, columns string) (out []uint64) {
	t.Helper()
	text, err := exec.Command("df", "-B1", "--output="+columns, path).Output()
	must(t, err)
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	for _, field := range strings.Fields(lines[len(lines)-1]) {
		n, err := strconv.ParseUint(strings.TrimSuffix(field, "%"), 10, 64)
		must(t, err)
		out = append(out, n)
	}
	return out
}

func volume(t *testing.T, o Overview, role Role) Volume {
	t.Helper()
	i := slices.IndexFunc(o.Volumes, func(v Volume) bool { return slices.Contains(v.Roles, role) })
	if i < 0 {
		t.Fatalf("no volume for %s: %+v", role, o.Volumes)
	}
	return o.Volumes[i]
}

// A file system that is nearly full is found, with the figures of df; folders on
// one volume share its line.
func TestVolumesAreThoseOfDf(t *testing.T) {
	if !alone(t) {
		return
	}
	small := mount(t, "tmpfs", "size=4m,nr_inodes=40")
	write(t, filepath.Join(small, "media", "scan.pdf"), 3900000)
	for i := range 20 {
		write(t, filepath.Join(small, "logs", fmt.Sprint(i)), 0)
	}
	other := mount(t, "tmpfs", "size=1m")
	must(t, os.Symlink(filepath.Join(small, "logs"), filepath.Join(other, "logs")))
	o := sample(t, New(Config{Media: filepath.Join(small, "media"), Logs: filepath.Join(other, "logs"), Temporary: other, Limits: limits}).Probe())
	v := volume(t, o, Media)
	if v.Mount != small || v.Type != "tmpfs" || v.ReadOnly {
		t.Errorf("%s of type %s (read-only: %v), want %s", v.Mount, v.Type, v.ReadOnly, small)
	}
	got := []uint64{v.Size, v.Used, v.Free, v.Inodes, v.InodesUsed}
	if diff := cmp.Diff(df(t, small, "size,used,avail,itotal,iused"), got); diff != "" {
		t.Errorf("df says otherwise (-df +got): %s", diff)
	}
	bytes, _ := v.Share()
	inodes, _ := v.InodeShare()
	if diff := cmp.Diff(df(t, small, "pcent,ipcent"), []uint64{uint64(math.Ceil(bytes * 100)), uint64(math.Ceil(inodes * 100))}); diff != "" {
		t.Errorf("df says otherwise (-df +got): %s", diff)
	}
	if bytes*100 < float64(limits.Critical) || o.Volumes[0].Mount != small {
		t.Errorf("%.0f %% is in use, and the first volume is %s", bytes*100, o.Volumes[0].Mount)
	}
	if diff := cmp.Diff([]Role{Media, Logs}, v.Roles); diff != "" {
		t.Errorf("a link to another volume: %s", diff)
	}
	if len(o.Volumes) != 2 {
		t.Errorf("%d volumes, want 2", len(o.Volumes))
	}
}

func TestAReadOnlyVolumeIsTold(t *testing.T) {
	if !alone(t) {
		return
	}
	dir := mount(t, "tmpfs", "size=1m")
	p := New(Config{Media: dir, Temporary: t.TempDir()}).Probe()
	if volume(t, sample(t, p), Media).ReadOnly {
		t.Error("it can be written")
	}
	must(t, unix.Mount("tmpfs", dir, "tmpfs", unix.MS_REMOUNT|unix.MS_RDONLY, ""))
	if !volume(t, sample(t, p), Media).ReadOnly {
		t.Error("it became read-only, and nobody said so")
	}
}

// Growth is measured on a real file system, by a clock of the test's.
func TestAVolumeThatFillsUp(t *testing.T) {
	if !alone(t) {
		return
	}
	dir := mount(t, "tmpfs", "size=10m")
	p := New(Config{Media: dir, Temporary: t.TempDir()}).Probe()
	now := time.Date(2026, 2, 1, 14, 0, 0, 0, time.UTC)
	p.now = func() time.Time { return now }
	if v := volume(t, sample(t, p), Media); v.GrowthOver != 0 {
		t.Errorf("growth from one look: %v", v.Growth)
	}
	for i := range 5 {
		write(t, filepath.Join(dir, fmt.Sprint(i)), 1<<20)
		now = now.Add(time.Minute)
		v := volume(t, sample(t, p), Media)
		left, ok := v.FullIn()
		if want := time.Duration(9-i) * time.Minute; !ok || left.Round(time.Second) != want {
			t.Errorf("after %d MB in %v: full in %v (%v), want %v", i+1, v.GrowthOver, left, ok, want)
		}
	}
	must(t, os.Remove(filepath.Join(dir, "0")))
	now = now.Add(10 * time.Minute) // what was before is no news
	sample(t, p)
	now = now.Add(time.Minute)
	v := volume(t, sample(t, p), Media)
	if left, ok := v.FullIn(); ok || v.Growth != 0 {
		t.Errorf("nothing grows any more: full in %v, %v B/s", left, v.Growth)
	}
	if len(v.History) != 8 {
		t.Errorf("%d points are kept", len(v.History))
	}
}

// A mount whose server does not answer: FUSE with nobody at the other end.
func TestAMountThatHangs(t *testing.T) {
	if !alone(t) {
		return
	}
	fuse, err := unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		// What follows is about a kernel that lets calls hang; TestOneCallAtMostHangs
		// has the same with a channel.
		t.Logf("no /dev/fuse: %v", err)
		return
	}
	dead := mount(t, "fuse.dead", fmt.Sprintf("fd=%d,rootmode=40000,user_id=0,group_id=0", fuse))
	p := New(Config{Media: filepath.Join(dead, "media"), Logs: filepath.Join(dead, "logs"), Temporary: t.TempDir(), Limits: limits}).Probe()
	var since time.Time
	for range 3 {
		o := sample(t, p)
		v := volume(t, o, Media)
		if v.Mount != dead || v.Hangs.IsZero() || v.Used != 0 {
			t.Fatalf("%+v does not hang", v)
		}
		if since.IsZero() {
			since = v.Hangs
		}
		if v.Hangs != since {
			t.Errorf("hangs since %v, then since %v", since, v.Hangs)
		}
		if len(v.Roles) != 2 || len(o.Volumes) != 2 || volume(t, o, Temporary).Size == 0 {
			t.Errorf("what lies elsewhere is gone too: %+v", o.Volumes)
		}
	}
	if c := inside(t, p.host)[Media]; c.Hangs.IsZero() {
		t.Errorf("inside: %+v", c)
	}
	if n := len(p.host.watch.calls); n != 1 {
		t.Errorf("%d calls hang on one mount", n)
	}
	must(t, unix.Close(fuse)) // the server is gone for good: the kernel lets go
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if o := sample(t, p); len(o.Folders[0].Problems) == 1 && o.Folders[0].Hangs.IsZero() {
			return
		}
	}
	t.Error("the mount answers, with an error, and still counts as hanging")
}

// A walk passes by what is mounted below a folder, without touching it.
func TestAWalkStaysOnItsFileSystem(t *testing.T) {
	if !alone(t) {
		return
	}
	dir := mount(t, "tmpfs", "size=4m")
	write(t, filepath.Join(dir, "here"), 10000)
	below := filepath.Join(dir, "below")
	must(t, os.Mkdir(below, 0o755))
	must(t, unix.Mount("tmpfs", below, "tmpfs", 0, "size=4m"))
	write(t, filepath.Join(below, "large"), 2<<20)
	c := inside(t, New(Config{Media: dir, Temporary: t.TempDir()}))[Media]
	if want := du(t, dir); c.Bytes != want || len(c.Largest) != 1 {
		t.Errorf("%d bytes in %+v, du -x says %d", c.Bytes, c.Largest, want)
	}
	must(t, unix.Unmount(below, 0))
}
