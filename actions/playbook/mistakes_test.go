package playbook

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

// within makes a playbook with one step of the given lines.
func within(step string) string {
	return "name: a\ntitle: A\nsteps:\n  - id: s\n    title: S\n    why: W\n" + step
}

func TestEveryMistakeIsToldAtOnceWithItsPlace(t *testing.T) {
	data, err := os.ReadFile("testdata/mistakes.yaml")
	if err != nil {
		t.Fatal(err)
	}
	book, problems := Parse(data, "mistakes.yaml", Catalogue{Panes: []string{"locks"}, Pages: []string{"trace"}, Rules: []string{"expired-locks"}, Actions: []string{"retry"}})
	if book != nil {
		t.Error("a playbook with mistakes is none")
	}
	lines := strings.Split(string(data), "\n")
	var told []string
	for _, p := range problems {
		told = append(told, p.String())
		if p.Line < 1 || p.Line > len(lines) || p.Column < 1 {
			t.Errorf("%v is at no place in the file", p)
		}
	}
	// Each line of the file with a mistake says in a comment what is to be told of it.
	for i, l := range lines {
		_, want, marked := strings.Cut(l, "# wrong: ")
		is := slices.ContainsFunc(problems, func(p Problem) bool { return p.Line == i+1 && strings.Contains(p.Says, want) })
		if marked && !is {
			t.Errorf("line %d: not told: %s", i+1, want)
		}
		if other := slices.ContainsFunc(problems, func(p Problem) bool { return p.Line == i+1 }); other && !marked && i > 0 {
			t.Errorf("line %d has no mistake", i+1)
		}
	}
	if t.Failed() {
		t.Log(strings.Join(told, "\n"))
	}
}

func TestWhatCannotBeRead(t *testing.T) {
	bomb := "name: a\ntitle: A\nwhen: &a [" + strings.Repeat("x,", 1000) + "x]\nrules:\n" +
		strings.Repeat("  - {id: r, explains: *a}\n", 100)
	for name, c := range map[string]struct{ text, says string }{
		"no YAML":        {"name: [a", "1:7"},
		"an empty file":  {"", "title is missing"},
		"two documents":  {"name: a\n---\nname: b", "one playbook"},
		"a list":         {"- a", "should be keys with values"},
		"a text":         {"hello", "should be keys with values"},
		"too large":      {strings.Repeat("#", MaxFile+1), "more than 256 KB"},
		"a key twice":    {"name: a\nname: b\ntitle: A", "2:1"},
		"no such anchor": {"name: *a\ntitle: A", "no anchor"},
		"a tag":          {"name: !!binary aGk=\ntitle: A", "tags"},
		"aliases":        {bomb, "too large"},
		"steps as text":  {"name: a\ntitle: A\nsteps: x", `steps is a text; it should be a list`},
	} {
		book, problems := Parse([]byte(c.text), "f.yaml", Catalogue{})
		if book != nil || !slices.ContainsFunc(problems, func(p Problem) bool { return strings.Contains(p.String(), c.says) }) {
			t.Errorf("%s: want %q, got %v", name, c.says, problems[:min(3, len(problems))])
		}
	}
}

func TestWhatALookMayBe(t *testing.T) {
	for look, says := range map[string]string{
		`{sql: "DELETE FROM exams_copy"}`:                        "only reads",
		`{sql: "SELECT 1; SELECT 2"}`:                            "one statement",
		`{sql: "SELECT 1 FROM exams_copy WHERE id = {copy_id}"}`: "bound by args",
		`{sql: "SELECT $1", args: ["{token}"]}`:                  "{token} is no name",
		`{logs: "level:loud"}`:                                   "level",
		`{logs: '/copy {copy_id} failed/'}`:                      "stands alone",
		`{logs: '"{copy}"'}`:                                     "stands alone",
		`{command: ["{copy}"]}`:                                  "named as it is",
		`{command: [sh, -c, "ls {copy}"]}`:                       "a shell would run",
		`{pane: locks, logs: x}`:                                 "this has 2",
		`{}`:                                                     "this has 0",
		`{sql: "SELECT 1;"}`:                                     "",
		`{sql: {deployed: SELECT 1, playbook: SELECT 2}}`:        "",
		`{logs: 'level:error copy:{copy_id} {copy}'}`:            "",
		`{command: [sh, -c, 'ls "$1"', "{copy}"]}`:               "",
	} {
		_, problems := Parse([]byte(within("    look: "+look)), "f.yaml", Catalogue{})
		if got := fmt.Sprint(problems); says == "" && len(problems) > 0 || !strings.Contains(got, says) {
			t.Errorf("%s: want %q, got %s", look, says, got)
		}
	}
}

func TestWhatAConditionMayBe(t *testing.T) {
	for when, says := range map[string]string{
		`locks_expired > "x"`:           "mismatched types",
		`locks_expird > 1`:              "unknown name locks_expird (at character 1",
		`locks_expired`:                 "bool",
		`now().Year() > 1`:              "now",
		`date("2026-01-01").Year() > 1`: "date",
		`any(1..100, # > 3)`:            "no ranges",
		`any(table, any(table, any(table, any(table, true))))`: "at most 3 loops",
		`found("nope") || rows > 0`:                            `there is no cause "nope"`,
		`known(p95) && rows > 0 && any(table, .copy == copy)`:  "",
		`found("r")`: "",
		`not (p95 > 3) and lines[0] contains "x"`: "",
	} {
		text := within(fmt.Sprintf("    look: {pane: locks}\n    verdicts: [{when: %q, is: ok, says: S}]", when))
		_, problems := Parse([]byte(text), "f.yaml", Catalogue{Rules: []string{"r"}})
		if got := fmt.Sprint(problems); says == "" && len(problems) > 0 || !strings.Contains(got, says) {
			t.Errorf("%s: want %q, got %s", when, says, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	files, _ := books.ReadDir("books")
	for _, e := range files {
		data, _ := books.ReadFile("books/" + e.Name())
		f.Add(data[:min(len(data), 4000)])
	}
	f.Add([]byte(within("    look: {sql: 'SELECT $1', args: ['{copy}']}\n    verdicts: [{when: any(table, .a == '1'), is: cause, says: '{n}'}]")))
	f.Fuzz(func(t *testing.T, data []byte) {
		book, problems := Parse(data, "f.yaml", Catalogue{})
		if (book == nil) != (len(problems) > 0) {
			t.Fatal("a playbook, or what is wrong with it")
		}
		for _, p := range problems {
			if p.Says == "" || strings.ContainsAny(p.String(), "\n\x1b") {
				t.Errorf("%q is no sentence", p)
			}
		}
		if book != nil {
			walked(book, Place{}, Table{Columns: []string{"a"}, Rows: [][]string{{"1"}}})
		}
	})
}
