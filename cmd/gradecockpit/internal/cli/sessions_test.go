package cli

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"gradecockpit/probes/lab/labtest"
)

// sessionRows are the rows of show sessions -o json, by their kind.
func (s *station) sessionRows() map[string][]map[string]any {
	s.t.Helper()
	got := s.wants(exitOK, "", "show", "sessions", "-o", "json")
	var report struct{ Rows []map[string]any }
	if err := json.Unmarshal([]byte(got.out), &report); err != nil {
		s.t.Fatalf("%v: %s", err, got.out)
	}
	by := map[string][]map[string]any{}
	for _, r := range report.Rows {
		by[fmt.Sprint(r["kind"])] = append(by[fmt.Sprint(r["kind"])], r)
	}
	return by
}

// The transaction that somebody left open is found, looked at and ended from
// the command line, and those behind it go on.
func TestSessionsFromTheCommandLine(t *testing.T) {
	s := newStation(t)
	if err := s.Inject(labtest.Context(t), "open-transaction"); err != nil {
		t.Fatal(err)
	}
	rows := s.sessionRows()
	if len(rows["session"]) < 3 || len(rows["connections"]) != 1 || len(rows["group"]) == 0 {
		t.Fatalf("%v", rows)
	}
	root, waiter := rows["session"][0], rows["session"][1]
	if root["application"] != "psql" || root["blocks"] != 2.0 || root["state"] != "idle in transaction" || root["wrote"] != true {
		t.Errorf("the root is %v", root)
	}
	if waiter["depth"] != 1.0 || fmt.Sprint(waiter["blocked_by"]) != fmt.Sprint([]any{root["pid"]}) || waiter["waits"] != "row of exams_copy" {
		t.Errorf("the first behind it is %v", waiter)
	}
	pid := fmt.Sprint(root["pid"])
	s.wants(exitOK, "Blocks 2", "show", "session", pid)
	s.wants(exitOK, "holds    RowExclusiveLock on exams_copy", "show", "session", fmt.Sprint(root["id"]))
	s.wants(exitOK, "This session has ended.", "show", "session", "1")
	s.wants(exitBad, "", "show", "session", "x'; drop")
	s.wants(exitRefused, "to cancel does nothing", "cancel", pid)

	plan := s.wants(exitOK, "(risk: DANGER)", "disconnect", pid)
	if !strings.Contains(plan.out, "2 sessions wait for it") || !strings.Contains(plan.err, `--confirm "`+pid+`"`) {
		t.Errorf("%s%s", plan.out, plan.err)
	}
	s.wants(exitBad, "", "disconnect", pid, "--yes", "--reason", "left open")
	s.wants(exitOK, "fixed: "+pid+" (psql as viatique_user) is gone. 2 sessions that waited", "disconnect", pid, "--yes", "--reason", "left open", "--confirm", pid)
	s.wants(exitRefused, "has ended", "disconnect", fmt.Sprint(root["id"]))
	if n := len(s.sessionRows()["session"]); n >= len(rows["session"]) {
		t.Errorf("%d sessions are at work, as before", n)
	}
	s.wants(exitOK, "Disconnect", "journal")
}

// A read-only cockpit shows sessions and signals none.
func TestReadOnlyDisconnectsNobody(t *testing.T) {
	s := newStation(t)
	cfg, err := pgx.ParseConfig(s.env["DATABASE_URL"])
	if err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.ConnectConfig(labtest.Context(t), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(labtest.Context(t))
	pid := fmt.Sprint(conn.PgConn().PID())
	s.wants(exitOK, "whose", "--read-only", "show", "session", pid)
	s.wants(exitRefused, "read-only", "--read-only", "disconnect", pid, "--yes", "--reason", "x")
	if _, err := conn.Exec(labtest.Context(t), "select 1"); err != nil {
		t.Errorf("it was disconnected: %v", err)
	}
}
