package activity

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"gradecockpit/probes/lab"
	"gradecockpit/probes/lab/labtest"
)

// Text of others is made harmless, and passwords in statements are left out.
func TestHostileText(t *testing.T) {
	db := labtest.Postgres(t, lab.Deployed)
	c := connect(t, db.DSN(), "x\x1b[2J")
	c.does("begin")
	c.does("select '\x1b]52;c;aGk=\x07\u202e', 'password ''hunter2'' '")
	s := find(t, sample(t, probe(t, db.DSN())), c.pid)
	if strings.ContainsAny(s.Text+s.App+s.Who(), "\x1b\x07\u202e") || !strings.Contains(s.Text, `\x1b]52`) {
		t.Errorf("%q %q", s.Text, s.App)
	}
	c.does(`create role r_hidden password 'hunter2'`)
	d, err := probe(t, db.DSN()).Session(labtest.Context(t), fmt.Sprint(c.pid))
	if err != nil || strings.Contains(fmt.Sprintf("%+v", d), "hunter2") || d.Session.Text != "create role r_hidden password '…'" {
		t.Errorf("%v %+v", err, d.Session)
	}
}

func TestLocksOfASession(t *testing.T) {
	db := labtest.Postgres(t, lab.Deployed)
	a, b := connect(t, db.DSN(), ""), connect(t, db.DSN(), "")
	a.does("begin")
	a.does("lock table grading_copylock in exclusive mode")
	b.does("begin")
	b.does("select count(*) from exams_copy")
	b.begins("delete from grading_copylock")
	waiting(t, db, b.pid)
	d, err := probe(t, db.DSN()).Session(labtest.Context(t), fmt.Sprint(b.pid))
	if err != nil {
		t.Fatal(err)
	}
	want := psql(t, db, fmt.Sprintf(`select l.granted, c.relname, l.mode from pg_locks l join pg_class c on c.oid = l.relation where l.pid = %d and c.relkind = 'r' order by 1, 2, 3`, b.pid))
	var got []string
	for _, l := range d.Locks {
		if l.Relation != "" && !l.Index {
			got = append(got, fmt.Sprintf("%.1s|%s|%s", fmt.Sprint(l.Granted), l.Relation, l.Mode))
		}
	}
	equal(t, "locks", want, got)
	if d.Locks[0].Granted || time.Since(d.Locks[0].Since) > time.Hour {
		t.Errorf("the wait is not first: %+v", d.Locks)
	}
}
