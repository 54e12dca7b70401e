package tasks

import (
	"strings"
	"testing"
	"time"

	"gradecockpit/actions/rows"
	"gradecockpit/probes/grading"
	"gradecockpit/probes/lab/labtest"
)

func TestMain(m *testing.M) { labtest.Main(m) }

// The rows are those of the facts' tables "Which user a retry must use" and
// "Statuses x what a finalize task does".
func TestDecide(t *testing.T) {
	live := &rows.Lock{ID: "1", CopyID: "c", Token: "11112222-token", Owner: grading.User{ID: 3, Name: "jmartin"}, Expires: time.Now().Add(time.Hour)}
	old := &rows.Lock{ID: "1", CopyID: "c", Token: "11112222-token", Owner: grading.User{ID: 3, Name: "jmartin"}, Expired: true}
	const yes, no, unknown = grading.TriYes, grading.TriNo, grading.TriUnknown
	tests := map[string]struct {
		status   string
		lock     *rows.Lock
		lockedBy int64
		locks    grading.Tri
		playbook bool
		facts    rows.Facts
		operator int64

		user  int64
		token string
		clear bool
		risk  string // part of a warning
		no    string // part of a refusal; the rest is then not looked at
	}{
		"LOCKED, live row":                 {status: "LOCKED", lock: live, lockedBy: 3, locks: yes, user: 3, token: "11112222-token", risk: "may be correcting right now"},
		"LOCKED, live row of another":      {status: "LOCKED", lock: live, lockedBy: 9, locks: yes, user: 3, token: "11112222-token"},
		"LOCKED, expired row":              {status: "LOCKED", lock: old, lockedBy: 4, locks: yes, user: 4, clear: true},
		"LOCKED, expired row, nobody":      {status: "LOCKED", lock: old, locks: yes, no: "Nothing says who locked"},
		"LOCKED, no row":                   {status: "LOCKED", lockedBy: 4, locks: yes, user: 4, risk: "finished or not"},
		"LOCKED, no row, nobody":           {status: "LOCKED", locks: yes, no: "Nothing says who locked"},
		"LOCKED, locks unknown":            {status: "LOCKED", lockedBy: 4, locks: unknown, user: 4, risk: "fails and changes nothing"},
		"LOCKED, locks removed":            {status: "LOCKED", lockedBy: 4, locks: no, no: "no task leaves that status"},
		"LOCKED, no pages":                 {status: "LOCKED", lockedBy: 4, locks: yes, facts: rows.Facts{Pages: 0}, no: "has no pages"},
		"LOCKED, two FINALIZE":             {status: "LOCKED", lockedBy: 4, locks: yes, facts: rows.Facts{Pages: 4, Finalizes: map[int64]int{4: 2}}, no: "2 FINALIZE events"},
		"LOCKED, two FINALIZE of another":  {status: "LOCKED", lockedBy: 4, locks: yes, facts: rows.Facts{Pages: 4, Finalizes: map[int64]int{5: 2}}, user: 4},
		"LOCKED, one FINALIZE":             {status: "LOCKED", lockedBy: 4, locks: yes, facts: rows.Facts{Pages: 4, Finalizes: map[int64]int{4: 1}}, user: 4, risk: "reuses it"},
		"FAILED, locked by":                {status: "GRADING_FAILED", lockedBy: 4, locks: yes, user: 4},
		"FAILED, nobody":                   {status: "GRADING_FAILED", locks: yes, no: "Nothing says who locked"},
		"FAILED, live row":                 {status: "GRADING_FAILED", lock: live, locks: yes, user: 3, token: "11112222-token"},
		"FAILED, locks removed, corrector": {status: "GRADING_FAILED", locks: no, facts: rows.Facts{Pages: 4, Corrector: 6, LastAnn: 7}, user: 6},
		"FAILED, locks removed, annotator": {status: "GRADING_FAILED", locks: no, facts: rows.Facts{Pages: 4, LastAnn: 7}, user: 7},
		"READY, locks removed":             {status: "READY", locks: no, facts: rows.Facts{Pages: 4, Corrector: 6}, user: 6, risk: "corrected or not"},
		"READY, locks removed, nobody":     {status: "READY", locks: no, no: "looks uncorrected"},
		"READY, locks":                     {status: "READY", locks: yes, no: "only LOCKED or GRADING_FAILED"},
		"READY, locks unknown":             {status: "READY", locks: unknown, no: "not known whether locks are in use"},
		"GRADED":                           {status: "GRADED", locks: yes, no: "GRADED already"},
		"IN_PROGRESS":                      {status: "GRADING_IN_PROGRESS", locks: yes, no: "opens the copy makes it LOCKED again"},
		"IN_PROGRESS, locks removed":       {status: "GRADING_IN_PROGRESS", locks: no, no: "needs SQL"},
		"QUARANTINE":                       {status: "QUARANTINE", locks: yes, no: "no task leads out of"},
		"STAGING with pages":               {status: "STAGING", playbook: true, locks: yes, no: "normal state after an upload"},
		"STAGING, deployed":                {status: "STAGING", locks: yes, facts: rows.Facts{Pages: 0}, no: "makes a new one from a file"},
		"STAGING, playbook":                {status: "STAGING", playbook: true, locks: yes, facts: rows.Facts{Pages: 0, LastImport: 8}, operator: 1, user: 8},
		"STAGING, playbook, operator":      {status: "STAGING", playbook: true, locks: yes, facts: rows.Facts{Pages: 0}, operator: 1, user: 1},
		"STAGING, playbook, nobody":        {status: "STAGING", playbook: true, locks: yes, facts: rows.Facts{Pages: 0}, no: "you have no account"},
		"STAGING, playbook, pages unknown": {status: "STAGING", playbook: true, locks: yes, facts: rows.Facts{Pages: -1}, operator: 1, no: "cannot be read"},
		"playbook, expired row":            {status: "LOCKED", lock: old, playbook: true, locks: yes, user: 3, clear: true},
		"playbook, no row, LOCK event":     {status: "LOCKED", playbook: true, locks: yes, facts: rows.Facts{Pages: 4, LastLock: 5, LastWork: 6}, user: 5},
		"playbook, no row, work":           {status: "LOCKED", playbook: true, locks: yes, facts: rows.Facts{Pages: 4, LastWork: 6}, user: 6},
		"playbook, no row, nobody":         {status: "LOCKED", playbook: true, locks: yes, no: "Nothing says who locked"},
		"playbook, attempts leave events":  {status: "LOCKED", playbook: true, locks: yes, facts: rows.Facts{Pages: 4, LastLock: 5, Finalizes: map[int64]int{5: 2}}, user: 5},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if tt.facts.Pages == 0 && !strings.Contains(name, "no pages") && !(tt.status == "STAGING" && name != "STAGING with pages") {
				tt.facts.Pages = 4
			}
			o, no := decide(situation{
				copy: &rows.Copy{ID: "c", Anon: "A3F2", Status: tt.status, LockedBy: tt.lockedBy, Lock: tt.lock}, facts: &tt.facts,
				locks: tt.locks, namesOne: !tt.playbook, playbook: tt.playbook, operator: tt.operator,
			})
			if tt.no != "" {
				if no == nil || !strings.Contains(no.Error(), tt.no) {
					t.Errorf("not refused for %q: %v", tt.no, no)
				}
				return
			}
			if no != nil {
				t.Fatal(no)
			}
			if o.user != tt.user || o.token != tt.token || (o.clear != nil) != tt.clear || !strings.Contains(strings.Join(o.risky, " "), tt.risk) {
				t.Errorf("%+v", o)
			}
		})
	}
}
