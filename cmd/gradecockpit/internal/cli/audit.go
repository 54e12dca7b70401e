package cli

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"gradecockpit/cmd/gradecockpit/internal/config"
	"gradecockpit/cmd/gradecockpit/internal/wire"
	"gradecockpit/probes"
	"gradecockpit/probes/audit"
	"gradecockpit/probes/grading"
	"gradecockpit/probes/logs"
	"gradecockpit/tui/pages/events"
	"gradecockpit/tui/pane"
)

// auditFor bounds a look at all copies: 100,000 of them with a million events
// take 20 s (package probes/audit).
const auditFor = 2 * time.Minute

func newAudit(o *options) *cobra.Command {
	return o.printing(&cobra.Command{
		Use:   "audit",
		Short: "Look through all copies for missing audit events, and say what is wrong with those that are there",
		Long: "Look through all copies for events that the application must have written and that are not there, by rules\n" +
			"that raise no false alarm; for copies without any, duplicates, double locks and events added by hand.\n" +
			"Nothing is written; `add-event COPY` adds one that is missing.\n\n" +
			"Exit code: 0 nothing is missing, 2 something is, or nobody can tell.",
		Args: cobra.NoArgs,
	}, o.lookThrough)
}

func (o *options) lookThrough(ctx context.Context, cfg *config.Config, _ []string, format string) error {
	c, err := wire.New(cfg, nil)
	if err != nil {
		return err
	}
	defer letGo(c)
	l := look{c, lookOnce(ctx, c), time.Now()}
	found, err := l.audit(ctx)
	if err != nil {
		return bad(err)
	}
	return o.printAudit(l, found, format)
}

// audit looks at every copy and puts that among what the probes saw.
func (l *look) audit(ctx context.Context) (audit.Overview, error) {
	ctx, cancel := context.WithTimeout(ctx, auditFor)
	defer cancel()
	found, err := l.Audit(ctx)
	if err == nil {
		l.set = l.set.With(probes.Snapshot{ID: audit.ID, Source: probes.Postgres, Seq: 1, At: l.now, Good: l.now, Payload: found})
	}
	return found, err
}

func (o *options) printAudit(l look, found audit.Overview, format string) error {
	var err error
	if format == "json" {
		err = printJSON(o.streams.Out, reported(found, l.set))
	} else {
		err = l.table(events.New().Rows(pane.Ref{}), o.plainTheme(l.Config)).Plain(o.streams.Out)
	}
	missing, bare := found.Lacking()
	if missing+bare > 0 || !found.Here() {
		return errors.Join(err, &exit{exitBad, nil}) // it has been said
	}
	return err
}

// auditReport is the JSON of the command.
type auditReport struct {
	Missing  string         `json:"cannot_judge,omitempty"`
	Fix      string         `json:"fix,omitempty"`
	Copies   int            `json:"copies"`
	Events   int            `json:"events"`
	Whole    bool           `json:"whole"`
	Locks    string         `json:"locks_in_use"`
	Blind    []string       `json:"not_judged"`
	AuditLog []string       `json:"audit_log"`
	Counts   []auditCount   `json:"counts"`
	Problems []auditProblem `json:"problems"`
}

type auditCount struct {
	Action   string     `json:"action"`
	Recorded int        `json:"recorded"`
	Due      *int       `json:"at_least_due"` // null: nobody knows
	Last     *time.Time `json:"newest"`
}

type auditProblem struct {
	Name     string      `json:"problem"`
	Kind     audit.Kind  `json:"kind"`
	Action   string      `json:"action"`
	Copies   int         `json:"copies"`
	Events   int         `json:"events"`
	Sure     audit.Sure  `json:"sure"`
	Says     string      `json:"says"`
	Earliest *time.Time  `json:"earliest"`
	Examples []auditCopy `json:"examples"`
}

type auditCopy struct {
	ID     string     `json:"id"`
	Anon   string     `json:"anonymous_id"`
	Status string     `json:"status"`
	Since  *time.Time `json:"since"`
	Says   string     `json:"says"`
	Users  []string   `json:"users,omitempty"`
}

func reported(o audit.Overview, set probes.Set) auditReport {
	r := auditReport{Missing: o.Missing, Fix: o.Fix, Copies: o.Looked, Events: o.Events, Whole: o.Whole,
		Locks: map[grading.Tri]string{grading.TriYes: "yes", grading.TriNo: "no", grading.TriUnknown: "unknown"}[o.LocksInUse],
		Blind: o.Blind, Counts: []auditCount{}, Problems: []auditProblem{}}
	if l, _, ok := probes.Of[logs.Overview](set, logs.ID); ok {
		r.AuditLog = audit.Agree(o, l.Recent).Says()
	}
	for _, c := range o.Counts {
		count := auditCount{Action: c.Action, Recorded: c.Recorded, Last: timeOrNull(c.Last)}
		if c.Expected >= 0 {
			count.Due = new(c.Expected)
		}
		r.Counts = append(r.Counts, count)
	}
	for _, p := range o.Problems {
		out := auditProblem{p.Name, p.Kind, p.Action, p.Copies, p.Events, p.Sure, p.Why, timeOrNull(p.Earliest), nil}
		for _, row := range o.Rows {
			if row.Name == p.Name {
				out.Examples = append(out.Examples, auditCopy{row.Copy.ID, row.Copy.Anon, row.Status, timeOrNull(row.Since), row.Says(), row.Users})
			}
		}
		r.Problems = append(r.Problems, out)
	}
	return r
}

func timeOrNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
