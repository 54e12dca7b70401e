package lab

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Fault is one root cause that can be made.
type Fault struct {
	Name     string // kebab-case: "expired-locks"
	Says     string // what is wrong, in one sentence
	Scenario string // whose symptoms it gives: one of the Scenario constants

	locks  bool // needs grading_copylock in use
	redis  bool // needs a redis-server: another one restarts without a trace
	inject func(context.Context, *injection) error
}

// The scenarios are the playbook's, and the queue that all of them pass by.
const (
	ScenarioImport   = "import stuck"
	ScenarioFinalize = "finalization failing"
	ScenarioLocks    = "lock conflicts"
	ScenarioLatency  = "high latency"
	ScenarioAudit    = "missing audit events"
	ScenarioQueue    = "queue"
)

// Faults is every fault there is, by scenario.
func Faults() []Fault {
	return slices.Concat(importFaults(), finalizeFaults(), lockFaults(), sessionFaults(), latencyFaults(), systemFaults(), queueFaults(), auditFaults())
}

// DefaultFaults fill every pane of the cockpit with something to do.
func DefaultFaults(opts Options) []string {
	var names []string
	for _, name := range []string{
		"expired-locks", "corrupted-pdf-import", "finalize-pymupdf-error", "queue-backlog", "slow-endpoint", "open-transaction", "missing-events",
	} {
		if CheckFault(name, opts) == nil {
			names = append(names, name)
		}
	}
	return names
}

// CheckFault tells whether a fault can be made in such a world.
func CheckFault(name string, opts Options) error {
	f, err := findFault(name)
	if err != nil {
		return err
	}
	if f.locks && (opts.NoLocks || opts.LocksRemoved) {
		return fmt.Errorf("fault %s needs a grading system that uses locks", name)
	}
	if f.redis {
		if _, err := Program("redis-server"); err != nil {
			return fmt.Errorf("fault %s needs redis-server on this machine: %w", name, err)
		}
	}
	return nil
}

func findFault(name string) (Fault, error) {
	all := Faults()
	i := slices.IndexFunc(all, func(f Fault) bool { return f.Name == name })
	if i < 0 {
		return Fault{}, fmt.Errorf("no fault is called %q; there are %s", name, faultNames(all))
	}
	return all[i], nil
}

func faultNames(all []Fault) string {
	names := make([]string, len(all))
	for i, f := range all {
		names[i] = f.Name
	}
	return strings.Join(names, ", ")
}

// Inject makes a fault. One that is made already is an error.
func (w *World) Inject(ctx context.Context, name string) error {
	f, err := findFault(name)
	if err != nil {
		return err
	}
	if err := CheckFault(name, w.opts); err != nil {
		return err
	}
	w.faultLock.Lock()
	defer w.faultLock.Unlock()
	if w.active[name] != nil {
		return fmt.Errorf("fault %s is there already", name)
	}
	in := &injection{w: w, rng: w.stream("fault " + name)}
	in.loopCtx, in.stop = context.WithCancel(w.ctx)
	if err := f.inject(ctx, in); err != nil {
		return errors.Join(fmt.Errorf("inject %s: %w", name, err), in.heal(ctx))
	}
	w.active[name] = in
	return nil
}

// Heal takes away what Inject put there; rows that were made for the fault go.
func (w *World) Heal(ctx context.Context, name string) error {
	w.faultLock.Lock()
	defer w.faultLock.Unlock()
	in := w.active[name]
	if in == nil {
		return fmt.Errorf("fault %s is not there", name)
	}
	delete(w.active, name)
	if err := in.heal(ctx); err != nil {
		return fmt.Errorf("heal %s: %w", name, err)
	}
	return nil
}

// closeFaults ends what runs for faults; the servers go with their rows.
func (w *World) closeFaults() {
	w.faultLock.Lock()
	defer w.faultLock.Unlock()
	for _, in := range w.active {
		in.stop()
		in.loops.Wait()
	}
}
