// Package journal keeps the record of every action in a file that only grows:
// one JSON object a line, on disk before Append returns. Several sessions of
// the same user may write to one file beside each other; a kernel lock keeps
// their lines apart. The file holds what undo needs, so it and its folder
// belong to one user alone.
package journal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"

	"gradecockpit/actions"
)

// maxRead bounds what Records reads: the newest part of the file, in bytes.
const maxRead = 32 << 20

// lockWait is how long Append waits for another session's line.
const lockWait = 2 * time.Second

// File is a journal in one file. It is opened anew for every record, so that a
// journal that was moved away is noticed and not written into the void.
type File struct{ path string }

// Lazy names a journal without touching the disk: a cockpit that only looks
// needs none, and must start where none can be written.
func Lazy(path string) *File { return &File{path} }

// Open makes the folder and the file where they are missing and proves that
// the file can be written. A folder that others may write to, or that belongs
// to somebody else, is refused.
func Open(path string) (*File, error) {
	j := Lazy(path)
	f, err := j.open()
	if err != nil {
		return nil, err
	}
	return j, f.Close()
}

// Path is where the journal lies.
func (j *File) Path() string { return j.path }

// Append writes one record and returns once it is on disk. After an error
// nothing of the record is left behind.
func (j *File) Append(r actions.Record) error {
	line, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("journal: encode the record: %w", err)
	}
	f, err := j.open()
	if err != nil {
		return err
	}
	defer f.Close()
	if err := flock(f, syscall.LOCK_EX); err != nil {
		return j.failed("lock", err)
	}
	return j.write(f, append(line, '\n'))
}

// write appends a line to a locked file. What a crash has torn is closed with
// a line end first, so that it spoils no other record.
func (j *File) write(f *os.File, line []byte) error {
	size, torn, err := tail(f)
	if err != nil {
		return j.failed("read the end", err)
	}
	if torn {
		line = append([]byte{'\n'}, line...)
	}
	if _, err := f.Write(line); err != nil {
		return errors.Join(j.failed("write", err), f.Truncate(size))
	}
	if err := f.Sync(); err != nil {
		return errors.Join(j.failed("sync", err), f.Truncate(size))
	}
	return nil
}

// Records gives the records, oldest first. A line that a crash has torn comes
// back as a record of kind Torn. Of a file beyond 32 MiB the newest part is
// read.
func (j *File) Records() ([]actions.Record, error) {
	f, err := os.Open(j.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, j.failed("open", err)
	}
	defer f.Close()
	if err := ownFile(f); err != nil {
		return nil, j.failed("open", err)
	}
	if err := flock(f, syscall.LOCK_SH); err != nil {
		return nil, j.failed("lock", err)
	}
	text, err := newest(f, maxRead)
	if err != nil {
		return nil, j.failed("read", err)
	}
	return decode(text), nil
}

// newest reads the last max bytes, from the first whole line on.
func newest(f *os.File, max int64) ([]byte, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	from := info.Size() - max
	if from <= 0 {
		return io.ReadAll(f)
	}
	text, err := io.ReadAll(io.NewSectionReader(f, from, max))
	if i := bytes.IndexByte(text, '\n'); i >= 0 {
		text = text[i+1:]
	}
	return text, err
}

func decode(text []byte) []actions.Record {
	var records []actions.Record
	for line := range bytes.Lines(text) {
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		var r actions.Record
		if json.Unmarshal(line, &r) != nil {
			r = actions.Record{Kind: actions.Torn, Says: "A line of the journal was cut off here."}
		}
		records = append(records, r)
	}
	return records
}

func (j *File) failed(op string, err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("journal: %s %s: no space left on its disk: %w", op, j.path, err)
	}
	return fmt.Errorf("journal: %s %s: %w", op, j.path, err)
}
