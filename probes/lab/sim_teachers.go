package lab

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// play sets the session going: teachers, the secretary who imports, the
// traffic. Everybody draws from a stream of their own.
func (w *World) play() {
	teachers := min(len(w.inHand), len(w.cast.users))
	for i, c := range w.inHand[:teachers] {
		w.claims.take(c.id)
		t := &teacher{w: w, user: c.holder, rng: w.stream(fmt.Sprint("teacher ", i)), copy: c.id, token: c.token}
		w.spawn(t.work)
	}
	w.spawn(w.traffic)
	w.spawn(w.secretary)
	w.spawn(w.crowd)
}

func (w *World) spawn(work func(context.Context)) {
	w.wg.Go(func() { work(w.ctx) })
}

// teacher corrects one copy after the other.
type teacher struct {
	w     *World
	user  int64
	rng   *rand.Rand
	copy  string // "" between two copies
	token string
	left  int // acts until this copy is done
}

// work goes on until the world ends: one act every ten seconds or so, with
// the browser's heartbeats in between.
func (t *teacher) work(ctx context.Context) {
	t.left = 1 + t.rng.IntN(6)
	beat := time.NewTicker(t.w.app.after(heartbeat))
	defer beat.Stop()
	for {
		act := time.NewTimer(t.w.app.after(time.Duration(4000+t.rng.IntN(14000)) * time.Millisecond))
		select {
		case <-ctx.Done():
			act.Stop()
			return
		case <-beat.C:
			act.Stop()
			t.beat(ctx)
		case <-act.C:
			t.act(ctx)
		}
	}
}

func (t *teacher) beat(ctx context.Context) {
	if t.copy == "" || !t.w.app.locking {
		return
	}
	err := t.call(ctx, http.MethodPost, "lock/heartbeat/", func() error { return t.w.app.beat(ctx, t.copy, t.user, t.token) })
	t.dropIfLost(err)
}

// dropIfLost leaves a copy whose lock somebody took away.
func (t *teacher) dropIfLost(err error) {
	var a *appError
	if errors.As(err, &a) && a.status != http.StatusInternalServerError {
		t.leave()
	}
}

func (t *teacher) act(ctx context.Context) {
	switch {
	case t.copy == "":
		t.open(ctx)
	case t.left > 0:
		t.left--
		t.annotate(ctx)
	default:
		t.done(ctx)
	}
}

// open takes the READY copy that has waited longest and that nobody claims.
func (t *teacher) open(ctx context.Context) {
	ready, err := t.w.app.ready(ctx)
	if err != nil {
		return
	}
	if t.copy = t.w.claims.first(ready); t.copy == "" {
		return
	}
	t.left = 4 + t.rng.IntN(8)
	if !t.w.app.locking {
		return
	}
	err = t.call(ctx, http.MethodPost, "lock/", func() (err error) {
		t.token, err = t.w.app.acquire(ctx, t.copy, t.user)
		return err
	})
	if err != nil {
		t.leave()
	}
}

// leave ends with the copy, for whatever reason.
func (t *teacher) leave() {
	t.w.claims.drop(t.copy)
	t.copy, t.token = "", ""
}

func (t *teacher) annotate(ctx context.Context) {
	err := t.call(ctx, http.MethodPost, "annotations/", func() error {
		return t.w.app.annotate(ctx, t.copy, t.user, t.token, t.rng.IntN(4), 1+t.rng.IntN(3))
	})
	if err == nil && t.w.app.locking {
		err = t.w.app.saveDraft(ctx, t.copy, t.user, t.token)
	}
	t.dropIfLost(err)
}

// done ends with a copy: mostly graded, sometimes given back. A browser that is
// closed gives it back too; now and then one crashes and nobody tells the server.
func (t *teacher) done(ctx context.Context) {
	switch dice := t.rng.IntN(100); {
	case dice < 70 || !t.w.app.locking:
		_ = t.call(ctx, http.MethodPost, "finalize/", func() error { return t.finalize(ctx) })
	case dice < 98:
		_ = t.call(ctx, http.MethodDelete, "lock/release/", func() error { return t.w.app.release(ctx, t.copy, t.user, t.token) })
	}
	t.leave()
}

func (t *teacher) finalize(ctx context.Context) error {
	q := &request{id: uuid.NewString(), path: t.path("finalize/"), method: http.MethodPost, user: t.user}
	_, err := t.w.app.finalize(ctx, finalization{copy: t.copy, user: t.user, token: t.token, request: q})
	return err
}

func (t *teacher) path(tail string) string { return "/api/grading/copies/" + t.copy + "/" + tail }

// call is one HTTP request of the browser.
func (t *teacher) call(ctx context.Context, method, tail string, do func() error) error {
	path, started := t.path(tail), time.Now()
	err := do()
	if ctx.Err() == nil {
		t.w.app.served(method, path, t.user, time.Since(started), err)
	}
	return err
}

// ready is the head of the copies to correct, longest waiting first.
func (a *app) ready(ctx context.Context) ([]string, error) {
	rows, err := a.db.Query(ctx, a.byDialect(
		`SELECT id::text FROM exams_copy WHERE status = 'READY' ORDER BY validated_at, id LIMIT 100`,
		`SELECT id::text FROM exams_copy WHERE status = 'READY' ORDER BY updated_at, id LIMIT 100`))
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// claims says which copies teachers leave alone: those in another's hands,
// which only locks show in the database, and those that faults made. The zero
// value is ready.
type claims struct {
	mu    sync.Mutex
	taken map[string]bool
}

// first claims the first of the copies that is free; "" when none is.
func (c *claims) first(copies []string) string {
	for _, id := range copies {
		if c.take(id) {
			return id
		}
	}
	return ""
}

func (c *claims) take(id string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.taken[id] {
		return false
	}
	if c.taken == nil {
		c.taken = map[string]bool{}
	}
	c.taken[id] = true
	return true
}

func (c *claims) drop(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.taken, id)
}

// secretary imports scans and validates them, so that teachers never run out.
func (w *World) secretary(ctx context.Context) {
	rng := w.stream("secretary")
	for nap(ctx, w.app.after(time.Duration(10+rng.IntN(15))*time.Second)) == nil {
		id, err := w.app.oldestImport(ctx)
		if err == nil {
			_ = w.app.validate(ctx, id, w.cast.operator)
		}
		if n, err := w.app.count(ctx, "READY"); err == nil && n < 8 {
			_ = w.scan(ctx, rng)
		}
	}
}

// oldestImport is the STAGING copy with pages that has waited longest.
func (a *app) oldestImport(ctx context.Context) (id string, err error) {
	err = a.db.QueryRow(ctx, `SELECT c.id::text FROM exams_copy c JOIN grading_gradingevent e ON e.copy_id = c.id AND e.action = 'IMPORT'
		WHERE c.status = 'STAGING' AND (`+pageCount+`) > 0 ORDER BY e.timestamp, c.id LIMIT 1`).Scan(&id)
	return id, err
}

func (a *app) count(ctx context.Context, status string) (n int, err error) {
	err = a.db.QueryRow(ctx, `SELECT count(*)::int FROM exams_copy WHERE status = $1`, status).Scan(&n)
	return n, err
}

// scan uploads one file over HTTP; its copy gets a number of the session's kind.
func (w *World) scan(ctx context.Context, rng *rand.Rand) error {
	name := filepath.Join("copies/source", fmt.Sprintf("scan_%04d.pdf", rng.IntN(10000)))
	if err := w.app.saveMedia(name, tinyPDF); err != nil {
		return err
	}
	exam := w.cast.exams[rng.IntN(len(w.cast.exams))]
	path, started := "/api/exams/"+exam.id+"/copies/import/", time.Now()
	_, err := w.app.importFile(ctx, exam.id, name, w.cast.operator)
	if ctx.Err() == nil {
		w.app.served(http.MethodPost, path, w.cast.operator, time.Since(started), err)
	}
	return err
}

// crowd keeps alive the locks of a scaled-up session, for which there are not
// enough teachers: one statement for all browsers.
func (w *World) crowd(ctx context.Context) {
	if len(w.inHand) <= len(w.cast.users) || !w.app.locking {
		return
	}
	var copies []string
	for _, c := range w.inHand[len(w.cast.users):] {
		copies = append(copies, c.id)
	}
	for nap(ctx, w.app.after(heartbeat)) == nil {
		_, _ = w.pool.Exec(ctx, `UPDATE grading_copylock SET expires_at = now() + $2 WHERE copy_id = ANY($1::uuid[])`, copies, lockTTL)
	}
}
