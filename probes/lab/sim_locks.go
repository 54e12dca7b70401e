package lab

import (
	"context"
	"errors"
	"net/http"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// lockRow is a row of grading_copylock as the services read it.
type lockState struct {
	owner   int64
	token   string
	expired bool
}

// lockOf reads the lock row of a copy and holds it; nil when there is none.
func (a *app) lockOf(ctx context.Context, tx pgx.Tx, copyID string) (*lockState, error) {
	if !a.locking {
		return nil, nil
	}
	var l lockState
	err := tx.QueryRow(ctx, a.byDialect(
		`SELECT owner_id, token::text, expires_at < now() FROM grading_copylock WHERE copy_id = $1 FOR UPDATE`,
		`SELECT locked_by_id, token, expires_at < now() FROM grading_copylock WHERE copy_id = $1 FOR UPDATE`),
		copyID).Scan(&l.owner, &l.token, &l.expired)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	return &l, err
}

func (a *app) dropLock(ctx context.Context, tx pgx.Tx, copyID string) error {
	_, err := tx.Exec(ctx, `DELETE FROM grading_copylock WHERE copy_id = $1`, copyID)
	return err
}

// acquire takes a copy of any status for a teacher: an expired row is deleted,
// one's own is renewed, another's refuses.
func (a *app) acquire(ctx context.Context, copyID string, user int64) (token string, err error) {
	err = a.atomic(ctx, func(tx pgx.Tx) error {
		if err := holdCopy(ctx, tx, copyID); err != nil {
			return err
		}
		lock, err := a.lockOf(ctx, tx, copyID)
		if err != nil {
			return err
		}
		if lock != nil && !lock.expired && lock.owner != user {
			return conflict("already_locked", "Copy is locked by another user.")
		}
		if lock != nil && !lock.expired {
			token = lock.token
			return a.renew(ctx, tx, copyID)
		}
		token = uuid.NewString()
		return a.createLock(ctx, tx, copyID, user, token)
	})
	return token, err
}

func holdCopy(ctx context.Context, tx pgx.Tx, copyID string) error {
	var status string
	return tx.QueryRow(ctx, `SELECT status FROM exams_copy WHERE id = $1 FOR UPDATE`, copyID).Scan(&status)
}

func (a *app) createLock(ctx context.Context, tx pgx.Tx, copyID string, user int64, token string) error {
	if err := a.dropLock(ctx, tx, copyID); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, a.byDialect(
		`INSERT INTO grading_copylock (copy_id, owner_id, token, locked_at, expires_at) VALUES ($1, $2, $3, now(), now() + $4)`,
		`INSERT INTO grading_copylock (copy_id, locked_by_id, token, created_at, expires_at) VALUES ($1, $2, $3, now(), now() + $4)`),
		copyID, user, token, lockTTL)
	if err != nil {
		return err
	}
	if err := a.markLocked(ctx, tx, copyID, user); err != nil {
		return err
	}
	return a.event(ctx, tx, copyID, "LOCK", user, object{{"token_prefix", token[:8]}})
}

func (a *app) markLocked(ctx context.Context, tx pgx.Tx, copyID string, user int64) error {
	if a.dialect == Playbook {
		_, err := tx.Exec(ctx, `UPDATE exams_copy SET status = 'LOCKED', updated_at = now() WHERE id = $1`, copyID)
		return err
	}
	_, err := tx.Exec(ctx, `UPDATE exams_copy SET status = 'LOCKED', locked_at = now(), locked_by_id = $2 WHERE id = $1`, copyID, user)
	return err
}

func (a *app) renew(ctx context.Context, tx pgx.Tx, copyID string) error {
	_, err := tx.Exec(ctx, `UPDATE grading_copylock SET expires_at = now() + $2 WHERE copy_id = $1`, copyID, lockTTL)
	return err
}

// checkLock is what every request of an editing teacher must pass. A row that
// expired is deleted and the delete is rolled back with the rest.
func checkLock(lock *lockState, user int64, token string) error {
	switch {
	case lock == nil:
		return &appError{exc: "LockConflictError", detail: "Lock not found.", status: http.StatusNotFound, conflict: "missing"}
	case lock.expired:
		return &appError{exc: "LockConflictError", detail: "Lock expired.", status: http.StatusNotFound, conflict: "expired"}
	case lock.owner != user:
		return conflict("owner_mismatch", "Copy is locked by another user.")
	case token == "":
		return forbidden("Missing lock token.")
	case token != lock.token:
		return forbidden("Invalid lock token.")
	}
	return nil
}

// underLock runs do with the copy held, after the lock was checked.
func (a *app) underLock(ctx context.Context, copyID string, user int64, token string, do func(pgx.Tx) error) error {
	return a.atomic(ctx, func(tx pgx.Tx) error {
		if err := holdCopy(ctx, tx, copyID); err != nil {
			return err
		}
		if a.locking {
			lock, err := a.lockOf(ctx, tx, copyID)
			if err != nil {
				return err
			}
			if err := checkLock(lock, user, token); err != nil {
				return err
			}
		}
		return do(tx)
	})
}

// beat renews a lock; the browser sends it every 30 s.
func (a *app) beat(ctx context.Context, copyID string, user int64, token string) error {
	return a.underLock(ctx, copyID, user, token, func(tx pgx.Tx) error { return a.renew(ctx, tx, copyID) })
}

// release gives a copy back; without a row it does nothing. Expiry is not
// looked at.
func (a *app) release(ctx context.Context, copyID string, user int64, token string) error {
	return a.atomic(ctx, func(tx pgx.Tx) error {
		if err := holdCopy(ctx, tx, copyID); err != nil {
			return err
		}
		lock, err := a.lockOf(ctx, tx, copyID)
		if err != nil || lock == nil {
			return err
		}
		lock.expired = false
		if err := checkLock(lock, user, token); err != nil {
			return err
		}
		if err := a.dropLock(ctx, tx, copyID); err != nil {
			return err
		}
		if err := a.event(ctx, tx, copyID, "UNLOCK", user, object{}); err != nil {
			return err
		}
		return a.reconcile(ctx, tx, copyID)
	})
}

// reconcile makes a LOCKED copy without a row READY again.
func (a *app) reconcile(ctx context.Context, tx pgx.Tx, copyID string) error {
	_, err := tx.Exec(ctx, a.byDialect(
		`UPDATE exams_copy SET status = 'READY', locked_at = NULL, locked_by_id = NULL WHERE id = $1 AND status = 'LOCKED'`,
		`UPDATE exams_copy SET status = 'READY', updated_at = now() WHERE id = $1 AND status = 'LOCKED'`), copyID)
	return err
}
