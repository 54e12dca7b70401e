package host

import (
	"context"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/shirou/gopsutil/v4/process"

	"gradecockpit/probes/lab"
	"gradecockpit/probes/lab/labtest"
	"gradecockpit/probes/postgres"
)

func reader(t *testing.T, dsn string) *postgres.Reader {
	t.Helper()
	r := postgres.NewReader(postgres.Config{ConnString: dsn})
	t.Cleanup(func() { _ = r.Close(context.Background()) })
	return r
}

// The data folder is the server's own word, if the role may know it and the
// server proves to run here.
func TestPostgreSQLsFolder(t *testing.T) {
	db := labtest.Postgres(t, lab.Deployed)
	var want string
	must(t, db.Pool.QueryRow(labtest.Context(t), "show data_directory").Scan(&want))
	o := sample(t, New(Config{Reader: reader(t, db.DSN()), Temporary: t.TempDir()}).Probe())
	f := o.Folders[len(o.Folders)-1]
	if f.Role != Database || f.Path != want || f.Mount == "" {
		t.Errorf("%+v, want %s", f, want)
	}
	for _, g := range o.Groups {
		if g.Name == "postgres" && g.Count > 0 {
			return
		}
	}
	t.Errorf("no process of postgres among %+v", o.Groups)
}

func TestARoleThatMayNotKnowTheFolder(t *testing.T) {
	db := labtest.Postgres(t, lab.Deployed)
	h := New(Config{Reader: reader(t, db.ReaderDSN()), Temporary: t.TempDir()})
	if all := strings.Join(sample(t, h.Probe()).Unseen, "\n"); !strings.Contains(all, "GRANT pg_read_all_settings") {
		t.Errorf("unseen: %s", all)
	}
	set := New(Config{Reader: reader(t, db.ReaderDSN()), Database: t.TempDir(), Temporary: t.TempDir()})
	if all := strings.Join(sample(t, set.Probe()).Unseen, "\n"); strings.Contains(all, "PostgreSQL") {
		t.Errorf("the folder was set, and yet: %s", all)
	}
}

// The folder is asked for once a connection, not at each look.
func TestTheServerIsAskedOnce(t *testing.T) {
	db := labtest.Postgres(t, lab.Deployed)
	r := reader(t, db.DSN())
	p := New(Config{Reader: r, Temporary: t.TempDir()}).Probe()
	sample(t, p)
	before := transactions(t, r)
	for range 5 {
		sample(t, p)
	}
	if after := transactions(t, r); after != before+1 {
		t.Errorf("five looks took %d transactions", after-before-1)
	}
}

// transactions counts those of the reader's connection, this one included, by
// the number that PostgreSQL gives each virtual transaction.
func transactions(t *testing.T, r *postgres.Reader) (n int64) {
	t.Helper()
	must(t, r.Tx(labtest.Context(t), func(tx pgx.Tx) error {
		return tx.QueryRow(t.Context(), "select split_part(virtualtransaction, '/', 2)::bigint from pg_locks where pid = pg_backend_pid() limit 1").Scan(&n)
	}))
	return n
}

// A process of the same number that began at another time is another one.
func TestOnlyTheSameProcessProvesIt(t *testing.T) {
	me := int32(os.Getpid())
	created, err := (&process.Process{Pid: me}).CreateTime()
	must(t, err)
	began := float64(created) / 1000
	if !runsHere(t.Context(), me, began) {
		t.Error("we run here")
	}
	if runsHere(t.Context(), me, began-60) || runsHere(t.Context(), math.MaxInt32, began) {
		t.Error("a process that is none of ours runs here")
	}
}

func TestADatabaseThatIsAwayIsAWord(t *testing.T) {
	r := reader(t, "host="+t.TempDir()+" dbname=none user=none")
	if all := strings.Join(sample(t, New(Config{Reader: r, Temporary: t.TempDir()}).Probe()).Unseen, "\n"); !strings.Contains(all, "cannot be asked now") {
		t.Errorf("unseen: %s", all)
	}
}
