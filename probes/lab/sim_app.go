package lab

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// lockTTL is how long a lock lives after its last heartbeat; heartbeat is how
// often a teacher's browser renews it.
const (
	lockTTL   = 10 * time.Minute
	heartbeat = 30 * time.Second
)

// app is the simulated grading application: its service methods write the rows
// that the deployed one writes, in the dialect asked for, and its log lines
// and metrics.
type app struct {
	db      *pgxpool.Pool
	dialect Dialect
	table   bool // grading_copylock is there
	locking bool // this generation uses it
	routed  bool // tasks are routed to "finalize" and "import"
	media   string
	speed   float64
	logs    *appLog
	metrics *appMetrics
	trouble trouble
}

// trouble is what faults break in the application; the zero value is none.
type trouble struct {
	mu         sync.Mutex
	pdf        map[string]appError // by copy: why its PDF cannot be made
	diskFull   bool
	renderTime time.Duration // of one PDF; 0: the usual
	importTime time.Duration // of one import; 0: the usual
	slow       map[string]time.Duration
}

// appError is an exception of the application.
type appError struct {
	exc      string // ValueError, LockConflictError, PermissionError, …
	detail   string
	status   int    // of the HTTP answer
	conflict string // the label of grading_lock_conflicts_total; "" none
	cause    string // of a failed PDF: the exception below, as a traceback ends
}

func (e *appError) Error() string { return e.exc + ": " + e.detail }

func badState(format string, args ...any) *appError {
	return &appError{exc: "ValueError", detail: fmt.Sprintf(format, args...), status: http.StatusBadRequest}
}

func conflict(kind, detail string) *appError {
	return &appError{exc: "LockConflictError", detail: detail, status: http.StatusConflict, conflict: kind}
}

func forbidden(detail string) *appError {
	return &appError{exc: "PermissionError", detail: detail, status: http.StatusForbidden, conflict: "token_mismatch"}
}

// asAppError gives the Python exception for any error: what the database
// refuses is an OperationalError or an IntegrityError there.
func asAppError(err error) *appError {
	var a *appError
	var pg *pgconn.PgError
	switch {
	case errors.As(err, &a):
		return a
	case errors.Is(err, pgx.ErrNoRows):
		return &appError{exc: "DoesNotExist", detail: "Copy matching query does not exist.", status: http.StatusNotFound}
	case errors.As(err, &pg) && strings.HasPrefix(pg.Code, "23"):
		return &appError{exc: "IntegrityError", detail: pg.Message, status: http.StatusInternalServerError}
	case errors.As(err, &pg):
		return &appError{exc: "OperationalError", detail: pg.Message, status: http.StatusInternalServerError}
	}
	return &appError{exc: "OperationalError", detail: err.Error(), status: http.StatusInternalServerError}
}

// atomic is @transaction.atomic: whatever raises leaves nothing behind.
func (a *app) atomic(ctx context.Context, do func(pgx.Tx) error) error {
	return pgx.BeginFunc(ctx, a.db, do)
}

// event writes an audit event inside the caller's transaction.
func (a *app) event(ctx context.Context, tx pgx.Tx, copyID, action string, actor int64, meta object) error {
	_, err := tx.Exec(ctx, `INSERT INTO grading_gradingevent (id, copy_id, action, actor_id, timestamp, metadata)
		VALUES ($1, $2, $3, $4, clock_timestamp(), $5)`, uuid.NewString(), copyID, action, actor, pyJSON(meta))
	return err
}

// byDialect chooses between two spellings of one statement.
func (a *app) byDialect(deployed, playbook string) string {
	if a.dialect == Playbook {
		return playbook
	}
	return deployed
}

// after scales a time of the simulation by its speed.
func (a *app) after(d time.Duration) time.Duration { return time.Duration(float64(d) / a.speed) }

// saveMedia writes a file below the media folder.
func (a *app) saveMedia(name string, data []byte) error {
	path := filepath.Join(a.media, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o644)
}

// served counts a request and logs it as the middleware and Django do.
func (a *app) served(method, path string, user int64, took time.Duration, err error) {
	q := &request{id: uuid.NewString(), path: path, method: method, user: user}
	status := http.StatusOK
	if err != nil {
		f := asAppError(err)
		status = f.status
		if f.status != http.StatusConflict {
			a.logs.write(serviceError(f.detail, q))
		}
		if f.conflict != "" {
			a.metrics.lockConflict(f.conflict)
		}
		a.logs.write(requestRefused(status, method, path))
	}
	if took > 5*time.Second {
		a.logs.write(slowRequest(method, path, status, took.Seconds(), q))
	}
	a.metrics.httpRequest(method, pathLabel(path), status, took.Seconds())
}

// pathLabel is the path as the metrics middleware labels it.
func pathLabel(path string) string {
	parts := strings.Split(path, "/")
	for i, part := range parts {
		if len(part) == 36 && uuid.Validate(part) == nil {
			parts[i] = "<uuid>"
		} else if part != "" && strings.Trim(part, "0123456789") == "" {
			parts[i] = "<id>"
		}
	}
	return strings.Join(parts, "/")
}

func canonicalUUID(s string) string {
	id, err := uuid.Parse(s)
	if err != nil {
		return s
	}
	return id.String()
}

func (t *trouble) pdfError(copyID string) *appError {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.diskFull {
		return &appError{exc: "OSError", detail: "[Errno 28] No space left on device"}
	}
	if e, ok := t.pdf[copyID]; ok {
		return &e
	}
	return nil
}

func (t *trouble) breakPDF(copyID string, e appError) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.pdf == nil {
		t.pdf = map[string]appError{}
	}
	t.pdf[copyID] = e
}

func (t *trouble) mendPDF(copyIDs []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, id := range copyIDs {
		delete(t.pdf, id)
	}
}

// set changes the trouble under its lock.
func (t *trouble) set(change func(*trouble)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	change(t)
}

// get reads one duration under the lock.
func (t *trouble) get(read func(*trouble) time.Duration) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	return read(t)
}
