package lab

import (
	"context"
	"time"
)

// auditFaults are the playbook's scenario 5.
func auditFaults() []Fault {
	fault := func(name, says string, inject func(context.Context, *injection) error) Fault {
		return Fault{Name: name, Says: says, Scenario: ScenarioAudit, inject: inject}
	}
	race := fault("lock-race", "Two teachers locked one copy within seconds, and neither let go of it.", lockRace)
	race.locks = true
	return []Fault{
		fault("missing-events", "Graded copies lack steps in their timeline.", missingEvents),
		fault("rollback-events", "A transaction was aborted: its event went with it.", rollbackEvents),
		fault("exception-before-event", "Adding an annotation fails before its event is written.", exceptionBeforeEvent),
		fault("constraint-violation", "An event without an actor was refused by the database.", constraintViolation),
		fault("event-duplicate-key", "An event was refused because its UUID was there already.", eventDuplicateKey),
		race,
		fault("audit-by-hand", "Somebody added events by hand: they are dated now and one is a duplicate.", auditByHand),
	}
}

// gradedWithout is a graded copy whose history lacks some actions.
func gradedWithout(age time.Duration, holder int, actions ...string) spec {
	return spec{status: "GRADED", age: age, pages: 4, holder: holder, annotations: 4, skip: actions}
}

func missingEvents(ctx context.Context, in *injection) error {
	gaps := [][]string{{"VALIDATE", "LOCK"}, {"LOCK"}, {"FINALIZE"}}
	_, err := in.copies(ctx, in.scaled(3), func(i int) spec {
		return gradedWithout(time.Duration(2+6*(i%9))*time.Minute, i, gaps[i%3]...)
	})
	return err
}

func rollbackEvents(ctx context.Context, in *injection) error {
	made, err := in.copies(ctx, 1, func(int) spec { return gradedWithout(17*time.Minute, 2, "LOCK") })
	if err != nil {
		return err
	}
	q := in.request(made[0], "POST", "lock/")
	refused := requestRefused(500, "POST", q.path)
	refused.exc = traceback("services.py", 289, "acquire_lock",
		"django.db.utils.OperationalError: current transaction is aborted, commands ignored until end of transaction block")
	failed := serviceError("transaction failed: current transaction is aborted, commands ignored until end of transaction block", q)
	failed.level = "ERROR"
	in.log(28*time.Minute, failed, refused)
	return nil
}

func exceptionBeforeEvent(ctx context.Context, in *injection) error {
	made, err := in.copies(ctx, 1, func(int) spec { return gradedWithout(31*time.Minute, 3, "CREATE_ANN") })
	if err != nil {
		return err
	}
	for i := range 3 {
		q := in.request(made[0], "POST", "annotations/")
		refused := requestRefused(500, "POST", q.path)
		refused.exc = traceback("services.py", 116, "add_annotation", "AttributeError: COMMENTAIRE")
		in.log(time.Duration(35-i)*time.Minute, refused)
		in.w.metrics.httpRequest("POST", pathLabel(q.path), 500, 0.03)
	}
	return nil
}

func constraintViolation(ctx context.Context, in *injection) error {
	made, err := in.copies(ctx, 1, func(int) spec { return gradedWithout(12*time.Minute, 4, "VALIDATE") })
	if err != nil {
		return err
	}
	q := in.request(made[0], "POST", "ready/")
	refused := requestRefused(500, "POST", q.path)
	refused.exc = traceback("services.py", 477, "validate_copy", "django.db.utils.IntegrityError: null value in column \"actor_id\" "+
		"of relation \"grading_gradingevent\" violates not-null constraint")
	in.log(26*time.Minute, refused)
	return nil
}

// eventDuplicateKey is a change of an annotation that went back with its event.
func eventDuplicateKey(ctx context.Context, in *injection) error {
	made, err := in.copies(ctx, 1, func(int) spec { return gradedWithout(15*time.Minute, 1) })
	if err != nil {
		return err
	}
	q := in.request(made[0], "PATCH", "annotations/"+in.uuid()+"/")
	refused := requestRefused(500, "PATCH", q.path)
	refused.exc = traceback("services.py", 166, "update_annotation", "django.db.utils.IntegrityError: duplicate key value "+
		"violates unique constraint \"grading_gradingevent_pkey\" DETAIL:  Key (id)=("+in.uuid()+") already exists.")
	in.log(18*time.Minute, refused)
	return nil
}

// lockRace is what the unique constraint of the locks forbids: it shows in the
// events alone.
func lockRace(ctx context.Context, in *injection) error {
	made, err := in.copies(ctx, 1, func(int) spec { return spec{status: "READY", age: 40 * time.Minute, pages: 4} })
	if err != nil {
		return err
	}
	for i, user := range in.w.cast.users[:2] {
		_, err := in.w.pool.Exec(ctx, `INSERT INTO grading_gradingevent (id, copy_id, action, actor_id, timestamp, metadata)
			VALUES ($1, $2, 'LOCK', $3, now() - interval '21 minutes' + $4 * interval '2.7 seconds', jsonb_build_object('token_prefix', $5::text))`,
			in.uuid(), made[0].id, user, i, in.uuid()[:8])
		if err != nil {
			return err
		}
	}
	return nil
}

// auditByHand follows the playbook's "manually create missing event": the time
// that was given is ignored, and a second FINALIZE of the same actor makes
// every later finalization fail.
func auditByHand(ctx context.Context, in *injection) error {
	_, err := in.copies(ctx, 1, func(int) spec {
		s := gradedWithout(44*time.Minute, 5, "IMPORT")
		s.more = []seedEvent{
			{"IMPORT", time.Minute, object{{"filename", "reconstructed"}, {"pages", 10}}},
			{"FINALIZE", 50 * time.Second, object{{"final_score", 10}}},
		}
		return s
	})
	return err
}
