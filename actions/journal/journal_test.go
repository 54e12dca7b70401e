package journal_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gradecockpit/actions"
	"gradecockpit/actions/journal"
	"gradecockpit/probes/lab/labtest"
)

func path(t *testing.T) string { return filepath.Join(t.TempDir(), "state", "journal.jsonl") }

func record(id string) actions.Record {
	return actions.Record{
		Kind: actions.Intent, ActionID: id, Action: "force-unlock", At: time.Date(2026, 2, 1, 14, 30, 12, 0, time.UTC),
		Actor: "mdupont", Target: actions.Target{Kind: actions.OnCopy, ID: "c1", Label: "A3F2-0019"},
		Seen: map[string]string{"status": "LOCKED"}, Undo: &actions.Undo{Action: "relock", Data: map[string]string{"token": "t"}},
	}
}

func TestWhatIsAppendedIsReadBack(t *testing.T) {
	p := path(t)
	j, err := journal.Open(p)
	if err != nil {
		t.Fatal(err)
	}
	want := []actions.Record{record("1"), record("2")}
	for _, r := range want {
		if err := j.Append(r); err != nil {
			t.Fatal(err)
		}
	}
	got, err := j.Records()
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Fatalf("%v %s", err, diff)
	}
	for name, mode := range map[string]os.FileMode{p: 0o600, filepath.Dir(p): 0o700} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v %v", name, info.Mode(), err)
		}
	}
}

func TestLazyTouchesNothing(t *testing.T) {
	p := path(t)
	if got, err := journal.Lazy(p).Records(); got != nil || err != nil {
		t.Fatalf("%v %v", got, err)
	}
	if _, err := os.Stat(filepath.Dir(p)); !os.IsNotExist(err) {
		t.Fatalf("the folder was made: %v", err)
	}
}

func TestATornLineIsMarkedAndSpoilsNoOther(t *testing.T) {
	p := path(t)
	j, _ := journal.Open(p)
	if err := j.Append(record("1")); err != nil {
		t.Fatal(err)
	}
	whole, _ := os.ReadFile(p)
	if err := os.WriteFile(p, append(whole, whole[:len(whole)/2]...), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := j.Append(record("2")); err != nil {
		t.Fatal(err)
	}
	got, err := j.Records()
	if err != nil {
		t.Fatal(err)
	}
	var kinds []actions.RecordKind
	for _, r := range got {
		kinds = append(kinds, r.Kind)
	}
	if diff := cmp.Diff([]actions.RecordKind{actions.Intent, actions.Torn, actions.Intent}, kinds); diff != "" {
		t.Error(diff)
	}
}

func TestFoldersOfOthersAreRefused(t *testing.T) {
	for _, mode := range []os.FileMode{0o770, 0o777, 0o702} {
		dir := filepath.Join(t.TempDir(), "state")
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := journal.Open(filepath.Join(dir, "j")); err == nil || !strings.Contains(err.Error(), "can be written by others") {
			t.Errorf("%o: %v", mode, err)
		}
	}
}

func TestAnothersFolderIsRefused(t *testing.T) {
	if os.Geteuid() != 0 {
		labtest.Missing(t, "only root can give a folder away: run this test as root")
	}
	dir := filepath.Join(t.TempDir(), "state")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(dir, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	if _, err := journal.Open(filepath.Join(dir, "j")); err == nil || !strings.Contains(err.Error(), "belongs to user 65534") {
		t.Error(err)
	}
}

func TestALinkIsNotFollowed(t *testing.T) {
	p := path(t)
	if _, err := journal.Open(p); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(filepath.Dir(p), "link")
	if err := os.Symlink(p, link); err != nil {
		t.Fatal(err)
	}
	if _, err := journal.Open(link); err == nil {
		t.Error("a symbolic link was followed")
	}
}

// The limit on a file's size stops a write in the middle as a full disk does, and
// needs no rights.
func TestAFullDiskLeavesNothingOfTheRecord(t *testing.T) {
	dir := t.TempDir()
	signal.Ignore(syscall.SIGXFSZ)
	t.Cleanup(func() { signal.Reset(syscall.SIGXFSZ) })
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	small := limit
	small.Cur = 64 << 10
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &small); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
			t.Error(err)
		}
	})
	p := filepath.Join(dir, "journal.jsonl")
	j, err := journal.Open(p)
	if err != nil {
		t.Fatal(err)
	}
	if err := j.Append(record("1")); err != nil {
		t.Fatal(err)
	}
	before, _ := os.ReadFile(p)
	big := record("2")
	big.Reason = strings.Repeat("x", 100<<10)
	if err := j.Append(big); !errors.Is(err, syscall.EFBIG) {
		t.Fatalf("no error for a full disk: %v", err)
	}
	if after, _ := os.ReadFile(p); !bytes.Equal(before, after) {
		t.Errorf("%d bytes became %d", len(before), len(after))
	}
}

func TestSeveralSessionsWriteBesideEachOther(t *testing.T) {
	p := path(t)
	const sessions, each = 8, 25
	var wg sync.WaitGroup
	for s := range sessions {
		wg.Go(func() {
			j := journal.Lazy(p)
			for i := range each {
				if err := j.Append(record(fmt.Sprintf("%d-%d", s, i))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	got, err := journal.Lazy(p).Records()
	if err != nil || len(got) != sessions*each {
		t.Fatalf("%d records, %v", len(got), err)
	}
	seen := map[string]bool{}
	for _, r := range got {
		seen[r.ActionID] = true
	}
	if len(seen) != sessions*each {
		t.Errorf("%d different records", len(seen))
	}
}

func TestOfAHugeFileTheNewestPartIsRead(t *testing.T) {
	p := path(t)
	j, _ := journal.Open(p)
	old := record("old")
	old.Reason = strings.Repeat("x", 20<<20)
	for _, r := range []actions.Record{old, old, record("new")} {
		if err := j.Append(r); err != nil {
			t.Fatal(err)
		}
	}
	got, err := j.Records()
	if err != nil || len(got) != 2 || got[1].ActionID != "new" {
		t.Fatalf("%d records, %v", len(got), err)
	}
}
