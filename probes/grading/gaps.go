package grading

import (
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"gradecockpit/probes/clean"
)

// history is what one copy has been through, by kind of event.
type history struct {
	copy      CopyRef
	status    string
	validated time.Time
	graded    time.Time
	steps     []step // by the time of the first event of each kind
}

type step struct {
	action      string
	first, last time.Time
}

// readHistories takes the rows of a history query: one a copy and kind of event.
func readHistories(rows pgx.Rows) ([]history, error) {
	var out []history
	var id string
	var anon, status, action pgtype.Text
	var validated, graded, first, last pgtype.Timestamptz
	_, err := pgx.ForEachRow(rows, []any{&id, &anon, &status, &validated, &graded, &action, &first, &last}, func() error {
		if r := ref(id, anon); len(out) == 0 || out[len(out)-1].copy.ID != r.ID {
			out = append(out, history{copy: r, status: clean.Text(status.String), validated: moment(validated), graded: moment(graded)})
		}
		h := &out[len(out)-1]
		h.steps = append(h.steps, step{clean.Text(action.String), moment(first), moment(last)})
		return nil
	})
	return out, err
}

// first gives the time of the first event of any of the kinds; zero for none.
func (h history) first(actions ...string) time.Time {
	var t time.Time
	for _, s := range h.steps {
		if slices.Contains(actions, s.action) && (t.IsZero() || s.first.Before(t)) {
			t = s.first
		}
	}
	return t
}

// last gives the time of the last event of any of the kinds; zero for none.
func (h history) last(actions ...string) time.Time {
	var t time.Time
	for _, s := range h.steps {
		if slices.Contains(actions, s.action) && s.last.After(t) {
			t = s.last
		}
	}
	return t
}

// gaps finds the places where events are missing, by the rules of the facts
// about the deployed system (end of section 3), which raise no false alarm:
//
//   - IMPORT is expected only of a copy called IMPORT-…: an exam upload writes none;
//   - VALIDATE only where validated_at is set;
//   - LOCK only where locks are in use, before annotations and FINALIZE. UNLOCK
//     never: a finalization and an expiry end a lock without one;
//   - FINALIZE of a GRADED copy. A failed one is enough: the application may
//     have reused its row.
func (h history) gaps(locks Tri) []Event {
	missing := map[time.Time][]string{} // by the event after the gap
	expect := func(at time.Time, action string) {
		if !at.IsZero() && h.first(action).IsZero() {
			missing[at] = append(missing[at], "no "+action)
		}
	}
	start, work := h.start(), h.first("CREATE_ANN", "UPDATE_ANN", "DELETE_ANN", "FINALIZE")
	if strings.HasPrefix(h.copy.Anon, "IMPORT-") {
		expect(start, "IMPORT")
	}
	if !h.validated.IsZero() {
		expect(h.after(h.validated), "VALIDATE")
	}
	if locks == TriYes {
		expect(work, "LOCK")
	}
	var out []Event
	for at, words := range missing {
		out = append(out, h.gap(at, h.stepAt(at), words))
	}
	if h.status == "GRADED" && h.first("FINALIZE").IsZero() {
		at := h.graded
		if at.IsZero() {
			at = h.end()
		}
		out = append(out, h.gap(at, "GRADED", []string{"no FINALIZE"}))
	}
	return out
}

// gap words one gap: "IMPORT → FINALIZE: no VALIDATE, no LOCK".
func (h history) gap(at time.Time, to string, words []string) Event {
	text := to + ": " + strings.Join(words, ", ")
	if from := h.before(at, to); from != "" {
		text = from + " → " + text
	}
	return Event{ID: "gap:" + h.copy.ID + ":" + to, At: at, Copy: h.copy, Gap: text}
}

func (h history) start() time.Time {
	if len(h.steps) == 0 {
		return time.Time{}
	}
	return h.steps[0].first
}

func (h history) end() time.Time {
	var t time.Time
	for _, s := range h.steps {
		if s.last.After(t) {
			t = s.last
		}
	}
	return t
}

// after gives the first event not before t, else the last one.
func (h history) after(t time.Time) time.Time {
	for _, s := range h.steps {
		if !s.first.Before(t) {
			return s.first
		}
	}
	return h.end()
}

// stepAt names the kind of event that has its first or last event at t.
func (h history) stepAt(t time.Time) string {
	for _, s := range h.steps {
		if s.first.Equal(t) || s.last.Equal(t) {
			return s.action
		}
	}
	return "…"
}

// before names the last kind of event that came up before t.
func (h history) before(t time.Time, not string) string {
	name := ""
	for _, s := range h.steps {
		if s.first.Before(t) && s.action != not {
			name = s.action
		}
	}
	return name
}

// insertGaps puts the gaps of the copies among their events. Gaps older than
// the oldest event shown belong to an older page.
func insertGaps(events []Event, copies []history, locks Tri, more bool) (all []Event, count int) {
	all = slices.Clone(events)
	for _, h := range copies {
		for _, g := range h.gaps(locks) {
			if !more || len(events) > 0 && !g.At.Before(events[len(events)-1].At) {
				all = append(all, g)
				count++
			}
		}
	}
	return newest(all, len(all)), count
}
