package grading_test

import (
	"context"
	"testing"

	"gradecockpit/probes/grading"
	"gradecockpit/probes/lab"
	"gradecockpit/probes/lab/labtest"
	"gradecockpit/probes/postgres"
)

func TestUserID(t *testing.T) {
	for _, dialect := range []lab.Dialect{lab.Deployed, lab.Playbook} {
		t.Run(string(dialect), func(t *testing.T) {
			db := labtest.Postgres(t, dialect)
			want := db.AddUser("mdupont")
			r := postgres.NewReader(postgres.Config{ConnString: db.DSN()})
			defer r.Close(context.Background())
			p := grading.NewProbe(r, grading.Options{})
			for name, want := range map[string]int64{"mdupont": want, "MDUPONT": 0, "nobody": 0, "' or 1=1 --": 0} {
				if got, err := p.UserID(t.Context(), name); err != nil || got != want {
					t.Errorf("%s: got %d, %v; want %d", name, got, err, want)
				}
			}
		})
	}
}
