package playbook

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// small is the least that is a playbook; edits of it are the mistakes.
const small = `name: mine
title: Mine
steps:
  - id: one
    title: One
    why: To see.
    look:
      pane: locks
    verdicts:
      - when: rows > 0
        is: cause
        says: "{n} rows."
        rule: expired-locks
rules:
  - id: own
    title: Own
    when: locks > 1
    says: It is.
    severity: P2
    confidence: likely
actions:
  - action: force-unlock
    on: copy
    why: It helps.
    consequence: It hurts.
escalate:
  - to: Somebody
    when: locks > 1
    says: It is bad.
`

var catalogue = Catalogue{Panes: []string{"locks"}, Pages: []string{"copy", "trace"}, Actions: []string{"force-unlock", "clear-expired"}, Rules: []string{"expired-locks"}}

// mistakes are edits of the small playbook, and where and how they are named.
// valid tells of those that no schema can see.
var mistakes = []struct {
	name, old, new string
	at, says       string
	valid          bool
}{
	{"not YAML", "title: Mine", "title: [Mine", ":3:", "", false},
	{"unknown key", "why: To see.", "whi: To see.", ":6:5: ", "whi", false},
	{"wrong type", "steps:\n", "steps: 5\nx:\n", ":3:", "", false},
	{"name with blanks", "name: mine", "name: my own", ":1:7: ", "lower-case", false},
	{"name missing", "name: mine\n", "", "", "lower-case", false},
	{"title missing", "    title: One\n", "", ":4:", "title is missing", false},
	{"title empty", "title: Mine", `title: " "`, ":2:8: ", "title is missing", false},
	{"three lines", "why: To see.", "why: |\n      a\n      b\n      c", ":6:", "3 lines", true},
	{"a long line", "why: To see.", "why: " + strings.Repeat("ab ", 25) + "ab", ":6:10: ", "77 cells", true},
	{"two steps of a name", "rules:", "  - id: one\n    title: Two\n    why: So.\n    look: {pane: locks}\nrules:", ":14:9: ", `two steps are called "one"`, true},
	{"no look", "pane: locks", "{}", ":8:", "this has 0", false},
	{"two looks", "pane: locks", "pane: locks\n      page: copy x", ":8:", "this has 2", false},
	{"no such pane", "pane: locks", "pane: lock", ":8:13: ", `there is no pane "lock"`, true},
	{"no such page", "pane: locks", "page: trail {copy}", ":8:13: ", `there is no page "trail"`, true},
	{"no such name", "pane: locks", "page: trace {kopie}", ":8:13: ", "{kopie} is no name", true},
	{"SQL that writes", "pane: locks", "sql: DELETE FROM exams_copy", ":8:12: ", "only reads", true},
	{"two statements", "pane: locks", "sql: SELECT 1; DELETE FROM exams_copy", ":8:12: ", "one statement", true},
	{"a value pasted into SQL", "pane: locks", "sql: SELECT '{copy}'", ":8:12: ", "never pasted", true},
	{"an argument without a name", "pane: locks", "sql: SELECT $1\n      args: ['{x}']", ":9:14: ", "{x} is no name", true},
	{"log query", "pane: locks", "logs: since:yesterdayish", ":8:13: ", "yesterdayish", true},
	{"log pattern", "pane: locks", "logs: pattern:nothing", ":8:13: ", "nothing", true},
	{"program by name", "pane: locks", "command: ['{copy}']", ":8:17: ", "as it is", true},
	{"a name in a shell's code", "pane: locks", "command: [sh, -ec, '{copy}']", ":8:26: ", "shell would run", true},
	{"a shell further on", "pane: locks", "command: [docker, exec, x, sh, -o, a, -c, '{copy}']", ":8:49: ", "shell would run", true},
	{"a name for ssh", "pane: locks", "command: [ssh, host, cat, '{copy}']", ":8:33: ", "shell would run", true},
	{"a name inside a text", "pane: locks", "command: [psql, -c, 'select {copy}']", ":8:27: ", "longer text", true},
	{"no such cause in a look", "pane: locks", "causes: [own, nix]", ":8:21: ", `there is no cause "nix"`, true},
	{"no such cause in a verdict", "rule: expired-locks", "rule: expired", ":13:15: ", `there is no cause "expired"`, true},
	{"no verdict", "is: cause", "is: bad", ":11:13: ", `"bad": a verdict is`, false},
	{"expression", "when: rows > 0", "when: rows >", ":10:15: ", "at character", true},
	{"an expression that is a number", "when: rows > 0", "when: rows + 1", ":10:15: ", "bool", true},
	{"an unknown fact", "when: rows > 0", "when: rowz > 0", ":10:15: ", "rowz", true},
	{"types", "when: rows > 0", `when: rows > "a"`, ":10:15: ", "mismatched types", true},
	{"the clock", "when: rows > 0", "when: now().Year() > 0", ":10:15: ", "now", true},
	{"what is behind the names", "when: rows > 0", "when: $env.locks != 1", ":10:15: ", "$env is no name", true},
	{"rows in a cause", "when: locks > 1\n    says: It is.", "when: rows > 1\n    says: It is.", ":17:11: ", "rows", true},
	{"a copy in a cause", "    confidence: likely\n", "    confidence: likely\n    actions: [{action: force-unlock, on: copy, target: '{copy_id}', why: x, consequence: y}]\n", ":21:56: ", "no chosen copy", true},
	{"a cause without a condition", "    when: locks > 1\n    says: It is.", "    says: It is.", ":15:", "when is missing", false},
	{"severity", "severity: P2", "severity: P9", ":19:15: ", `"P9"`, false},
	{"confidence", "confidence: likely", "confidence: sure", ":20:17: ", `"sure"`, false},
	{"a cause of the program", "id: own", "id: expired-locks", ":15:9: ", "program's own", true},
	{"no such action", "action: force-unlock", "action: unlock", ":22:13: ", `there is no action "unlock"`, true},
	{"no consequence", "    consequence: It hurts.\n", "", ":22:", "consequence is missing", false},
	{"an escalation that is never due", "    when: locks > 1\n    says: It is bad.", "    says: It is bad.", ":27:", "when is missing", false},
	{"asks for a queue", "title: Mine", "title: Mine\nasks: queue", ":3:7: ", `"copy" or for nothing`, false},
	{"two documents", "name: mine", "---\nname: a\n---\nname: mine", "", "one playbook", false},
	{"nothing to do", small[strings.Index(small, "steps:"):], "", "", "has steps", false},
}

func TestMistakesAreNamedWithTheirPlace(t *testing.T) {
	if _, problems := Parse([]byte(small), "mine.yaml", catalogue); len(problems) > 0 {
		t.Fatal(problems)
	}
	for _, m := range mistakes {
		t.Run(m.name, func(t *testing.T) {
			text := strings.Replace(small, m.old, m.new, 1)
			if text == small {
				t.Fatalf("%q is not in the small playbook", m.old)
			}
			p, problems := Parse([]byte(text), "mine.yaml", catalogue)
			if p != nil || len(problems) == 0 {
				t.Fatal("it is taken")
			}
			found := slices.ContainsFunc(problems, func(p Problem) bool {
				return strings.HasPrefix(p.String(), "mine.yaml"+m.at) && strings.Contains(p.Says, m.says)
			})
			if !found {
				t.Errorf("want …%s…%s, got %v", m.at, m.says, problems)
			}
			for _, p := range problems {
				if strings.ContainsAny(p.Says, "\n\t") || p.Says == "" {
					t.Errorf("not one line: %q", p.Says)
				}
			}
		})
	}
}

func TestEveryMistakeIsNamedAtOnceInTheOrderOfTheFile(t *testing.T) {
	text := strings.NewReplacer("pane: locks", "pane: lock", "is: cause", "is: bad", "severity: P2", "severity: P9").Replace(small)
	_, problems := Parse([]byte(text), "mine.yaml", catalogue)
	var lines []int
	for _, p := range problems {
		lines = append(lines, p.Line)
	}
	if !slices.Equal(lines, []int{8, 11, 19}) {
		t.Errorf("%v", problems)
	}
}

func TestAFileThatIsTooBigIsNotRead(t *testing.T) {
	_, problems := Parse([]byte("name: mine #"+strings.Repeat("x", MaxFile)), "big.yaml", Catalogue{})
	if len(problems) != 1 || !strings.Contains(problems[0].Says, "256 KB") {
		t.Error(problems)
	}
}

// FuzzParse: whatever is in a file, it is a playbook or has mistakes with
// places that a person can go to, and what is taken can be gone through.
func FuzzParse(f *testing.F) {
	f.Add(small)
	for _, m := range mistakes {
		f.Add(strings.Replace(small, m.old, m.new, 1))
	}
	outside, err := os.ReadFile("testdata/outside.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(outside))
	f.Add("a: &a [*a]\n")
	f.Add("name: !!binary x\n<<: {}\n")
	f.Fuzz(func(t *testing.T, text string) {
		p, problems := Parse([]byte(text), "f.yaml", catalogue)
		if (p == nil) != (len(problems) > 0) {
			t.Fatalf("%v, and %v", p, problems)
		}
		for _, q := range problems {
			if q.Line < 0 || q.Column < 0 || q.Says == "" || strings.ContainsAny(q.String(), "\n\x1b") {
				t.Errorf("%q", q)
			}
		}
		if p != nil {
			through(t, p)
		}
	})
}
