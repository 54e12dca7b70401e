package lab

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"
)

// injection is a fault at work: what it draws from, and how each of its
// effects is taken back.
type injection struct {
	w    *World
	rng  *rand.Rand
	undo []func(context.Context) error

	// What an action against the fault is aimed at, for World.Targets.
	made    []seeded  // the copies of its own
	blamed  []message // the messages that are the trouble
	holding []uint32  // the backends that others wait for, as pids

	stop    context.CancelFunc // of its loops
	loopCtx context.Context
	loops   sync.WaitGroup
}

// heal undoes in reverse order, however much fails.
func (in *injection) heal(ctx context.Context) error {
	in.stop()
	in.loops.Wait()
	var errs []error
	for _, undo := range slices.Backward(in.undo) {
		errs = append(errs, undo(ctx))
	}
	return errors.Join(errs...)
}

func (in *injection) undoing(undo func(context.Context) error) { in.undo = append(in.undo, undo) }

// loop runs step again and again until the fault is healed.
func (in *injection) loop(every time.Duration, step func(context.Context)) {
	in.loops.Go(func() {
		for nap(in.loopCtx, in.w.app.after(every)) == nil {
			step(in.loopCtx)
		}
	})
}

// scaled multiplies a number by the world's scale.
func (in *injection) scaled(n int) int { return n * in.w.opts.Scale }

// copies makes n copies of its own for the fault, gone when it is healed.
func (in *injection) copies(ctx context.Context, n int, look func(i int) spec) ([]seeded, error) {
	b, err := in.w.newBatch(ctx, "")
	if err != nil {
		return nil, err
	}
	b.rng = in.rng
	for i := range n {
		b.add(look(i))
	}
	if err := b.flush(ctx, in.w.pool); err != nil {
		return nil, err
	}
	for _, c := range b.made {
		in.w.claims.take(c.id) // teachers would mend what is READY
	}
	in.made = append(in.made, b.made...)
	in.undoing(func(ctx context.Context) error { return in.w.withdraw(ctx, b.made) })
	return b.made, nil
}

// withdraw deletes copies and all that hangs on them.
func (w *World) withdraw(ctx context.Context, copies []seeded) error {
	ids := make([]string, len(copies))
	for i, c := range copies {
		ids[i] = c.id
	}
	w.app.trouble.mendPDF(ids)
	tables := []string{"grading_annotation", "grading_draftstate", "grading_score", "grading_gradingevent"}
	if w.app.table {
		tables = append(tables, "grading_copylock")
	}
	return w.app.atomic(ctx, func(tx pgx.Tx) error {
		for _, table := range tables {
			if _, err := tx.Exec(ctx, `DELETE FROM `+table+` WHERE copy_id = ANY($1::uuid[])`, ids); err != nil {
				return err
			}
		}
		if _, err := tx.Exec(ctx, `WITH l AS (DELETE FROM exams_copy_booklets WHERE copy_id = ANY($1::uuid[]) RETURNING booklet_id)
			DELETE FROM exams_booklet WHERE id IN (SELECT booklet_id FROM l)`, ids); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `DELETE FROM exams_copy WHERE id = ANY($1::uuid[])`, ids)
		return err
	})
}

func (in *injection) uuid() string { return (&batch{rng: in.rng}).uuid() }

// log writes a record some time ago.
func (in *injection) log(ago time.Duration, records ...logRecord) {
	at := in.w.logs.now().Add(-ago)
	for _, r := range records {
		in.w.logs.writeAt(at, r)
	}
}

// request is one that a teacher sent about a copy.
func (in *injection) request(c seeded, method, tail string) *request {
	return &request{id: in.uuid(), path: "/api/grading/copies/" + c.id + "/" + tail, method: method, user: c.holder}
}

// push sends messages as a producer does. Healing removes them wherever they
// are by then, waiting or held.
func (in *injection) push(ctx context.Context, messages ...message) error {
	for _, m := range messages {
		if err := in.pushRaw(ctx, m.queue, m.tag, m.bytes()); err != nil {
			return err
		}
		in.undoing(func(ctx context.Context) error { return in.w.rdb.Del(ctx, "celery-task-meta-"+m.id).Err() })
	}
	return nil
}

func (in *injection) pushRaw(ctx context.Context, queue, tag string, raw []byte) error {
	rdb := in.w.rdb
	if err := rdb.SAdd(ctx, "_kombu.binding."+queue, queue+sep+sep+queue).Err(); err != nil {
		return err
	}
	in.undoing(func(ctx context.Context) error {
		return errors.Join(rdb.LRem(ctx, queue, 1, raw).Err(), in.unhold(ctx, tag))
	})
	return rdb.LPush(ctx, queue, raw).Err()
}

// hold puts a message where a worker keeps what it took and did not acknowledge.
func (in *injection) hold(ctx context.Context, m message, since time.Duration) error {
	in.blamed = append(in.blamed, m)
	held := pyJSON([]any{json.RawMessage(m.bytes()), "", m.queue})
	in.undoing(func(ctx context.Context) error { return in.unhold(ctx, m.tag) })
	_, err := in.w.rdb.TxPipelined(ctx, func(pipe redis.Pipeliner) error {
		pipe.ZAdd(ctx, "unacked_index", redis.Z{Score: unixSeconds(time.Now().Add(-since)), Member: m.tag})
		pipe.HSet(ctx, "unacked", m.tag, held)
		return nil
	})
	return err
}

func (in *injection) unhold(ctx context.Context, tag string) error {
	_, err := in.w.rdb.TxPipelined(ctx, func(pipe redis.Pipeliner) error {
		pipe.ZRem(ctx, "unacked_index", tag)
		pipe.HDel(ctx, "unacked", tag)
		return nil
	})
	return err
}

// finalizeMessage asks for the finalization of a copy.
func (in *injection) finalizeMessage(queue, copyID string, user int64) message {
	return message{
		id: in.uuid(), tag: in.uuid(), queue: queue, task: "grading.tasks.async_finalize_copy",
		kwargs: object{{"copy_id", copyID}, {"user_id", user}, {"lock_token", nil}},
	}
}

// importMessage asks for an import: of a file into an exam, or in the
// playbook's dialect of the pages of a copy.
func (in *injection) importMessage(queue string, c seeded, file string) message {
	kwargs := object{{"exam_id", c.exam}, {"pdf_path", file}, {"user_id", in.w.cast.operator}, {"anonymous_id", c.anon}}
	if in.w.opts.Dialect == Playbook {
		kwargs = object{{"copy_id", c.id}, {"user_id", in.w.cast.operator}}
	}
	return message{id: in.uuid(), tag: in.uuid(), queue: queue, task: "grading.tasks.async_import_pdf", kwargs: kwargs}
}

// session opens a connection of the application's role that stays until the
// fault is healed, whatever the pool does.
func (in *injection) session(ctx context.Context) (*pgx.Conn, error) { return in.named(ctx, "") }

// named is session under an application_name.
func (in *injection) named(ctx context.Context, app string) (*pgx.Conn, error) {
	conn, err := in.dial(ctx, app)
	if err != nil {
		return nil, err
	}
	in.loops.Go(func() {
		<-in.loopCtx.Done()
		closing, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = conn.Close(closing)
	})
	return conn, nil
}
