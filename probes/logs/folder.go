package logs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"gradecockpit/probes"
	"gradecockpit/probes/clean"
)

// Config says which folder to follow.
type Config struct {
	Dir     string
	MaxTail int64 // bytes read of each log when following starts, newest files first; 4 MiB
}

// Folder is the log folder as a [Source].
type Folder struct {
	cfg     Config
	tails   []*tail // every file that was read, whatever its name is now
	started bool    // a Sample has found the folder
	tally   *tally
	written *written // wants the records as they are written; nil: nobody does
	now     func() time.Time
}

// NewFolder makes a source of a folder; nothing is looked at yet. With an empty
// Dir it says that it is not configured.
func NewFolder(cfg Config) *Folder {
	if cfg.MaxTail <= 0 {
		cfg.MaxTail = 4 << 20
	}
	return &Folder{cfg: cfg, tally: newTally(), now: time.Now}
}

// Where is the path of the folder.
func (d *Folder) Where() string { return clean.Text(d.cfg.Dir) }

// Sample reads what was written since the last time and gives an Overview. When
// the deadline comes first, the next Sample goes on where this one stopped.
func (d *Folder) Sample(ctx context.Context) (Overview, error) {
	if err := ctx.Err(); err != nil {
		return Overview{}, err
	}
	files, err := d.list()
	if err != nil {
		return Overview{}, err
	}
	files = slices.DeleteFunc(files, func(f logFile) bool { return f.packed }) // nobody writes to them
	if !d.started {
		d.skipOld(files)
		d.started = true
	}
	out, failed := d.followAll(ctx, files)
	if len(out) == 0 {
		return Overview{}, failed
	}
	d.forget()
	o := d.tally.overview(d.now())
	o.Dir, o.Files, o.Note = clean.Text(d.cfg.Dir), out, d.note(failed)
	return o, nil
}

// followAll reads on in every file. The error is the first one; a file that a
// rotation took away since it was listed counts only if nothing else is there.
func (d *Folder) followAll(ctx context.Context, files []logFile) (out []File, failed error) {
	for _, f := range files {
		t, err := d.follow(ctx, f)
		switch {
		case err == nil:
			out = append(out, File{Name: f.name, Size: t.info.Size(), Format: t.format})
		case failed == nil || errors.Is(failed, fs.ErrNotExist):
			failed = err
		}
	}
	return out, failed
}

// note puts what was left out into a sentence.
func (d *Folder) note(failed error) string {
	var behind int64
	for _, t := range d.tails {
		behind += max(0, t.info.Size()-t.offset)
	}
	switch {
	case failed != nil && !errors.Is(failed, fs.ErrNotExist):
		return probes.Brief(failed) + "."
	case behind > 1<<20:
		return fmt.Sprintf("Still reading: %d MB of log to go.", behind>>20)
	}
	return ""
}

// logFile is a file of the folder that is one of ours.
type logFile struct {
	name   string // "django.log.3.gz"
	log    string // "django.log"
	age    int    // 3; 0 is the one written now
	packed bool   // by gzip
	path   string
}

// ours are the files the application writes, and what a worker's console is
// redirected to, with the parts that rotation leaves: numbered by Python and
// logrotate, or with a date by logrotate's dateext.
var ours = []string{"django.log", "audit.log", "celery.log"}

// ownFile reads the name of a file that is one of ours.
func ownFile(name string) (lf logFile, ok bool) {
	lf.name = name
	rest, packed := strings.CutSuffix(name, ".gz")
	lf.packed = packed
	for _, log := range ours {
		if suffix, found := strings.CutPrefix(rest, log); found {
			lf.log = log
			lf.age, ok = age(suffix)
			return lf, ok
		}
	}
	return lf, false
}

// age reads the end of a part's name, ".3" or "-20260201". Later days are
// younger, and every number is younger than a day.
func age(suffix string) (int, bool) {
	if suffix == "" {
		return 0, true
	}
	n, err := strconv.Atoi(suffix[1:])
	switch {
	case err != nil || n < 0:
		return 0, false
	case suffix[0] == '.' && len(suffix) <= 4:
		return n, true
	case (suffix[0] == '-' || suffix[0] == '.') && len(suffix) == 9:
		return 100_000_000 - n, true
	}
	return 0, false
}

// list finds the log files, newest first in each log.
func (d *Folder) list() ([]logFile, error) {
	if d.cfg.Dir == "" {
		return nil, probes.NotConfigured(probes.Logs, "GRADING_LOG_DIR")
	}
	entries, err := os.ReadDir(d.cfg.Dir)
	if err != nil {
		return nil, failure("list", d.cfg.Dir, err)
	}
	var files []logFile
	for _, e := range entries {
		if lf, ok := ownFile(e.Name()); ok {
			lf.path = filepath.Join(d.cfg.Dir, e.Name())
			files = append(files, lf)
		}
	}
	if len(files) == 0 {
		return nil, &probes.Error{Source: probes.Logs, Op: "list", Cause: "no django.log or audit.log in " + clean.Text(d.cfg.Dir),
			Next: consoleOnly, Err: fs.ErrNotExist}
	}
	slices.SortStableFunc(files, func(a, b logFile) int { return a.age - b.age })
	return onlyUnpacked(files), nil
}

// onlyUnpacked leaves out a packed part whose unpacked form is still there:
// gzip removes it when it has finished.
func onlyUnpacked(files []logFile) []logFile {
	plain := map[string]bool{}
	for _, f := range files {
		plain[f.name] = true
	}
	return slices.DeleteFunc(files, func(f logFile) bool { return f.packed && plain[strings.TrimSuffix(f.name, ".gz")] })
}

const consoleOnly = "Set GRADING_LOG_DIR to the folder with django.log; with core.settings_prod there is none, only `docker compose logs backend`."

// failure says what to do about a file or folder that cannot be read.
func failure(op, path string, err error) *probes.Error {
	e := &probes.Error{Source: probes.Logs, Op: op, Err: err}
	shown := clean.Capped(path, 200)
	var at *fs.PathError
	switch {
	case errors.Is(err, fs.ErrPermission):
		e.Cause, e.Denied = "no right to read "+shown, true
		e.Next = "Give your user read access (on a folder execute too): setfacl, or the group that owns it."
	case errors.Is(err, fs.ErrNotExist):
		e.Cause, e.Next = shown+" does not exist", consoleOnly
	case errors.Is(err, errNotRegular):
		e.Cause, e.Next = shown+" is not a regular file", "Point GRADING_LOG_DIR to the folder that holds the log files themselves."
	case errors.As(err, &at):
		e.Cause = shown + ": " + clean.Capped(at.Err.Error(), 200)
	default:
		e.Cause = shown + ": " + clean.Capped(err.Error(), 200)
	}
	return e
}

var errNotRegular = errors.New("not a regular file")

// open opens a log file and nothing that could block, such as a named pipe.
func open(path string) (*os.File, os.FileInfo, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, nil, failure("read", path, err)
	}
	if !info.Mode().IsRegular() {
		return nil, nil, failure("read", path, errNotRegular)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, failure("read", path, err)
	}
	// The name may belong to another file by now: what was opened counts.
	if info, err = f.Stat(); err != nil {
		f.Close()
		return nil, nil, failure("read", path, err)
	}
	return f, info, nil
}
