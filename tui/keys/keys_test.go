package keys

import (
	"strings"
	"testing"
	"unicode"

	tea "charm.land/bubbletea/v2"
)

// Default panics when two bindings of a scope collide, so making it is a test.
func TestDefaultObeysTheRules(t *testing.T) {
	table := Default()
	confirm, _ := table.Of(Confirm)
	for _, b := range table.All() {
		for _, k := range b.Keys {
			if b.Acts && confirm.Nth(k) >= 0 {
				t.Errorf("%s starts with %s, which confirms", b.ID, k)
			}
			if b.Acts != capital(k) && b.ID != Bottom && b.ID != PrevMatch {
				t.Errorf("%s has the key %s: upper case acts, and nothing else does", b.ID, k)
			}
			if got, err := normalize(k); err != nil || got != k {
				t.Errorf("%s has the key %q, which is written %q (%v)", b.ID, k, got, err)
			}
		}
		if b.Short == "" || b.Help == "" || len(b.Keys) == 0 {
			t.Errorf("%s has no words or no key: %+v", b.ID, b)
		}
		if b.Acts && b.Action == "" && b.ID != Undo {
			t.Errorf("%s starts no action", b.ID)
		}
	}
}

// On AZERTY these need AltGr, so each command needs one key more.
func TestNothingHangsOnAltGr(t *testing.T) {
	for _, b := range Default().All() {
		easy := false
		for _, k := range b.Keys {
			easy = easy || !strings.ContainsAny(k, `[]{}\|~#@^`+"`")
		}
		if !easy {
			t.Errorf("%s needs AltGr: %v", b.ID, b.Keys)
		}
	}
}

func TestFind(t *testing.T) {
	table := Default()
	tests := []struct {
		scope Scope
		key   string
		want  Command
	}{
		{InPane, "j", Down}, {InPage, "j", Down}, {InDialog, "j", None},
		{InPane, "?", Help}, {InPage, "?", Help}, {InDialog, "?", None},
		{InPane, "y", Yank}, {InDialog, "y", Confirm}, {InPage, "y", None},
		{InPane, "U", ForceUnlock}, {InPage, "U", None}, {InDialog, "U", None}, {InPane, "u", None},
		{InPane, "ctrl+d", HalfPageDown}, {Everywhere, "j", None},
	}
	for _, tt := range tests {
		if got, _ := table.Find(tt.scope, tt.key); got.ID != tt.want {
			t.Errorf("%s in %s is %q, want %q", tt.key, tt.scope, got.ID, tt.want)
		}
	}
	if b, _ := table.Find(InPane, "3"); b.ID != FocusNth || b.Nth("3") != 2 {
		t.Errorf("3 focuses pane %d of %s", b.Nth("3"), b.ID)
	}
	if b, ok := table.ForAction("purge"); !ok || b.Label() != "P" {
		t.Errorf("purge is started by %+v", b)
	}
	if _, ok := table.ForAction(""); ok {
		t.Error("the empty action has a key")
	}
}

// What the table calls a key must be what Bubble Tea calls it.
func TestKeysAreNamedAsBubbleTeaDoes(t *testing.T) {
	tests := []struct {
		press tea.KeyPressMsg
		want  Command
	}{
		{tea.KeyPressMsg{Code: 'j', Text: "j"}, Down},
		{tea.KeyPressMsg{Code: 'g', Text: "G", Mod: tea.ModShift}, Bottom},
		{tea.KeyPressMsg{Code: tea.KeySpace, Text: " "}, Mark},
		{tea.KeyPressMsg{Code: tea.KeyEnter}, Open},
		{tea.KeyPressMsg{Code: tea.KeyEscape}, Back},
		{tea.KeyPressMsg{Code: tea.KeyTab, Mod: tea.ModShift}, PrevPane},
		{tea.KeyPressMsg{Code: tea.KeyPgDown}, PageDown},
		{tea.KeyPressMsg{Code: tea.KeyUp}, Up},
		{tea.KeyPressMsg{Code: 'd', Mod: tea.ModCtrl}, HalfPageDown},
		{tea.KeyPressMsg{Code: tea.KeyF1}, Help},
	}
	for _, tt := range tests {
		if got, _ := Default().Find(InPane, tt.press.String()); got.ID != tt.want {
			t.Errorf("%q is %q, want %q", tt.press.String(), got.ID, tt.want)
		}
	}
}

func TestRemap(t *testing.T) {
	tests := []struct {
		name string
		keys map[string][]string
		want []string // parts of the error; none: it must work
	}{
		{"moves a key", map[string][]string{"yank": {"t", "F2"}}, nil},
		{"names are forgiving", map[string][]string{"page-down": {"PgDn", "Ctrl+V"}, "top": {"Home"}}, nil},
		{"two can swap", map[string][]string{"force-unlock": {"C"}, "clear-expired": {"U"}}, nil},
		{"collision in a scope", map[string][]string{"yank": {"a"}}, []string{"menu", "yank", " a "}},
		{"collision with a key of everywhere", map[string][]string{"mark": {"f"}}, []string{"full-screen", "mark"}},
		{"twice", map[string][]string{"yank": {"t", "t"}}, []string{"yank", "twice"}},
		{"unknown command", map[string][]string{"force-lock": {"U"}}, []string{`"force-lock"`, `did you mean "force-unlock"`}},
		{"acts in lower case", map[string][]string{"retry": {"r"}}, []string{"retry acts", "capital"}},
		{"acts on enter", map[string][]string{"retry": {"enter"}}, []string{"retry acts"}},
		{"looks in upper case", map[string][]string{"yank": {"O"}}, []string{"yank does not act"}},
		{"confirms on enter", map[string][]string{"confirm": {"enter"}, "submit": {"ctrl+j"}}, []string{"confirm confirms"}},
		{"confirms in upper case", map[string][]string{"confirm": {"U"}}, []string{"confirm confirms"}},
		{"no key", map[string][]string{"yank": {}}, []string{"yank", "at least one"}},
		{"no name of a key", map[string][]string{"yank": {"two words"}}, []string{"yank", "two words"}},
		{"all mistakes at once", map[string][]string{"x": {"e"}, "mark": {}}, []string{`"x"`, "mark"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Default().Remap(tt.keys)
			if (err != nil) != (tt.want != nil) {
				t.Fatalf("error is %v", err)
			}
			for _, part := range tt.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("error does not say %q: %v", part, err)
				}
			}
		})
	}
}

func TestRemapLeavesTheOriginalAlone(t *testing.T) {
	before := Default()
	after, err := before.Remap(map[string][]string{"down": {"t"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, scope := range []Scope{InPane, InPage} {
		if b, _ := after.Find(scope, "t"); b.ID != Down {
			t.Errorf("t is %q in %s", b.ID, scope)
		}
		if b, ok := after.Find(scope, "j"); ok {
			t.Errorf("j still is %q in %s", b.ID, scope)
		}
	}
	if b, _ := before.Find(InPane, "j"); b.ID != Down {
		t.Error("the table that was remapped has changed")
	}
}

func TestMarkdownHasEveryCommandOnce(t *testing.T) {
	table := Default()
	text := table.Markdown()
	for _, b := range table.All() {
		if n := strings.Count(text, b.Help+" |"); n != 1 {
			t.Errorf("%s is %d times in the table", b.ID, n)
		}
	}
	for _, line := range strings.Split(strings.TrimSpace(text), "\n") {
		if strings.Count(strings.ReplaceAll(line, "\\|", ""), "|") != 3 {
			t.Errorf("not two columns: %s", line)
		}
		if strings.ContainsFunc(line, unicode.IsControl) {
			t.Errorf("a control in %q", line)
		}
	}
}
