package diagnosis

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"gradecockpit/probes"
	"gradecockpit/probes/logs"
	"gradecockpit/probes/metrics"
	"gradecockpit/probes/storage"
)

// always are the indexes that the application's migrations make in every
// version: Django indexes each foreign key by itself. That one is gone is an
// accident, however small its table is today.
var always = map[string]string{
	"exams_copy":           "exam_id",
	"exams_booklet":        "exam_id",
	"exams_copy_booklets":  "copy_id",
	"grading_annotation":   "copy_id",
	"grading_copylock":     "copy_id",
	"grading_gradingevent": "copy_id",
}

// missingIndex: reads of one copy go through the whole table.
func missingIndex() Rule {
	return Rule{
		ID: "missing-index", Title: "An index is missing", Scenario: HighLatency, Section: "6.3",
		Needs: []probes.ID{storage.ID}, Explains: []string{"slow-endpoint", "long-statement"},
		Judge: func(in Input) (found []Finding, blind string) {
			o, _ := current[storage.Overview](in, storage.ID)
			for _, m := range o.Missing {
				_, name, _ := strings.Cut(m.Table, ".")
				gone := len(m.Columns) > 0 && always[name] == m.Columns[0]
				if m.Matters && (!m.ByDesign || slowBy(o, name, m.Columns)) || gone {
					found = append(found, missing(o, m, gone))
				}
			}
			return found, ""
		},
	}
}

// slowBy tells whether a statement that speaks of a table and a column takes long.
// An index that the application never had is no cause by itself: a dump and the
// cockpit read the whole table as well.
func slowBy(o storage.Overview, table string, columns []string) bool {
	return slices.ContainsFunc(o.Statements.Rows, func(s storage.Statement) bool {
		return !s.Own && s.RecentKnown && s.Recent.Mean() >= slowLookup && strings.Contains(s.Text, table) && strings.Contains(s.Text, columns[0])
	})
}

func missing(o storage.Overview, m storage.Missing, gone bool) Finding {
	f := Finding{Subject: m.On(), Confidence: Likely, Severity: P3, CopyCount: -1, UserCount: -1,
		Says:   fmt.Sprintf("No index serves %s. %s", m.On(), m.Why),
		Mind:   "The plan of the slow statement does not read this table from end to end (explain-analyze shows it).",
		Advice: []string{m.Create, slowLog},
		Harm:   "Without CONCURRENTLY the statement stops all writes to the table until it is done; it cannot run inside a transaction."}
	if gone {
		f.Confidence = Certain
		f.Says = fmt.Sprintf("The index on %s is gone, which every version of the application makes. %s", m.On(), m.Why)
	}
	if m.Matters {
		f.Severity = P2
	} else {
		f.Evidence = append(f.Evidence, Evidence{From: storage.ID, Says: m.Says, Kind: "table", ID: m.Table})
	}
	for _, t := range o.Tables {
		if t.Ref() == m.Table {
			f.Evidence = append(f.Evidence, scanned(t))
		}
	}
	f.Offers = reading(o, m.Table)
	return f
}

func scanned(t storage.Table) Evidence {
	s, over := t.Scans, "since the statistics"
	if t.RecentKnown {
		s, over = t.Recent, "lately"
	}
	return Evidence{From: storage.ID, Says: fmt.Sprintf("%s: about %d rows; read from end to end %d times %s, %d rows in all", t.Ref(), t.Rows, s.Seq, over, s.SeqRows), Kind: "table", ID: t.Ref()}
}

// reading offers the plan of the statement over a table that took most time.
func reading(o storage.Overview, table string) []Offer {
	_, name, _ := strings.Cut(table, ".")
	for _, s := range o.Statements.Rows { // what costs most time stands first
		if !s.Own && strings.HasPrefix(strings.ToUpper(s.Text), "SELECT") && strings.Contains(s.Text, name) {
			return []Offer{{Action: "explain-analyze", Kind: "statement", ID: s.Key(), Label: "statement " + s.Key(),
				Why: "Its plan shows whether it reads the whole table.", Consequence: "It runs once more, with a time limit, and is rolled back."}}
		}
	}
	return nil
}

// invalidIndex: it costs each write and serves no read.
func invalidIndex() Rule {
	return Rule{
		ID: "invalid-index", Title: "An index is invalid", Scenario: HighLatency,
		Needs: []probes.ID{storage.ID},
		Judge: func(in Input) (found []Finding, blind string) {
			o, _ := current[storage.Overview](in, storage.ID)
			for _, t := range o.Tables {
				for _, i := range t.List {
					if i.Valid || !t.Grading {
						continue
					}
					found = append(found, Finding{Subject: i.Name, Confidence: Certain, Severity: P3, CopyCount: -1, UserCount: -1,
						Says:     fmt.Sprintf("Index %s on %s is invalid: its CREATE INDEX CONCURRENTLY failed, or still runs.", i.Name, t.Ref()),
						Evidence: []Evidence{{From: storage.ID, Says: i.Definition, Kind: "table", ID: t.Ref()}},
						Mind:     "A session still builds it (pg_stat_progress_create_index has a row).",
						Advice:   []string{"REINDEX INDEX CONCURRENTLY " + i.Name + ";", "DROP INDEX CONCURRENTLY " + i.Name + ";"}})
				}
			}
			return found, ""
		},
	}
}

const (
	// manyCalls in one look are more than a page of the application needs.
	manyCalls = 30
	// slowLookup, in seconds, is long for a statement that an index would serve.
	slowLookup = 0.1
	// sameQueries is how many records of one shape make a pattern.
	sameQueries = 10
)

// nPlusOne: one statement for each row of a list. Counts can only hint at it;
// the application's own query log shows it.
func nPlusOne() Rule {
	return Rule{
		ID: "n-plus-one", Title: "A page asks the database once for each row", Scenario: HighLatency, Section: "6.3",
		Judge: func(in Input) (found []Finding, blind string) {
			shape, n := repeated(in)
			suspects, why := suspicious(in)
			if n == 0 && len(suspects) == 0 {
				return nil, why
			}
			f := Finding{Confidence: Possible, Severity: P3, CopyCount: -1, UserCount: -1,
				Mind:   "The statement is called about as often as pages are opened.",
				Advice: []string{"In the view: Copy.objects.select_related('exam').prefetch_related('booklets') reads the rows of all copies with two statements more instead of one for each copy.", slowLog}}
			if n > 0 {
				f.Confidence, f.Says = Likely, fmt.Sprintf("The query log has one statement %d times in a row with different values: a page asks for each row by itself.", n)
				f.Evidence = append(f.Evidence, Evidence{From: logs.ID, Says: fmt.Sprintf("%d times: %s", n, shape), Kind: "logs", ID: "django.db.backends"})
			}
			for _, x := range suspects {
				f.Evidence = append(f.Evidence, suspectSays(x))
				f.Offers = append(f.Offers, Offer{Action: "explain-analyze", Kind: "statement", ID: x.Statement.Key(), Label: "statement " + x.Statement.Key(),
					Why: "It tells what one of the calls costs.", Consequence: "It runs once more, with a time limit, and is rolled back."})
			}
			if f.Says == "" {
				x := suspects[0]
				f.Says = fmt.Sprintf("One statement was called %d times%s: it may be asked for each row of a list.", x.Calls, over(x))
			}
			return []Finding{f}, ""
		},
	}
}

func over(x storage.Suspect) string {
	if x.Over == 0 {
		return ""
	}
	return " in " + lasted(x.Over)
}

func suspectSays(x storage.Suspect) Evidence {
	says := fmt.Sprintf("%d calls%s: %s", x.Calls, over(x), x.Statement.Text)
	switch {
	case x.List.ID != 0:
		says = fmt.Sprintf("%d calls%s, %.0f for each call of a list: %s", x.Calls, over(x), x.PerList, x.Statement.Text)
	case !math.IsNaN(x.PerRequest):
		says = fmt.Sprintf("%d calls%s, %.0f for each request: %s", x.Calls, over(x), x.PerRequest, x.Statement.Text)
	}
	return Evidence{From: storage.ID, Says: says, Kind: "statement", ID: x.Statement.Key()}
}

// suspicious are the statements whose recent calls are far too many; what was
// counted since the statistics is history.
func suspicious(in Input) (out []storage.Suspect, why string) {
	o, ok := current[storage.Overview](in, storage.ID)
	if !ok {
		return nil, ""
	}
	if o.Statements.Why != "" {
		return nil, o.Statements.Why
	}
	requests := math.NaN()
	if m, snap, ok := metrics.Best(in.Set); ok && snap.Err == nil && m.Warming == "" {
		requests = m.Total.RPS
	}
	for _, x := range storage.Suspects(o, requests) {
		if x.Over > 0 && x.Calls >= manyCalls && x.PerRequest > 1 && len(out) < 3 {
			out = append(out, x)
		}
	}
	return out, ""
}

// repeated finds the shape of statement that the application's query log (DEBUG
// of django.db.backends) repeats most within one request. Where the records name
// none, those of a request stand one after the other; what each request asks
// once, such as its session, comes back with others between.
func repeated(in Input) (shape string, n int) {
	o, ok := current[logs.Overview](in, logs.ID)
	if !ok {
		return "", 0
	}
	type run struct {
		n    int
		last string // the statement with its values
	}
	runs := map[[2]string]run{}
	before := [2]string{}
	for _, l := range o.Recent {
		if l.Logger != "django.db.backends" || in.Now.Sub(l.At) > recentLine/5 {
			continue
		}
		text := withoutTime(l.Message)
		key := [2]string{l.RequestID, shapeOf(text)}
		if l.RequestID == "" && key != before {
			delete(runs, before)
			before = key
		}
		r := runs[key]
		if r.last != text {
			r.n, r.last = r.n+1, text
		}
		if runs[key] = r; r.n > n {
			shape, n = key[1], r.n
		}
	}
	if n < sameQueries {
		return "", 0
	}
	return shape, n
}

// withoutTime is a logged statement "(0.002) SELECT …" without what it took.
func withoutTime(message string) string {
	if _, after, ok := strings.Cut(message, ") "); ok {
		return after
	}
	return message
}

// shapeOf is such a statement without its values: "SELECT … WHERE x = '…'; args=…".
func shapeOf(message string) string {
	message, _, _ = strings.Cut(message, "; args=")
	var b strings.Builder
	for i, part := range strings.Split(message, "'") {
		if i%2 == 0 {
			b.WriteString(part)
		} else {
			b.WriteString("'…'")
		}
	}
	return b.String()
}
