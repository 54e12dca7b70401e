package actions_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gradecockpit/actions"
)

func TestUndoableIsTheNewestThatWasNotTakenBack(t *testing.T) {
	undo := func(of string) *actions.Undo {
		return &actions.Undo{Action: "relock", Target: actions.Target{Kind: actions.OnRecord, ID: of}}
	}
	did := []string{"did"}
	first := actions.Record{Kind: actions.Outcome, ActionID: "1", Env: "test", Title: "first", Did: did, Undo: undo("1")}
	second := actions.Record{Kind: actions.Executed, ActionID: "2", Env: "test", Title: "second", Did: did, Undo: undo("2")}
	other := actions.Record{Kind: actions.Outcome, ActionID: "3", Env: "other", Title: "other", Did: did, Undo: undo("3")}
	failed := actions.Record{Kind: actions.Outcome, ActionID: "4", Env: "test", Action: "relock", Target: undo("2").Target}
	undone := actions.Record{Kind: actions.Outcome, ActionID: "5", Env: "test", Action: "relock", Target: undo("2").Target, Did: did}
	tests := map[string]struct {
		records []actions.Record
		want    string
	}{
		"nothing":             {nil, ""},
		"the newest":          {[]actions.Record{first, second, other}, "2"},
		"undo that failed":    {[]actions.Record{first, second, failed}, "2"},
		"undone":              {[]actions.Record{first, second, undone}, "1"},
		"another environment": {[]actions.Record{other}, ""},
	}
	for name, tt := range tests {
		r := newRunner(&fake{}, &memory{records: tt.records})
		_, target, title, ok := r.Undoable()
		if target.ID != tt.want || ok != (tt.want != "") || ok && !strings.HasPrefix(title, "Undo: ") {
			t.Errorf("%s: %q %q %v", name, target.ID, title, ok)
		}
	}
}

func TestSettleClosesWhatASessionLeftBehind(t *testing.T) {
	host, _ := os.Hostname()
	dead, alive := host+"/2147483646", host+"/1"
	now := time.Now()
	open := actions.Record{Kind: actions.Intent, ActionID: "1", Action: "fake", Title: "Fake A3F2", Env: "test", At: now, Actor: "jdoe", Session: dead}
	executed := actions.Record{Kind: actions.Executed, ActionID: "1", Env: "test", Did: []string{"did it"}, Undo: &actions.Undo{Action: "fake"}}
	closed := actions.Record{Kind: actions.Intent, ActionID: "2", Action: "fake", Env: "test", At: now, Session: dead}
	outcome := actions.Record{Kind: actions.Outcome, ActionID: "2", Env: "test"}
	beside := actions.Record{Kind: actions.Intent, ActionID: "3", Action: "fake", Env: "test", At: now, Session: alive}
	stale := actions.Record{Kind: actions.Intent, ActionID: "4", Action: "fake", Env: "test", At: now.Add(-time.Hour), Session: alive}
	other := actions.Record{Kind: actions.Intent, ActionID: "5", Action: "fake", Env: "other", At: now, Session: dead}
	m := &memory{records: []actions.Record{open, executed, closed, outcome, beside, stale, other}}
	before := len(m.records)
	r := newRunner(&fake{settle: actions.Verdict{Kind: actions.NotFixed, Says: "It was not done."}}, m)

	got, err := r.Settle(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, u := range got {
		ids = append(ids, u.Record.ActionID)
	}
	if diff := cmp.Diff([]string{"1", "4"}, ids); diff != "" {
		t.Error(diff)
	}
	added := m.records[before]
	if added.Kind != actions.Outcome || added.Actor != "jdoe" || added.Undo == nil || added.Verdict != actions.NotFixed {
		t.Errorf("%+v", added)
	}
	if again, err := r.Settle(t.Context()); len(again) != 0 || err != nil {
		t.Errorf("settled twice: %v %v", again, err)
	}
}
