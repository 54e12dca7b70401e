package cli

import (
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"gradecockpit/actions/catalogue"
	"gradecockpit/actions/playbook"
	"gradecockpit/cmd/gradecockpit/internal/places"
	"gradecockpit/probes/diagnosis"
	"gradecockpit/probes/lab"
	"gradecockpit/probes/lab/labtest"
	"gradecockpit/probes/logs"
	"gradecockpit/tui/ui"
)

// scenarios are the incident playbook's: how many actions its section has, the
// root causes of its table, in its order, as the rules call them, and of each
// preventive measure what tells it from the others.
var scenarios = map[string]struct {
	section string
	actions int
	causes  []string
	prevent []string
}{
	"import-stuck": {"3", 4, []string{"worker-down", "ocr-timeout", "corrupted-pdf-import", "disk-full", "worker-oom"},
		[]string{"workers' heartbeat", "OCR a time limit", "PDF when it is uploaded.* pages, its size", "grading_import_duration_seconds.* alert"}},
	"finalization-failing": {"4", 5, []string{"finalize-pymupdf-error", "missing-annotations", "lock-token-mismatch", "finalize-disk-full", "finalize-memory-error"},
		[]string{"grading_finalize_duration_seconds.* P95 is over 60 s", "locks that expired more than an hour ago", "PDFs of all sizes", "retries with growing pauses"}},
	"lock-conflicts": {"5", 5, []string{"expired-locks", "abandoned-locks", "unlock-wrong-token", "lock-race", "lock-cleanup-cron"},
		[]string{"expired locks every five minutes", "heartbeat.* renews its lock", "grading_lock_conflicts_total", "age of the oldest lock", "life of a lock .* handbook"}},
	"high-latency": {"6", 6, []string{"n-plus-one", "missing-index", "slow-finalize", "queue-backlog", "workers-busy", "too-many-clients"},
		[]string{"grading_finalize_duration_seconds.* P95 and P99", "django-silk or the debug toolbar", "indexes with a checklist", "plans of slow statements", "length of each queue"}},
	"missing-audit-events": {"7", 5, []string{"rollback-events", "exception-before-event", "missing-events", "event-duplicate-key", "constraint-violation"},
		[]string{"Test for each action .* event is written", "grading_events_created_total", "constraints of the database in the build", "completeness scan each night", "developers' guide .* which event"}},
}

// The incident playbook's escalation rules (8.2), by whom they are for and what
// they hang on. Those of every incident are in each book, the others where a
// step can know them.
var (
	everyIncident = [][2]string{
		{"Development Team", "failed_attempts >= 2"},
		{"Database Admin", "connection_errors > 0"},
		{"Database Admin", "disk_percent > 90"},
		{"Database Admin", "replication_lag_seconds > 10"},
	}
	someIncidents = map[string][][2]string{
		"not covered by the playbook": {{"import-stuck Development Team", "import-failed"}, {"finalization-failing Development Team", "finalize-failed"}, {"high-latency Development Team", "slow-endpoint"}},
		"data corruption": {{"finalization-failing Development Team", "missing-annotations"}, {"finalization-failing Development Team", "duplicate-finalize"},
			{"finalization-failing Development Team", "schema-drift"}, {"lock-conflicts Development Team", "lock-race"}},
		"a security incident":               {{"missing-audit-events Development Team", "audit-by-hand"}},
		"slow queries that no index solves": {{"high-latency Database Admin", "long-statement"}},
	}
)

// TestBooksCover: each diagnosis step, each action and each root cause of the
// incident playbook is in the book of its scenario, and in no other.
func TestBooksCover(t *testing.T) {
	books := playbook.Books()
	if len(books) != len(scenarios) {
		t.Fatalf("%d books", len(books))
	}
	var want []string
	for name, s := range scenarios {
		for i := range 5 {
			want = append(want, fmt.Sprintf("%s.2/%d %s", s.section, i+1, name))
		}
		for i := range s.actions {
			want = append(want, fmt.Sprintf("%s.4/%d %s", s.section, i+1, name))
		}
	}
	var got []string
	for _, g := range places.Guides(books) {
		got = append(got, g.Section+" "+g.Book)
	}
	slices.Sort(want)
	slices.Sort(got)
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	for _, b := range books {
		for _, c := range scenarios[b.Name].causes {
			if !slices.Contains(b.Causes, c) {
				t.Errorf("%s does not tell %s", b.Name, c)
			}
		}
		if b.Section != scenarios[b.Name].section || len(b.When) < 3 {
			t.Errorf("%s: section %s, %d symptoms", b.Name, b.Section, len(b.When))
		}
	}
}

// TestRootCausesAreOfTheirTable: the README's table of causes says where the
// incident playbook has each.
func TestRootCausesAreOfTheirTable(t *testing.T) {
	at := map[string]string{}
	for _, r := range diagnosis.Rules() {
		at[r.ID] = r.Section
	}
	for name, s := range scenarios {
		for _, c := range s.causes {
			if want := s.section + ".3"; at[c] != want {
				t.Errorf("%s: %s is said to stand in %q, not in %s", name, c, at[c], want)
			}
		}
	}
}

// TestBooksPrevent: each preventive measure of the incident playbook is in the
// report of its scenario, each in an item of its own.
func TestBooksPrevent(t *testing.T) {
	measures := 0
	for _, b := range playbook.Books() {
		left := slices.Clone(b.Prevent)
		for _, measure := range scenarios[b.Name].prevent {
			measures++
			i := slices.IndexFunc(left, regexp.MustCompile(measure).MatchString)
			if i < 0 {
				t.Errorf("%s: no measure like %q in %q", b.Name, measure, left)
				continue
			}
			left = slices.Delete(left, i, i+1)
		}
	}
	if measures != 23 {
		t.Errorf("%d measures; the incident playbook has 23", measures)
	}
}

// TestBooksEscalate: all eight escalation rules are there.
func TestBooksEscalate(t *testing.T) {
	has := func(b *playbook.Playbook, to, when string) bool {
		return slices.ContainsFunc(b.Escalate, func(e playbook.Escalate) bool {
			return e.To == to && e.Says != "" && (strings.Contains(e.When, when) || slices.Contains(inFound(e.When), when))
		})
	}
	for _, b := range playbook.Books() {
		for _, e := range everyIncident {
			if !has(b, e[0], e[1]) {
				t.Errorf("%s: the %s is not told when %s", b.Name, e[0], e[1])
			}
		}
		for rule, list := range someIncidents {
			for _, e := range list {
				if name, to, _ := strings.Cut(e[0], " "); name == b.Name && !has(b, to, e[1]) {
					t.Errorf("%s: the %s is not told of %s, by %s", b.Name, to, rule, e[1])
				}
			}
		}
	}
}

// TestBooksAdviseWithTheExactText: where the incident playbook has an action, the
// advice on it has a text for either deployment.
func TestBooksAdviseWithTheExactText(t *testing.T) {
	advised := map[string]bool{}
	for _, b := range playbook.Books() {
		for _, a := range b.Advice {
			if a.Section == "" {
				continue
			}
			advised[a.Section] = true
			if strings.TrimSpace(a.Text.Deployed) == "" || strings.TrimSpace(a.Text.Playbook) == "" {
				t.Errorf("%s: the advice %q has no exact text", a.Section, a.Title)
			}
		}
	}
	for _, s := range scenarios {
		for i := range s.actions {
			if section := fmt.Sprintf("%s.4/%d", s.section, i+1); !advised[section] {
				t.Errorf("there is no advice on %s", section)
			}
		}
	}
}

// TestRulesHaveTheirBook: every rule is told by the walkthrough of its scenario.
func TestRulesHaveTheirBook(t *testing.T) {
	books := playbook.Books()
	for _, r := range diagnosis.Rules() {
		i := slices.IndexFunc(books, func(b *playbook.Playbook) bool { return b.Name == string(r.Scenario) })
		if i < 0 || !slices.Contains(books[i].Causes, r.ID) {
			t.Errorf("%s is not told by %s", r.ID, r.Scenario)
		}
	}
}

// lessThanCause are rules whose step names them and calls them no cause, and why.
var lessThanCause = map[string]string{
	"disk-fills":           "nothing fails yet",
	"process-leak":         "nothing fails yet",
	"autovacuum-off":       "it slows all down over weeks, and does not explain one evening",
	"long-statement":       "a report may take its time without keeping anybody waiting",
	"replication-lag":      "the application reads and writes the primary",
	"metrics-behind-nginx": "it only keeps the step from measuring",
	"source-unreadable":    "it only keeps the step from looking",
}

// TestEveryRuleHasItsStep: in the walkthrough of its scenario a step judges each
// rule and names it, as the cause but for those that are none.
func TestEveryRuleHasItsStep(t *testing.T) {
	named := map[string][]playbook.Verdict{} // by scenario and rule
	for _, b := range playbook.Books() {
		for _, s := range b.Steps {
			for _, c := range s.Verdicts {
				if c.Rule != "" && !slices.Contains(inFound(c.When), c.Rule) && c.Rule != "expired-locks" { // a step sees an expired lock itself
					t.Errorf("%s %s names %s and does not ask whether it was found: %s", b.Name, s.ID, c.Rule, c.When)
				}
				named[b.Name+" "+c.Rule] = append(named[b.Name+" "+c.Rule], c.Is)
			}
		}
	}
	rules := map[string]bool{}
	for _, r := range diagnosis.Rules() {
		rules[r.ID] = true
		as := named[string(r.Scenario)+" "+r.ID]
		switch why := lessThanCause[r.ID]; {
		case len(as) == 0:
			t.Errorf("no step of %s names %s", r.Scenario, r.ID)
		case slices.Contains(as, playbook.Cause) == (why != ""):
			t.Errorf("%s calls %s %v; it is less than a cause: %q", r.Scenario, r.ID, as, why)
		}
	}
	for id := range lessThanCause {
		if !rules[id] {
			t.Errorf("there is no rule %s", id)
		}
	}
}

// TestBooksFit: what is read on a small screen is short.
func TestBooksFit(t *testing.T) {
	for _, b := range playbook.Books() {
		for _, s := range b.Steps {
			lines := strings.Split(strings.TrimSpace(s.Why), "\n")
			if len(lines) > 2 {
				t.Errorf("%s %s: why has %d lines", b.Name, s.ID, len(lines))
			}
			for _, l := range lines {
				if ui.Width(l) > 76 {
					t.Errorf("%s %s: %d cells: %s", b.Name, s.ID, ui.Width(l), l)
				}
			}
			if s.ByHand.Deployed == "" || ui.Width(s.Title) > 40 {
				t.Errorf("%s %s: title %q, by hand %q", b.Name, s.ID, s.Title, s.ByHand.Deployed)
			}
			for _, c := range s.Verdicts {
				if ui.Width(c.Says) > 76+4 || !strings.HasSuffix(c.Says, ".") {
					t.Errorf("%s %s says %q", b.Name, s.ID, c.Says)
				}
			}
		}
	}
}

// TestBooksNameWhatIsThere: every rule, pane, page, search, action and command.
func TestBooksNameWhatIsThere(t *testing.T) {
	rules, actions := map[string]bool{}, map[string][]string{}
	for _, r := range diagnosis.Rules() {
		rules[r.ID] = true
	}
	for _, a := range catalogue.All(catalogue.Deps{}) {
		for _, k := range a.Kinds() {
			actions[a.ID()] = append(actions[a.ID()], string(k))
		}
	}
	for _, b := range playbook.Books() {
		var named []string
		named = append(named, b.Causes...)
		for _, s := range b.Steps {
			named = append(named, s.Look.Causes...)
			for _, c := range s.Verdicts {
				named = append(named, inFound(c.When)...)
				if c.Rule != "" {
					named = append(named, c.Rule)
				}
			}
			checkLook(t, b.Name+" "+s.ID, s.Look)
		}
		for _, a := range b.Actions {
			named = append(named, inFound(a.When)...)
			if !slices.Contains(actions[a.ID], a.On) {
				t.Errorf("%s: no action %s on %s", b.Name, a.ID, a.On)
			}
		}
		for _, a := range b.Advice {
			named = append(named, inFound(a.When)...)
		}
		for _, e := range b.Escalate {
			named = append(named, inFound(e.When)...)
		}
		slices.Sort(named)
		for _, n := range slices.Compact(named) {
			if !rules[n] {
				t.Errorf("%s: no rule %s", b.Name, n)
			}
		}
	}
}

var found = regexp.MustCompile(`(?:found|alone)\("([^"]*)"\)`)

func inFound(expression string) (out []string) {
	for _, m := range found.FindAllStringSubmatch(expression, -1) {
		out = append(out, m[1])
	}
	return out
}

func checkLook(t *testing.T, of string, l playbook.Look) {
	t.Helper()
	if l.Pane != "" && !slices.Contains(paneNames(), l.Pane) {
		t.Errorf("%s: no pane %s", of, l.Pane)
	}
	if word, _, _ := strings.Cut(l.Page, " "); word != "" && !slices.Contains(pageWords(), word) {
		t.Errorf("%s: no page %s", of, word)
	}
	if l.Logs != "" {
		if _, err := logs.ParseQuery(filled(l.Logs), time.Now(), time.UTC); err != nil {
			t.Errorf("%s: %v", of, err)
		}
	}
}

// filled puts plain words in for the names of a place.
func filled(text string) string {
	return regexp.MustCompile(`\{\w+\}`).ReplaceAllString(text, "6b2f0e7a-0000-4000-8000-000000000001")
}

// texts are the commands of the books by dialect, with where they stand.
func texts() map[lab.Dialect]map[string]string {
	out := map[lab.Dialect]map[string]string{lab.Deployed: {}, lab.Playbook: {}}
	add := func(of string, h playbook.ByHand) {
		out[lab.Deployed][of] = h.Deployed
		out[lab.Playbook][of] = h.Playbook
	}
	for _, b := range playbook.Books() {
		for _, s := range b.Steps {
			add(b.Name+" "+s.ID, s.ByHand)
		}
		for _, a := range b.Advice {
			add(b.Name+" "+a.Title, a.Text)
		}
	}
	return out
}

// shell begins a command; other texts are settings, code or sentences.
var shell = regexp.MustCompile(`(?m)^(psql|docker|grep|jq|curl|redis-cli|celery|for|gradecockpit|df|sudo|systemctl|git|crontab|python3?|tail) `)

// understood tells whether our own command line takes these words.
func understood(words []string) error {
	root := newRoot(Streams{})
	c, rest, err := root.Find(words)
	switch {
	case err != nil:
		return err
	case c == root:
		return fmt.Errorf("there is no such command")
	}
	if err := c.ParseFlags(rest); err != nil {
		return err
	}
	return c.ValidateArgs(c.Flags().Args())
}

// TestBooksCommands: every command is sound for a shell, and those of ours are
// there and take the words and flags that follow.
func TestBooksCommands(t *testing.T) {
	ours := regexp.MustCompile(`(?m)^gradecockpit (.*)$`)
	for dialect, all := range texts() {
		checked := 0
		for of, text := range all {
			if !shell.MatchString(text) {
				continue
			}
			checked++
			cmd := exec.Command("sh", "-n")
			cmd.Stdin = strings.NewReader(filled(text))
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%s %s: %v: %s\n%s", dialect, of, err, out, text)
			}
			for _, m := range ours.FindAllStringSubmatch(filled(text), -1) {
				if err := understood(strings.Fields(m[1])); err != nil {
					t.Errorf("%s: gradecockpit %s: %v", of, m[1], err)
				}
			}
		}
		if checked < 35 {
			t.Errorf("only %d commands were checked for %s", checked, dialect)
		}
	}
}

var (
	heredoc  = regexp.MustCompile(`(?s)<<'SQL'\n(.*?)\nSQL\n`)
	variable = regexp.MustCompile(`:'\w+'`)
)

// TestBooksSQL: the server takes every statement of a book, with the tables of
// its dialect; those of the looks also run.
func TestBooksSQL(t *testing.T) {
	for _, d := range []lab.Dialect{lab.Deployed, lab.Playbook} {
		db := labtest.Postgres(t, d)
		conn, err := db.Pool.Acquire(labtest.Context(t))
		if err != nil {
			t.Fatal(err)
		}
		checked := 0
		for of, text := range texts()[d] {
			for _, h := range heredoc.FindAllStringSubmatch(text, -1) {
				for _, s := range strings.Split(strings.TrimSpace(h[1]), ";\n") {
					checked++
					prepare(t, conn.Conn(), of, variable.ReplaceAllString(strings.TrimSuffix(s, ";"), "'x'"))
				}
			}
		}
		if checked < 20 {
			t.Errorf("only %d statements were checked for %s", checked, d)
		}
		runLooks(t, conn.Conn(), d)
		conn.Release()
	}
}

// prepare has the server read a statement. pg_stat_statements is an extension
// that is not made here: its view alone may be missing.
func prepare(t *testing.T, c *pgx.Conn, of, sql string) {
	t.Helper()
	if _, err := c.Prepare(labtest.Context(t), "", sql); err != nil && !strings.Contains(err.Error(), "pg_stat_statements") {
		t.Errorf("%s: %v\n%s", of, err, sql)
	}
}

// runLooks runs what steps read by SQL, with a copy and without.
func runLooks(t *testing.T, c *pgx.Conn, d lab.Dialect) {
	t.Helper()
	for _, b := range playbook.Books() {
		for _, s := range b.Steps {
			sql := map[lab.Dialect]string{lab.Deployed: s.Look.SQL.Deployed, lab.Playbook: s.Look.SQL.Playbook}[d]
			if sql == "" {
				continue
			}
			for _, id := range []string{"", "6b2f0e7a-0000-4000-8000-000000000001"} {
				args := make([]any, len(s.Look.Args))
				for i := range args {
					args[i] = id
				}
				if _, err := c.Exec(labtest.Context(t), sql, args...); err != nil {
					t.Errorf("%s %s: %v\n%s", b.Name, s.ID, err, sql)
				}
			}
		}
	}
}
