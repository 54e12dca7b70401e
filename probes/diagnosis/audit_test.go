package diagnosis_test

import (
	"slices"
	"testing"
	"time"

	"gradecockpit/probes"
	"gradecockpit/probes/audit"
	"gradecockpit/probes/diagnosis"
	"gradecockpit/probes/grading"
	"gradecockpit/probes/lab"
	"gradecockpit/probes/lab/labtest"
	"gradecockpit/probes/logs"
	"gradecockpit/probes/postgres"
)

// auditWorld is a simulated system with what looks at its audit trail.
type auditWorld struct {
	*lab.World
	t       *testing.T
	logDir  string
	grading *grading.Probe
	audit   *audit.Probe
}

func startAuditWorld(t *testing.T, o lab.Options) *auditWorld {
	t.Helper()
	o.NoWorker, o.Seed = true, 7
	w, err := lab.Start(labtest.Context(t), o)
	if err != nil {
		labtest.Missing(t, "a world cannot be started: "+err.Error())
	}
	r := postgres.NewReader(postgres.Config{ConnString: w.Env()["DATABASE_URL"]})
	t.Cleanup(func() {
		_ = r.Close(labtest.Context(t))
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	g := grading.NewProbe(r, grading.Options{})
	return &auditWorld{World: w, t: t, logDir: w.Env()["GRADING_LOG_DIR"], grading: g, audit: audit.New(r, g)}
}

// look samples what the rules about audit need.
func (w *auditWorld) look() diagnosis.Input {
	w.t.Helper()
	l := logs.New(logs.Config{Dir: w.logDir})
	now := time.Now()
	var snaps []probes.Snapshot
	for _, p := range []probes.Probe{w.grading, w.audit, l} {
		payload, err := p.Sample(labtest.Context(w.t))
		if err != nil {
			w.t.Fatal(err)
		}
		snaps = append(snaps, probes.Snapshot{ID: p.ID(), Source: p.Source(), Seq: 1, At: now, Good: now, Payload: payload})
	}
	return diagnosis.Input{Set: probes.NewSet(snaps...), Now: now}
}

// ofAudit are the findings of scenario 5 and of lock-race, consequences left out.
func ofAudit(r diagnosis.Report) (ids []string) {
	for _, f := range r.Findings {
		if f.Scenario == diagnosis.MissingAuditEvents || f.Rule == "lock-race" {
			ids = append(ids, f.Rule)
		}
	}
	return ids
}

// TestAuditFaults injects each fault of the audit trail alone: its rule finds
// it, with the copy and what it rests on, and nothing is left when it is healed.
func TestAuditFaults(t *testing.T) {
	for name, o := range map[string]lab.Options{"deployed": {}, "playbook": {Dialect: lab.Playbook}, "no locks": {NoLocks: true}} {
		t.Run(name, func(t *testing.T) {
			o.Quiet = true
			w := startAuditWorld(t, o)
			if got := ofAudit(diagnosis.Judge(w.look())); got != nil {
				t.Fatalf("a healthy system shows %q", got)
			}
			for _, f := range lab.Faults() {
				if f.Scenario != lab.ScenarioAudit || lab.CheckFault(f.Name, o) != nil {
					continue
				}
				t.Run(f.Name, func(t *testing.T) { w.alone(t, f.Name) })
			}
		})
	}
}

// alone leaves out what stands in the log of faults that were healed before: a
// record stays, whatever becomes of its copy.
func (w *auditWorld) alone(t *testing.T, fault string) {
	ctx := labtest.Context(t)
	before := ofAudit(diagnosis.Judge(w.look()))
	if err := w.Inject(ctx, fault); err != nil {
		t.Fatal(err)
	}
	report := diagnosis.Judge(w.look())
	if got := without(ofAudit(report), before); !slices.Equal(got, []string{fault}) {
		t.Errorf("found %q", got)
	}
	f, ok := report.Find(fault)
	if !ok || f.Says == "" || f.Mind == "" || len(f.Evidence) == 0 || f.CopyCount == 0 || len(f.Copies) == 0 || f.Copies[0].ID == "" {
		t.Fatalf("%+v", f)
	}
	if err := w.Heal(ctx, fault); err != nil {
		t.Fatal(err)
	}
	left := without(ofAudit(diagnosis.Judge(w.look())), before)
	if f.Evidence[0].From == logs.ID {
		left = without(left, []string{fault})
	}
	if len(left) > 0 {
		t.Errorf("healed, and there is %q", left)
	}
}

func without(ids, others []string) []string {
	return slices.DeleteFunc(ids, func(id string) bool { return slices.Contains(others, id) })
}

// TestBusyIsNoFault: teachers at work, transactions in flight and exam uploads
// make no event missing.
func TestBusyIsNoFault(t *testing.T) {
	w := startAuditWorld(t, lab.Options{Speed: 40, Scale: 3})
	first := w.look()
	o, _, _ := probes.Of[audit.Overview](first.Set, audit.ID)
	for {
		in := w.look()
		now, _, _ := probes.Of[audit.Overview](in.Set, audit.ID)
		if got := ofAudit(diagnosis.Judge(in)); got != nil {
			f, _ := diagnosis.Judge(in).Find(got[0])
			t.Fatalf("found %q: %+v", got, f)
		}
		if now.Events > o.Events+60 {
			return // that many events were written meanwhile
		}
	}
}
