package audit

import (
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"gradecockpit/probes/clean"
	"gradecockpit/probes/grading"
)

// answer is what one statement found in its copies.
type answer struct {
	at             time.Time
	looked, events int
	ended          *string
	recorded       []int64
	last           []pgtype.Timestamptz
	expected       []int64
	problems       []Problem
	rows           []Row
}

// maxName bounds names and ids, in characters.
const maxName = 150

// readAnswer takes the rows of the statements: one a problem and copy, each
// with the sums over all copies of the statement. Without a problem it is one
// row of sums.
func readAnswer(rows pgx.Rows) (answer, error) {
	var a answer
	var id, anon, status, name, users pgtype.Text
	var at, first, newest, earliest pgtype.Timestamptz
	var times, copies, lacking pgtype.Int8
	_, err := pgx.ForEachRow(rows, []any{&a.at, &a.looked, &a.ended, &a.events, &a.recorded, &a.last, &a.expected,
		&id, &anon, &status, &name, &at, &times, &first, &newest, &copies, &lacking, &earliest, &users}, func() error {
		if !name.Valid {
			return nil
		}
		r, _ := ruleOf(name.String)
		p := r.problem()
		p.Copies, p.Events, p.Earliest = int(copies.Int64), int(lacking.Int64), moment(earliest)
		if n := len(a.problems); n == 0 || a.problems[n-1].Name != p.Name {
			a.problems = append(a.problems, p)
		}
		row := Row{
			Problem: p, Copy: grading.CopyRef{ID: clean.Capped(id.String, maxName), Anon: clean.Capped(anon.String, maxName)},
			Status: clean.Capped(status.String, 40), Since: moment(at), Times: int(times.Int64),
		}
		if users.Valid {
			row.Users = strings.Split(clean.Capped(users.String, maxName), ", ")
		}
		a.rows = append(a.rows, row)
		return nil
	})
	return a, err
}

// moment gives the zero time for NULL and for infinity, which say nothing here.
func moment(t pgtype.Timestamptz) time.Time {
	if !t.Valid || t.InfinityModifier != pgtype.Finite {
		return time.Time{}
	}
	return t.Time.UTC()
}

// tally adds up a pass.
type tally struct {
	began, ended   time.Time
	looked, events int
	counts         []Count
	problems       map[string]Problem
	rows           map[string][]Row
}

func newTally() *tally {
	t := &tally{problems: map[string]Problem{}, rows: map[string][]Row{}}
	for _, action := range order() {
		t.counts = append(t.counts, Count{Action: action})
	}
	return t
}

// order is that of the arrays in the statements.
func order() []string {
	return []string{"IMPORT", "VALIDATE", "LOCK", "CREATE_ANN", "UPDATE_ANN", "DELETE_ANN", "UNLOCK", "FINALIZE", "EXPORT"}
}

// unforeseeable are the kinds that leave nothing by which they could be missed.
func unforeseeable(action string) bool {
	return slices.Contains([]string{"UPDATE_ANN", "DELETE_ANN", "UNLOCK", "EXPORT"}, action)
}

func (t *tally) add(a answer) {
	if t.began.IsZero() {
		t.began = a.at.UTC()
	}
	t.ended = a.at.UTC()
	t.looked += a.looked
	t.events += a.events
	for i := range t.counts {
		c := &t.counts[i]
		c.Recorded += int(a.recorded[i])
		c.Expected += int(a.expected[i])
		if last := moment(a.last[i]); last.After(c.Last) {
			c.Last = last
		}
	}
	for _, p := range a.problems {
		was, ok := t.problems[p.Name]
		if ok {
			p.Copies, p.Events = p.Copies+was.Copies, p.Events+was.Events
			if p.Earliest.IsZero() || !was.Earliest.IsZero() && was.Earliest.Before(p.Earliest) {
				p.Earliest = was.Earliest
			}
		}
		t.problems[p.Name] = p
	}
	for _, r := range a.rows {
		t.rows[r.Name] = append(t.rows[r.Name], r)
	}
	for name, rows := range t.rows {
		slices.SortStableFunc(rows, func(a, b Row) int { return b.Since.Compare(a.Since) })
		t.rows[name] = rows[:min(len(rows), MostRows)]
	}
}

// ids are the copies of the examples, at most n of them.
func (t *tally) ids(n int) (ids []string) {
	seen := map[string]bool{}
	for _, r := range rules() {
		for _, row := range t.rows[r.name] {
			if !seen[row.Copy.ID] && len(ids) < n {
				seen[row.Copy.ID] = true
				ids = append(ids, row.Copy.ID)
			}
		}
	}
	return ids
}

// mend takes the examples away that are no more true of the copies asked.
func (t *tally) mend(asked []string, a answer) {
	still := map[[2]string]bool{}
	for _, r := range a.rows {
		still[[2]string{r.Name, r.Copy.ID}] = true
	}
	for name, rows := range t.rows {
		p := t.problems[name]
		t.rows[name] = slices.DeleteFunc(rows, func(r Row) bool {
			if still[[2]string{name, r.Copy.ID}] || !slices.Contains(asked, r.Copy.ID) {
				return false
			}
			p.Copies, p.Events = max(p.Copies-1, 0), max(p.Events-r.Times, 0)
			return true
		})
		t.problems[name] = p
	}
	t.ended = a.at.UTC()
}

// overview orders what was found.
func (t *tally) overview() Overview {
	o := Overview{ServerTime: t.ended, Looked: t.looked, Events: t.events, Began: t.began, Ended: t.ended}
	for _, c := range t.counts {
		if unforeseeable(c.Action) {
			c.Expected = -1
		}
		o.Counts = append(o.Counts, c)
	}
	for _, k := range Kinds() {
		for _, r := range rules() {
			p := t.problems[r.name]
			if r.kind != k || p.Copies == 0 {
				continue
			}
			o.Problems = append(o.Problems, p)
			for _, row := range t.rows[r.name] {
				row.Problem = p
				o.Rows = append(o.Rows, row)
			}
		}
	}
	return o
}
