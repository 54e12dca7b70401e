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

// What a terminal would obey stands in no text that is printed.
func TestNoTextHoldsWhatCannotBeSeen(t *testing.T) {
	for _, text := range []string{
		"name: a\ntitle: \"A\\e[31m\"\nsteps:\n  - {id: s, title: S, why: W, look: {causes: [x]}}\n",
		"name: a\ntitle: A\nwhen: [\"x\\u202e\"]\nsteps:\n  - {id: s, title: S, why: W, look: {causes: [x]}}\n",
		within("    look: {causes: [x]}\n    by_hand: {deployed: \"echo\\e[2J\"}\n"),
		within("    look: {causes: [x]}\n    by_hand:\n      deployed: |\n        echo \u202e\n"),
	} {
		if _, problems := Parse([]byte(text), "x.yaml", Catalogue{}); len(problems) != 1 || problems[0].Line == 0 || !strings.Contains(problems[0].Says, "cannot be seen") {
			t.Errorf("%q: %v", text, problems)
		}
	}
	fine := within("    look: {causes: [x]}\n    by_hand:\n      deployed: |\n        echo\ta élève\u00a0✓\n\n        echo b\n")
	if _, problems := Parse([]byte(fine), "x.yaml", Catalogue{}); len(problems) > 0 {
		t.Error(problems)
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
		"deep brackets":  {"name: " + strings.Repeat("[", 200_000), "too deep"},
		"deep lines":     {"name: a\ntitle: " + strings.Repeat("{a:\n", 50_000), "too deep"},
		"deep lists":     {strings.Repeat("- ", 100_000) + "a", "too deep"},
		"deep keys":      {strings.Repeat("? ", 100_000), "too deep"},
		"steps as text":  {"name: a\ntitle: A\nsteps: x", `steps is a text; it should be a list`},
	} {
		book, problems := Parse([]byte(c.text), "f.yaml", Catalogue{})
		if book != nil || !slices.ContainsFunc(problems, func(p Problem) bool { return strings.Contains(p.String(), c.says) }) {
			t.Errorf("%s: want %q, got %v", name, c.says, problems[:min(3, len(problems))])
		}
	}
}

func TestANameInALogQueryStandsAlone(t *testing.T) {
	for query, fine := range map[string]bool{
		`/copy {copy_id} failed/`: false, `"{copy}"`: false, `"a" {copy}`: false, `a{copy}`: false, `{copy}b`: false,
		`level:error copy:{copy_id} {copy}`: true, `!{copy}`: true,
	} {
		_, problems := Parse([]byte(within("    look: {logs: '"+query+"'}")), "f.yaml", Catalogue{})
		if is := !strings.Contains(fmt.Sprint(problems), "stands alone"); is != fine {
			t.Errorf("%s: %v", query, problems)
		}
	}
}

// Each mistake has its place looked for in the whole file, so the first ones do.
func TestNotEveryOneOfAThousandMistakesIsTold(t *testing.T) {
	text := within("    look: {pane: locks}\ncauses:\n" + strings.Repeat("  - x\n", 40_000))
	if _, problems := Parse([]byte(text), "f.yaml", Catalogue{Rules: []string{"r"}}); len(problems) != mostProblems {
		t.Errorf("%d problems", len(problems))
	}
}

func TestWhatAConditionMayBe(t *testing.T) {
	for when, says := range map[string]string{
		`date("2026-01-01").Year() > 1`:                            "date",
		`any(1..100, # > 3)`:                                       "no ranges",
		`any(table, any(table, any(table, any(table, true))))`:     "at most 3 loops",
		`any(table, any(table, any(table, true)))`:                 "at most 2 deep",
		`reduce([1, 2, 3], #acc + #acc, "x") == ""`:                "there is no reduce here",
		`let a = "xx"; let b = a + a; b == ""`:                     "there is no let here",
		`replace("aa", "a", "aa") == ""`:                           "there is no replace here",
		`join(map(table, .copy)) == ""`:                            "there is no ",
		`"aa" | repeat(9) == ""`:                                   "there is no repeat here",
		strings.Repeat("!", 2000) + "true":                         "at most 2000 characters",
		`any(table, all(table, .a == "")) || one(lines, # == "x")`: "",
		`found("nope") || rows > 0`:                                `there is no cause "nope"`,
		`p95 > 1 && rows > 0 && any(table, .copy == copy)`:         "",
		`alone("nope")`:                                            `there is no cause "nope"`,
		`found("r") || alone("r")`:                                 "",
	} {
		text := within(fmt.Sprintf("    look: {pane: locks}\n    verdicts: [{when: %q, is: ok, says: S}]", when))
		_, problems := Parse([]byte(text), "f.yaml", Catalogue{Rules: []string{"r"}})
		if got := fmt.Sprint(problems); says == "" && len(problems) > 0 || !strings.Contains(got, says) {
			t.Errorf("%s: want %q, got %s", when, says, got)
		}
	}
}
