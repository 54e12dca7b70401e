package host

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"gradecockpit/probes/lab/labtest"
)

// Modes are judged by what stat reads of real folders.
func TestWhatIsWrongWithFolders(t *testing.T) {
	nobody := 65534
	if os.Geteuid() != 0 {
		nobody = os.Geteuid()
	}
	tests := []struct {
		name string
		role Role
		mode os.FileMode
		want string
	}{
		{"fine", Media, 0o755, ""},
		{"everybody's", Media, 0o777, "anyone may write in it (mode 0777)"},
		{"its owner may not write", Logs, 0o555, "not writable for its owner OWNER (mode 0555)"},
		{"temporary files, with the sticky bit", Temporary, 0o777 | os.ModeSticky, ""},
		{"temporary files, without it", Temporary, 0o777, "anyone may delete others' files: no sticky bit (mode 0777)"},
		{"PostgreSQL's", Database, 0o700, ""},
		{"PostgreSQL's, its group reads", Database, 0o750, ""},
		{"PostgreSQL's, open", Database, 0o755, "PostgreSQL does not start with mode 0755"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "folder")
			must(t, os.Mkdir(dir, 0o755))
			if os.Geteuid() == 0 {
				must(t, os.Chown(dir, nobody, -1))
			}
			must(t, os.Chmod(dir, tt.mode))
			f := find(t, tt.role, dir)
			stat, err := exec.Command("stat", "-c", "%U %A", dir).Output()
			if err == nil && tt.mode&os.ModeSticky == 0 { // Go writes the sticky bit elsewhere
				owner, mode, _ := strings.Cut(strings.TrimSpace(string(stat)), " ")
				if f.Owner != owner || f.Mode != mode {
					t.Errorf("%s %s, stat says %s %s", f.Owner, f.Mode, owner, mode)
				}
			}
			want := strings.ReplaceAll(tt.want, "OWNER", f.Owner)
			if got := strings.Join(says(f.Problems), "; "); got != want {
				t.Errorf("%q, want %q", got, want)
			}
		})
	}
}

// find looks at one folder.
func find(t *testing.T, role Role, path string) Folder {
	t.Helper()
	cfg := Config{Limits: limits, Temporary: t.TempDir()}
	switch role {
	case Media:
		cfg.Media = path
	case Logs:
		cfg.Logs = path
	case Temporary:
		cfg.Temporary = path
	case Database:
		cfg.Database = path
	}
	for _, f := range sample(t, New(cfg).Probe()).Folders {
		if f.Role == role {
			return f
		}
	}
	t.Fatalf("no folder for %s", role)
	return Folder{}
}

func TestFoldersThatAreNone(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "file"), 1)
	must(t, os.Symlink("nowhere", filepath.Join(dir, "dangling")))
	must(t, os.Symlink("loop", filepath.Join(dir, "loop")))
	must(t, os.Mkdir(filepath.Join(dir, "evil\x1b[2J"), 0o777))
	must(t, os.Chmod(filepath.Join(dir, "evil\x1b[2J"), 0o777))
	for name, want := range map[string]string{
		"missing": "missing", "dangling": "missing", "file": "a file, not a folder", "loop": "cannot be looked at", "evil\x1b[2J": "anyone may write",
	} {
		f := find(t, Media, filepath.Join(dir, name))
		if len(f.Problems) != 1 || !strings.HasPrefix(f.Problems[0].Says, want) {
			t.Errorf("%q: %q, want %q", name, says(f.Problems), want)
		}
		if strings.ContainsRune(f.Path+f.Real+fmt.Sprint(f.Problems), 0x1b) {
			t.Errorf("%q holds an escape sequence", f.Path)
		}
	}
}

// A folder that one may not look into is told, and takes nothing else away.
func TestAForbiddenFolderIsUnknown(t *testing.T) {
	dir := t.TempDir()
	hidden := filepath.Join(dir, "closed", "media")
	must(t, os.MkdirAll(hidden, 0o755))
	must(t, os.Chmod(dir, 0o755))
	must(t, os.Chmod(filepath.Join(dir, "closed"), 0o000))
	t.Cleanup(func() { _ = os.Chmod(filepath.Join(dir, "closed"), 0o755) })
	h := New(Config{})
	var f facts
	var c Content
	asOrdinaryUser(t, func() {
		f = h.look(hidden)
		c = h.walk(t.Context(), Folder{Role: Media, Path: hidden}, nil)
	})
	got := Folder{Role: Media, Path: hidden}
	h.judge(&got, f)
	if diff := cmp.Diff([]string{"the cockpit may not look at it: permission denied"}, says(got.Problems)); diff != "" {
		t.Error(diff)
	}
	if c.Err != "the cockpit may not read it: permission denied" {
		t.Errorf("inside: %+v", c)
	}
}

// Sizes are du's: on the disk, hard links once, links not followed.
func TestSizesAreThoseOfDu(t *testing.T) {
	labtest.Need(t, "du")
	dir := t.TempDir()
	outside := t.TempDir()
	write(t, filepath.Join(outside, "large"), 3<<20)
	write(t, filepath.Join(dir, "a", "b", "c", "deep"), 70000)
	write(t, filepath.Join(dir, "copies", "one.pdf"), 123456)
	write(t, filepath.Join(dir, "small"), 1)
	must(t, os.Link(filepath.Join(dir, "copies", "one.pdf"), filepath.Join(dir, "copies", "again.pdf")))
	must(t, os.Symlink(outside, filepath.Join(dir, "away")))
	must(t, os.Symlink("/", filepath.Join(dir, "a", "root")))
	sparse, err := os.Create(filepath.Join(dir, "sparse"))
	must(t, err)
	must(t, errors.Join(sparse.Truncate(1<<30), sparse.Close()))
	c := inside(t, New(Config{Media: dir, Temporary: t.TempDir()}))[Media]
	if want := du(t, dir); c.Bytes != want || c.Partial {
		t.Errorf("%d bytes (partial: %v), du says %d", c.Bytes, c.Partial, want)
	}
	for _, e := range c.Largest {
		if want := du(t, filepath.Join(dir, e.Name)); e.Bytes != want {
			t.Errorf("%s: %d bytes, du says %d", e.Name, e.Bytes, want)
		}
	}
	if len(c.Largest) != 5 || c.Largest[0].Name != "copies" {
		t.Errorf("the largest are %+v", c.Largest)
	}
}

func du(t *testing.T, path string) uint64 {
	t.Helper()
	out, err := exec.Command("du", "-sx", "--block-size=1", path).Output()
	must(t, err)
	n, err := strconv.ParseUint(strings.Fields(string(out))[0], 10, 64)
	must(t, err)
	return n
}

// A folder with more in it than may be looked at gives a lower bound, and names
// are made harmless.
func TestAWalkHasAnEnd(t *testing.T) {
	dir := t.TempDir()
	for i := range 50 {
		write(t, filepath.Join(dir, fmt.Sprintf("f%02d\x1b]52;c;\x07", i)), 5000)
	}
	deep := dir
	for range maxDepth + 5 {
		deep = filepath.Join(deep, "d")
	}
	write(t, filepath.Join(deep, "bottom"), 1<<20)
	h := New(Config{Media: dir, Temporary: t.TempDir()})
	all := inside(t, h)[Media]
	if !all.Partial || all.Bytes >= du(t, dir) || all.Bytes == 0 {
		t.Errorf("a walk of limited depth gave %d bytes (partial: %v)", all.Bytes, all.Partial)
	}
	f, err := os.Open(dir)
	must(t, err)
	defer f.Close()
	var st unix.Stat_t
	must(t, unix.Fstat(int(f.Fd()), &st))
	w := &walker{ctx: t.Context(), dev: uint64(st.Dev), left: 10, linked: map[uint64]struct{}{}}
	seen := 0
	if err := w.children(f, dir, func(string, *unix.Stat_t) { seen++ }); !errors.Is(err, errEnough) || seen != 10 {
		t.Errorf("%d entries were looked at, then %v", seen, err)
	}
	if len(all.Largest) != topEntries || strings.ContainsAny(fmt.Sprint(all), "\x1b\x07") {
		t.Errorf("%d entries, or a control in %+q", len(all.Largest), fmt.Sprint(all.Largest))
	}
}

// A large folder leaves room for the others to be looked at, and files beside
// the folders are counted whatever is in those.
func TestALargeFolderHidesNoOther(t *testing.T) {
	dir := t.TempDir()
	for i := range 60 {
		write(t, filepath.Join(dir, "aaa", fmt.Sprint(i)), 5000)
	}
	write(t, filepath.Join(dir, "bbb", "inside"), 5000)
	write(t, filepath.Join(dir, "zzz.log"), 5000)
	f, err := os.Open(dir)
	must(t, err)
	defer f.Close()
	var st unix.Stat_t
	must(t, unix.Fstat(int(f.Fd()), &st))
	w := &walker{ctx: t.Context(), dev: uint64(st.Dev), left: 40, linked: map[uint64]struct{}{}}
	var inner []branch
	must(t, w.children(f, dir, func(name string, st *unix.Stat_t) {
		if st.Mode&unix.S_IFMT == unix.S_IFDIR {
			inner = append(inner, branch{name, *st})
		}
	}))
	seen := map[string]size{}
	w.branches(f, dir, inner, func(b branch, s size) { seen[b.name] = s })
	if a, b := seen["aaa"], seen["bbb"]; !a.partial || a.files < 10 || b.partial || b.files != 2 {
		t.Errorf("of the large one %+v, of the other %+v", a, b)
	}
	if w.left < 0 || w.left > 20 {
		t.Errorf("%d entries are left of 40", w.left)
	}
}

// A walk that took long is not repeated at once, and what it saw keeps its time.
func TestALongWalkRests(t *testing.T) {
	dir := t.TempDir()
	at := time.Unix(1_700_000_000, 0)
	f := New(Config{Media: dir, Temporary: t.TempDir()}).Files()
	f.now = func() time.Time { return at }
	look := func() Content {
		got, err := f.Sample(labtest.Context(t))
		must(t, err)
		return got.(Contents).Folders[0]
	}
	first := look()
	f.keep(dir, first, at.Add(time.Second))
	write(t, filepath.Join(dir, "new"), 5000)
	at = at.Add(100 * time.Second)
	if c := look(); c.Files != first.Files || !c.At.Equal(first.At) {
		t.Errorf("within its rest: %+v", c)
	}
	at = at.Add(2 * time.Second)
	if c := look(); c.Files != first.Files+1 || !c.At.Equal(at) {
		t.Errorf("after it: %+v", c)
	}
	f.keep(dir, first, first.At.Add(time.Millisecond))
	if _, ok := f.resting(dir); ok {
		t.Error("a quick walk rests")
	}
}

// What root left in the application's folders is found.
func TestFilesOfAnotherUser(t *testing.T) {
	if os.Geteuid() != 0 {
		labtest.Missing(t, "this test needs root, to give files to another user")
	}
	dir := t.TempDir()
	must(t, os.Chown(dir, 65534, 65534))
	for i := range 4 {
		path := filepath.Join(dir, fmt.Sprintf("django.log.%d", i))
		write(t, path, 10)
		if i > 0 {
			must(t, os.Chown(path, 65534, 65534))
		}
	}
	closed := filepath.Join(dir, "source")
	must(t, os.Mkdir(closed, 0o555))
	must(t, os.Chown(closed, 65534, 65534))
	owner, err := exec.Command("stat", "-c", "%U", dir).Output()
	must(t, err)
	h := New(Config{Logs: dir, Temporary: dir})
	want := []string{"django.log.0 belongs to root, the folder to " + strings.TrimSpace(string(owner)), "the folder source in it is not writable for its owner"}
	if diff := cmp.Diff(want, says(inside(t, h)[Logs].Problems)); diff != "" {
		t.Error(diff)
	}
	if got := inside(t, h)[Temporary].Problems; got != nil {
		t.Errorf("temporary files are everybody's: %q", says(got))
	}
}
