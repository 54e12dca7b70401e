package lab

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// The application rotates both files at 10 MB and keeps ten old parts.
const (
	logMaxBytes = 10 << 20
	logBackups  = 10
)

// logRecord is one record of the application's logging.
type logRecord struct {
	level, logger, message string
	exc                    string   // traceback, lines joined by \n; "" none
	extra                  []field  // keys of this record, in order
	request                *request // set inside a request only
	module, function       string
	line                   int
}

// request is what the request-id middleware adds to each record.
type request struct {
	id, path, method string
	user             int64 // 0: anonymous, written as null
	bare             bool  // django.request's own records carry none of these keys
}

// appLog writes django.log and audit.log as the application's own handlers do:
// one JSON object or one verbose line a record, rotated by size.
type appLog struct {
	dir      string
	verbose  bool
	maxBytes int64
	now      func() time.Time

	mu    sync.Mutex
	files map[string]*os.File
	sizes map[string]int64
}

func newAppLog(dir string, verbose bool) (*appLog, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make the log folder: %w", err)
	}
	l := &appLog{
		dir: dir, verbose: verbose, maxBytes: logMaxBytes, now: time.Now,
		files: map[string]*os.File{}, sizes: map[string]int64{},
	}
	for _, name := range []string{"django.log", "audit.log"} {
		if err := l.open(name); err != nil {
			l.close()
			return nil, err
		}
	}
	return l, nil
}

// write appends a record, stamped now.
func (l *appLog) write(r logRecord) { l.writeAt(l.now(), r) }

// writeAt appends a record with a time of its own: the history that was there
// before the session began. A record that cannot be written is lost, as it is
// with Python's handlers: logging never stops the application.
func (l *appLog) writeAt(at time.Time, r logRecord) {
	name, ok := logFileOf(r)
	if !ok {
		return
	}
	line := l.format(at.UTC(), r) + "\n"
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.sizes[name]+int64(len(line)) >= l.maxBytes {
		l.rotate(name)
	}
	if f := l.files[name]; f != nil {
		n, _ := f.WriteString(line)
		l.sizes[name] += int64(n)
	}
}

// worker appends a line of the Celery worker's own to celery.log, some time ago.
// The file is there only where a worker had something to tell.
func (l *appLog) worker(ago time.Duration, from, message string) error {
	f, err := os.OpenFile(filepath.Join(l.dir, "celery.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("write the worker's log: %w", err)
	}
	at := l.now().Add(-ago).UTC()
	_, err = fmt.Fprintf(f, "[%s,%03d: %s] %s\n", at.Format("2006-01-02 15:04:05"), at.Nanosecond()/1e6, from, message)
	return errors.Join(err, f.Close())
}

// logFileOf says which file a logger ends in; metrics below WARNING goes to
// the console only.
func logFileOf(r logRecord) (string, bool) {
	root, _, _ := strings.Cut(r.logger, ".")
	switch root {
	case "audit":
		return "audit.log", true
	case "metrics":
		return "django.log", r.level != "INFO" && r.level != "DEBUG"
	case "django", "grading":
		return "django.log", true
	}
	return "", false
}

func (l *appLog) format(at time.Time, r logRecord) string {
	stamp := at.Format("2006-01-02 15:04:05") + fmt.Sprintf(",%03d", at.Nanosecond()/1e6)
	if l.verbose {
		return verboseLine(stamp, r)
	}
	return pyJSON(r.object(stamp))
}

// verboseLine drops every extra; the traceback follows unprefixed.
func verboseLine(stamp string, r logRecord) string {
	line := fmt.Sprintf("[%s] %s %s %s %s", stamp, r.level, r.logger, r.module, r.message)
	if r.exc != "" {
		line += "\n" + r.exc
	}
	return line
}

// object puts the keys in the order of the application's formatter.
func (r logRecord) object(stamp string) object {
	o := object{{"timestamp", stamp}, {"level", r.level}, {"logger", r.logger}, {"message", r.message}}
	if r.exc != "" {
		o = append(o, field{"exc_info", r.exc})
	}
	o = append(o, r.extra...)
	if q := r.request; q != nil && !q.bare {
		o = append(o, field{"request_id", q.id}, field{"path", q.path}, field{"method", q.method}, field{"user_id", q.userID()})
	}
	return append(o, field{"module", r.module}, field{"function", r.function}, field{"line", r.line})
}

func (q *request) userID() any {
	if q.user == 0 {
		return nil
	}
	return q.user
}

// rotate shifts name.9 to name.10 … name to name.1 and opens a new file.
func (l *appLog) rotate(name string) {
	if f := l.files[name]; f != nil {
		f.Close()
	}
	base := filepath.Join(l.dir, name)
	for i := logBackups; i > 1; i-- {
		_ = os.Rename(fmt.Sprintf("%s.%d", base, i-1), fmt.Sprintf("%s.%d", base, i))
	}
	_ = os.Rename(base, base+".1")
	l.files[name] = nil
	_ = l.open(name)
}

func (l *appLog) open(name string) error {
	f, err := os.OpenFile(filepath.Join(l.dir, name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("open the application's log: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return fmt.Errorf("open the application's log: %w", err)
	}
	l.files[name], l.sizes[name] = f, info.Size()
	return nil
}

func (l *appLog) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for name, f := range l.files {
		if f != nil {
			f.Close()
		}
		l.files[name] = nil
	}
}
