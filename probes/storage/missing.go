package storage

import (
	"cmp"
	"slices"
	"strings"
)

// Large is from how many rows on reading all of a table is worth a word: below,
// a sequential scan takes a few milliseconds and is the planner's right choice.
const Large = 10_000

// Missing is an index that is not there and that queries would want.
type Missing struct {
	Table   string // schema.table
	Columns []string
	Why     string // which queries, as a sentence
	// Matters: the table is large and is read from end to end. Else Says tells
	// why it does not.
	Matters bool
	Says    string
	// ByDesign: some generations of the application do without it.
	ByDesign bool
	// Create is the statement that makes it. It is advice; nothing here runs it.
	Create string
}

// wish is one line of the table of rules: what the application's or the
// cockpit's queries ask by. A column is given by its names in the dialects; an
// index that begins with the first column will do.
type wish struct {
	table   string
	columns [][]string
	why     string
	design  string // why it is left out on purpose in some generations
}

func wishes() []wish {
	one := func(names ...string) [][]string { return [][]string{names} }
	return []wish{
		{"exams_copy", one("status"), "The lists of copies by status and the cockpit's search for stuck copies ask by it.",
			"Some generations have no index on status by design."},
		{"exams_copy", one("anonymous_id"), "Copies are looked up by it.", ""},
		{"exams_copy", one("exam_id"), "The copies of an exam are listed by it.", ""},
		{"exams_booklet", one("exam_id"), "The booklets of an exam are listed by it.", ""},
		{"exams_copy_booklets", one("copy_id"), "The pages of a copy are found by it.", ""},
		{"grading_annotation", one("copy_id"), "The annotations of a copy and its score are read by it.", ""},
		{"grading_copylock", one("copy_id"), "Each request on a copy looks for its lock.", ""},
		{"grading_copylock", one("expires_at"), "Expired locks are found by it.", ""},
		{"grading_draftstate", one("copy_id"), "Each autosave looks for its draft.", ""},
		{"grading_gradingevent", [][]string{{"copy_id"}, {"timestamp"}}, "The timeline of a copy is read by it.", ""},
		{"grading_gradingevent", one("timestamp"), "The audit timeline of the cockpit reads the newest events.", "The application has no such index; the cockpit reads the end of the table instead."},
		{"grading_score", one("copy_id"), "The score of a copy is read by it.", ""},
		{"grading_questionscore", one("copy_id"), "The score of a copy is read by it.", ""},
		{"grading_questionremark", one("copy_id"), "The remarks on a copy are read by it.", ""},
		{"core_auditlog", [][]string{{"resource_type"}, {"resource_id"}}, "What was done to one thing is looked up by it.", ""},
		{"core_auditlog", one("timestamp"), "The newest entries are read by it.", ""},
	}
}

// gradingTables are the tables of the grading system in all its dialects.
func gradingTables() []string {
	names := []string{"exams_exam", "exams_exam_correctors", "auth_user", "students_student", "django_session"}
	for _, w := range wishes() {
		if !slices.Contains(names, w.table) {
			names = append(names, w.table)
		}
	}
	return names
}

// missing goes through the rules, then through the foreign keys.
func (l *look) missing() []Missing {
	var out []Missing
	add := func(t Table, columns []string, why, design string) {
		if slices.ContainsFunc(t.List, func(i Index) bool { return i.serves(columns[:1]) }) ||
			slices.ContainsFunc(out, func(m Missing) bool { return m.Table == t.Ref() && m.Columns[0] == columns[0] }) {
			return
		}
		m := Missing{Table: t.Ref(), Columns: columns, Why: why, Create: create(t, columns), ByDesign: design != ""}
		m.Matters, m.Says = t.suffers()
		if !m.Matters && design != "" {
			m.Says += " " + design
		}
		out = append(out, m)
	}
	for _, w := range wishes() {
		for _, t := range l.Tables {
			if columns := w.in(t); columns != nil {
				add(t, columns, w.why, w.design)
			}
		}
	}
	for _, k := range l.foreignKey {
		if t := l.table(k.table); t != nil && len(k.columns) > 0 {
			add(*t, cleaned(k.columns), "A foreign key: joins by it, and each DELETE in the table that it points at, read all of this one.", "")
		}
	}
	slices.SortStableFunc(out, func(a, b Missing) int { return cmp.Compare(rank(b), rank(a)) })
	return out
}

func rank(m Missing) int {
	if m.Matters {
		return 1
	}
	return 0
}

func cleaned(columns []string) []string {
	out := make([]string, len(columns))
	for i, c := range columns {
		out[i] = name(c)
	}
	return out
}

// in gives the columns by the names of this table; nil when it is another
// table, or lacks one of them.
func (w wish) in(t Table) []string {
	if t.Name != w.table {
		return nil
	}
	var out []string
	for _, names := range w.columns {
		i := slices.IndexFunc(names, func(n string) bool { return slices.Contains(t.Columns, n) })
		if i < 0 {
			return nil
		}
		out = append(out, names[i])
	}
	return out
}

// serves tells whether a query by these columns can use the index.
func (i Index) serves(columns []string) bool {
	return i.Valid && !i.Partial && len(i.Columns) >= len(columns) && slices.Equal(i.Columns[:len(columns)], columns)
}

// suffers judges whether reading all of the table is an accident: sequential
// scans of a small one are not, and neither are those that a LIMIT cut short.
func (t Table) suffers() (bool, string) {
	scans := t.Scans
	if t.RecentKnown {
		scans = t.Recent
	}
	switch {
	case t.Rows < Large:
		return false, "The table is small: reading all of it is quick."
	case scans.Seq == 0 || scans.SeqRows < t.Rows:
		return false, "Nothing reads all of the table now."
	}
	return true, ""
}

// create is what a person would type. CONCURRENTLY leaves the application
// writing meanwhile, and cannot run inside a transaction.
func create(t Table, columns []string) string {
	var q []string
	for _, c := range columns {
		q = append(q, quoted(c))
	}
	return "CREATE INDEX CONCURRENTLY ON " + quoted(t.Schema) + "." + quoted(t.Name) + " (" + strings.Join(q, ", ") + ");"
}

// On says which columns of which table: "public.exams_copy (status)".
func (m Missing) On() string { return m.Table + " (" + strings.Join(m.Columns, ", ") + ")" }
