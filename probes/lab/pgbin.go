package lab

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
)

// ErrNoPostgres is what StartPostgres wraps when the machine has no usable
// PostgreSQL; the message says what to install.
var ErrNoPostgres = errors.New("no PostgreSQL server programs found")

// findPostgres gives the folder of initdb and postgres that as can run, the
// first of: dir (if given, alone), $GRADECOCKPIT_PG_BIN (alone), PATH, the
// distributions' folders (newest first), Homebrew, Postgres.app, what
// FetchPostgres fetched before.
func findPostgres(dir string, as *account) (string, error) {
	var tried []string
	for _, bin := range binCandidates(dir) {
		err := usableBin(bin, as)
		if err == nil {
			return bin, nil
		}
		tried = append(tried, err.Error())
	}
	detail := ""
	if len(tried) > 0 {
		detail = " (" + strings.Join(tried, "; ") + ")"
	}
	return "", fmt.Errorf("%w%s: install them with %q, or have them fetched with --fetch-postgres", ErrNoPostgres, detail, installLine())
}

func binCandidates(dir string) []string {
	for _, alone := range []string{dir, os.Getenv("GRADECOCKPIT_PG_BIN")} {
		if alone != "" {
			return []string{alone}
		}
	}
	var dirs []string
	if path, err := exec.LookPath("initdb"); err == nil {
		if real, err := filepath.EvalSymlinks(path); err == nil {
			dirs = append(dirs, filepath.Dir(real))
		}
	}
	for _, pattern := range []string{
		"/usr/lib/postgresql/*/bin",
		"/usr/pgsql-*/bin",
		"/opt/homebrew/opt/postgresql*/bin",
		"/usr/local/opt/postgresql*/bin",
		"/Applications/Postgres.app/Contents/Versions/*/bin",
		filepath.Join(DefaultCacheDir(), "postgres-*", "native", "bin"),
	} {
		found, _ := filepath.Glob(pattern)
		sort.Slice(found, func(i, j int) bool { return firstNumber(found[i]) > firstNumber(found[j]) })
		dirs = append(dirs, found...)
	}
	return dirs
}

// firstNumber reads the version from a folder's name: 15 from "/usr/pgsql-15/bin".
func firstNumber(path string) float64 {
	start := strings.IndexAny(path, "0123456789")
	if start < 0 {
		return 0
	}
	end := start
	for end < len(path) && strings.IndexByte("0123456789.", path[end]) >= 0 {
		end++
	}
	n, _ := strconv.ParseFloat(strings.TrimSuffix(path[start:end], "."), 64)
	return n
}

// usableBin tells whether dir has both programs within reach of the account.
func usableBin(dir string, as *account) error {
	for _, name := range []string{"initdb", "postgres"} {
		path := filepath.Join(dir, name)
		if _, err := exec.LookPath(path); err != nil {
			return fmt.Errorf("no %s in %s", name, dir)
		}
		if err := as.canReach(path); err != nil {
			return err
		}
	}
	return nil
}

// installLine is the one command that installs PostgreSQL on this machine.
func installLine() string {
	for _, m := range []struct{ tool, line string }{
		{"apt-get", "apt-get install postgresql"},
		{"dnf", "dnf install postgresql-server"},
		{"brew", "brew install postgresql"},
		{"apk", "apk add postgresql"},
		{"pacman", "pacman -S postgresql"},
	} {
		if _, err := exec.LookPath(m.tool); err == nil {
			return m.line
		}
	}
	return "apt-get install postgresql"
}

// hasModule tells whether the installation at bin can preload the module.
func hasModule(bin, module string) bool {
	dirs := []string{"../lib", "../lib/postgresql", "../lib64/pgsql", "../lib64/postgresql"}
	for i := range dirs {
		dirs[i] = filepath.Join(bin, dirs[i])
	}
	if out, err := exec.Command(filepath.Join(bin, "pg_config"), "--pkglibdir").Output(); err == nil {
		dirs = append(dirs, strings.TrimSpace(string(out)))
	}
	for _, dir := range dirs {
		for _, suffix := range []string{".so", ".dylib"} {
			if _, err := os.Stat(filepath.Join(dir, module+suffix)); err == nil {
				return true
			}
		}
	}
	return false
}
