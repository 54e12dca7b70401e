package places

import (
	"slices"
	"testing"
	"time"

	"gradecockpit/actions/playbook"
	"gradecockpit/probes"
	"gradecockpit/probes/audit"
	"gradecockpit/probes/celery"
	"gradecockpit/probes/diagnosis"
	"gradecockpit/probes/grading"
	"gradecockpit/probes/logs"
)

// troubled is a moment in which each cause is there whose offers byCauses names.
func troubled(now time.Time) probes.Set {
	ref := func(id string) grading.CopyRef { return grading.CopyRef{ID: id, Anon: id} }
	tables := grading.Overview{ServerTime: now, LocksInUse: grading.TriYes}
	tables.Stuck.Value.Rows = []grading.Stuck{{Copy: ref("a"), Status: "LOCKED", Cause: grading.CauseNoLock, Pages: 4}}
	for _, id := range []string{"b", "c", "d"} {
		tables.Locks.Value.Rows = append(tables.Locks.Value.Rows, grading.Lock{LockID: id, Copy: ref(id), Abandoned: true, Expires: now.Add(time.Minute)})
	}
	queues := celery.Overview{WorkersAt: now, Receivers: 1, Waiting: 100, Queues: []celery.Queue{{Name: "celery", Depth: 100, Consumed: celery.Yes}},
		Workers: []celery.Worker{{Name: "w1", State: celery.Frozen}, {Name: "w2", State: celery.Busy, Queues: []string{"celery"}}}}
	record := logs.Line{At: now, Message: "PDF generation failed", CopyID: "a"}
	failed := logs.Trouble{Op: logs.OpFinalize, Cause: logs.CauseBroken, N: 1, First: now, Last: record, Copies: []logs.CopyTrouble{{CopyID: "a", N: 1, First: now, Last: record}}}
	gap := audit.Problem{Name: "LOCK before work", Kind: audit.Missing, Action: "LOCK", Copies: 1}
	trail := audit.Overview{Whole: true, Looked: 9, Problems: []audit.Problem{gap}, Rows: []audit.Row{{Problem: gap, Copy: ref("e"), Times: 1}}}

	var snaps []probes.Snapshot
	for id, payload := range map[probes.ID]any{grading.ID: tables, celery.ID: queues, celery.TasksID: celery.Tasks{}, logs.ID: logs.Overview{Troubles: []logs.Trouble{failed}}, audit.ID: trail} {
		snaps = append(snaps, probes.Snapshot{ID: id, Seq: 1, At: now, Good: now, Payload: payload})
	}
	return probes.NewSet(snaps...)
}

// TestCausesOfferIt: what the guide says that the causes offer, a cause of that
// walkthrough does offer, and the walkthrough does not offer it besides.
func TestCausesOfferIt(t *testing.T) {
	now := time.Unix(0, 0)
	report := diagnosis.Judge(diagnosis.Input{Set: troubled(now), Now: now})
	for section, action := range byCauses {
		books := playbook.Books()
		i := slices.IndexFunc(books, func(b *playbook.Playbook) bool {
			return slices.ContainsFunc(b.Advice, func(a playbook.Advice) bool { return a.Section == section })
		})
		if i < 0 {
			t.Errorf("no walkthrough has section %s", section)
			continue
		}
		offers := func(rule string) bool {
			f, ok := report.Find(rule)
			return ok && slices.ContainsFunc(f.Offers, func(o diagnosis.Offer) bool { return o.Action == action })
		}
		if !slices.ContainsFunc(books[i].Causes, offers) {
			t.Errorf("%s: no cause of %s offers %s", section, books[i].Name, action)
		}
		if slices.ContainsFunc(books[i].Actions, func(a playbook.Action) bool { return a.ID == action }) {
			t.Errorf("%s: %s offers %s of its own", section, books[i].Name, action)
		}
	}
}
