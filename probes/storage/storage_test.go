package storage

import (
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gradecockpit/probes/internal/wiretap"
	"gradecockpit/probes/lab"
	"gradecockpit/probes/lab/labtest"
	"gradecockpit/probes/postgres"
)

func TestMain(m *testing.M) { labtest.Main(m) }

func probe(t *testing.T, dsn string) *Probe {
	t.Helper()
	r := postgres.NewReader(postgres.Config{ConnString: dsn, StatementTimeout: 20 * time.Second})
	t.Cleanup(func() {
		if err := r.Close(labtest.Context(t)); err != nil {
			t.Error(err)
		}
	})
	p := New(r)
	p.past.least = 0 // tests do not wait
	return p
}

func sample(t *testing.T, p *Probe) Overview {
	t.Helper()
	v, err := p.Sample(labtest.Context(t))
	if err != nil {
		t.Fatal(err)
	}
	return v.(Overview)
}

// until looks again until a look satisfies: the server publishes its counters
// with a delay.
func until(t *testing.T, p *Probe, what string, ok func(Overview) bool) Overview {
	t.Helper()
	ctx := labtest.Context(t)
	for {
		o := sample(t, p)
		if ok(o) {
			return o
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%s did not come; last look: %+v", what, o)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// published makes the sessions hand in their counters at once: they do when
// they end, and else within ten seconds.
func published(db *labtest.DB) { db.Pool.Reset() }

func dialects(t *testing.T, test func(*testing.T, lab.Dialect)) {
	for _, d := range []lab.Dialect{lab.Deployed, lab.Playbook} {
		t.Run(string(d), func(t *testing.T) {
			t.Parallel()
			test(t, d)
		})
	}
}

// monitor is a role with pg_monitor and nothing else.
func monitor(db *labtest.DB) string { return db.RoleDSN("pg_monitor") }

// addEvents makes the table of the events large.
func addEvents(db *labtest.DB, n int) {
	user, copyID := db.AddUser("mdupont"), db.AddCopy(lab.CopyRow{Exam: db.AddExam("maths"), Anon: "A3F2-0001", Status: "READY"})
	db.Exec(`INSERT INTO grading_gradingevent (id, action, timestamp, metadata, copy_id, actor_id)
		SELECT gen_random_uuid(), 'CREATE_ANN', now() - g * interval '1 minute', '{}', $1, $2 FROM generate_series(1, $3::int) g`, copyID, user, n)
	db.Exec("ANALYZE grading_gradingevent")
}

// What the probe says is what psql would be told.
func TestFiguresAreTheServersOwn(t *testing.T) {
	t.Parallel()
	dialects(t, func(t *testing.T, d lab.Dialect) {
		db := labtest.Postgres(t, d)
		addEvents(db, 3000)
		db.Exec("VACUUM ANALYZE exams_copy")
		o := sample(t, probe(t, monitor(db)))
		if got, want := o.Database.Size, labtest.Get[int64](db, "SELECT pg_database_size(current_database())"); math.Abs(float64(got-want)) > 1<<20 {
			t.Errorf("the database has %d bytes, psql says %d", got, want)
		}
		if o.Database.Name != db.Name || !o.Database.Local || o.Database.DataDir != labtest.Get[string](db, "SHOW data_directory") {
			t.Errorf("%+v", o.Database)
		}
		if age := labtest.Get[int64](db, "SELECT max(age(datfrozenxid))::bigint FROM pg_database WHERE datallowconn"); o.Database.XIDAge <= 0 || o.Database.XIDAge > age {
			t.Errorf("age %d, psql says %d", o.Database.XIDAge, age)
		}
		for _, name := range []string{"exams_copy", "grading_gradingevent", "grading_copylock"} {
			got := o.table("public." + name)
			if got == nil {
				t.Fatalf("%s is not there", name)
			}
			want := labtest.Get[int64](db, "SELECT pg_indexes_size($1::text::regclass)", name)
			heap := labtest.Get[int64](db, "SELECT pg_relation_size($1::text::regclass)", name)
			if got.Heap != heap || got.Indexes != want || !got.Grading || got.Locked {
				t.Errorf("%s: %+v; psql: heap %d, indexes %d", name, got, heap, want)
			}
		}
		if o.TableCount != labtest.Get[int](db, "SELECT count(*)::int FROM pg_tables WHERE schemaname = 'public'") || len(o.Tables) != o.TableCount {
			t.Errorf("%d of %d tables", len(o.Tables), o.TableCount)
		}
		if o.Tables[0].Name != "grading_gradingevent" || o.table("public.exams_copy").Vacuumed.IsZero() {
			t.Errorf("the largest is %s; exams_copy was vacuumed %v", o.Tables[0].Ref(), o.table("public.exams_copy").Vacuumed)
		}
		if len(o.Hidden) != 0 || len(o.Replication.Standbys) != 0 || o.Replication.Replica || o.Replication.Blind {
			t.Errorf("hidden %q, replication %+v", o.Hidden, o.Replication)
		}
	})
}

// Nothing is known of growth and of now until the second look.
func TestTheFirstLookKnowsNoGrowth(t *testing.T) {
	t.Parallel()
	db := labtest.Postgres(t, lab.Deployed)
	p := probe(t, db.DSN())
	o := sample(t, p)
	if o.Window != 0 || o.Database.Growth.Known() || !math.IsNaN(o.Database.Growth.PerHour()) || !math.IsNaN(o.Database.RecentCacheHits) || o.Tables[0].RecentKnown {
		t.Errorf("%+v", o.Database)
	}
	addEvents(db, 4000)
	o = sample(t, p)
	table := o.table("public.grading_gradingevent")
	if o.Window <= 0 || o.Database.Growth.Bytes < 300_000 || table.Growth.Bytes < 300_000 || table.Growth.PerHour() <= float64(table.Growth.Bytes) {
		t.Errorf("window %s, database %+v, table %+v", o.Window, o.Database.Growth, table.Growth)
	}
}

// A large table without its index, read again and again.
func TestAMissingIndexThatHurts(t *testing.T) {
	t.Parallel()
	dialects(t, func(t *testing.T, d lab.Dialect) {
		db := labtest.Postgres(t, d)
		addEvents(db, Large+5000)
		db.Exec("DROP INDEX grading_gra_copy_id_160cd8_idx")
		p := probe(t, monitor(db))
		sample(t, p)
		copyID := labtest.Get[string](db, "SELECT id::text FROM exams_copy")
		for range 5 {
			db.Exec("SELECT count(*) FROM grading_gradingevent WHERE copy_id = $1", copyID)
		}
		published(db)
		o := until(t, p, "the scans", func(o Overview) bool { return o.table("public.grading_gradingevent").Recent.Seq >= 5 })
		want := Missing{Table: "public.grading_gradingevent", Columns: []string{"copy_id", "timestamp"}, Why: "The timeline of a copy is read by it.",
			Matters: true, Create: "CREATE INDEX CONCURRENTLY ON public.grading_gradingevent (copy_id, timestamp);"}
		if diff := cmp.Diff(want, o.Missing[0]); diff != "" {
			t.Error(diff)
		}
		db.Exec(strings.TrimSuffix(o.Missing[0].Create, ";"))
		o = sample(t, p)
		if slices.ContainsFunc(o.Missing, func(m Missing) bool { return m.Columns[0] == "copy_id" && m.Table == want.Table }) {
			t.Errorf("after the advice it still misses %+v", o.Missing)
		}
	})
}

// No index on status is the design of newer generations, and no incident on a
// small table.
func TestNoIndexOnStatusIsNoIncident(t *testing.T) {
	t.Parallel()
	find := func(d lab.Dialect) (Missing, bool) {
		o := sample(t, probe(t, labtest.Postgres(t, d).DSN()))
		i := slices.IndexFunc(o.Missing, func(m Missing) bool { return m.Table == "public.exams_copy" && m.Columns[0] == "status" })
		if i < 0 {
			return Missing{}, false
		}
		return o.Missing[i], true
	}
	if m, ok := find(lab.Deployed); !ok || m.Matters || !strings.Contains(m.Says, "small") || !strings.Contains(m.Says, "by design") {
		t.Errorf("deployed: %v %+v", ok, m)
	}
	if m, ok := find(lab.Playbook); ok {
		t.Errorf("the playbook's table has that index: %+v", m)
	}
}

func TestForeignKeysWithoutIndex(t *testing.T) {
	t.Parallel()
	db := labtest.Postgres(t, lab.Playbook)
	var got []string
	for _, m := range sample(t, probe(t, db.DSN())).Missing {
		got = append(got, m.Table+" "+strings.Join(m.Columns, ","))
	}
	for _, want := range []string{"public.grading_copylock locked_by_id", "public.grading_annotation created_by_id", "public.grading_draftstate owner_id"} {
		if !slices.Contains(got, want) {
			t.Errorf("%s is not among %q", want, got)
		}
	}
	if slices.Contains(got, "public.grading_copylock copy_id") {
		t.Errorf("copy_id has an index: %q", got)
	}
}

// The lock table of the deployed system has its index on copy_id three times.
func TestIndexesThatNobodyNeeds(t *testing.T) {
	t.Parallel()
	db := labtest.Postgres(t, lab.Deployed)
	db.Exec("CREATE INDEX grading_cop_copy_id_9f1c_idx ON grading_copylock (copy_id)")
	db.Exec("ALTER TABLE grading_copylock ADD CONSTRAINT once_more UNIQUE (copy_id)")
	db.Exec("CREATE INDEX only_live ON grading_copylock (copy_id) WHERE expires_at > '2026-01-01'")
	p := probe(t, monitor(db))
	o := sample(t, p)
	table := o.table("public.grading_copylock")
	duplicates := map[string]bool{}
	for _, i := range table.List {
		if i.DuplicateOf != "" {
			duplicates[i.Name] = true
		}
		if i.Definition != labtest.Get[string](db, "SELECT indexdef FROM pg_indexes WHERE indexname = $1", i.Name) {
			t.Errorf("%s is defined as %q", i.Name, i.Definition)
		}
	}
	// One of the two constraints stays, whichever.
	if len(duplicates) != 2 || !duplicates["grading_cop_copy_id_9f1c_idx"] || duplicates["only_live"] || duplicates["grading_copylock_pkey"] {
		t.Errorf("duplicates are %v", duplicates)
	}
	unused := func(o Overview, name string) bool {
		l := o.table("public.grading_copylock").List
		return l[slices.IndexFunc(l, func(i Index) bool { return i.Name == name })].Unused()
	}
	if !unused(o, "grading_copylock_expires_at") || unused(o, "grading_copylock_pkey") || unused(o, "uniq_copylock_copy") {
		t.Errorf("%+v", table.List)
	}
	db.Exec("SET enable_seqscan = off; SELECT 1 FROM grading_copylock WHERE expires_at < now(); RESET enable_seqscan")
	published(db)
	until(t, p, "the use of the index", func(o Overview) bool { return !unused(o, "grading_copylock_expires_at") })
}

func TestABloatedTable(t *testing.T) {
	t.Parallel()
	db := labtest.Postgres(t, lab.Deployed)
	db.Exec("ALTER TABLE grading_gradingevent SET (autovacuum_enabled = off)")
	addEvents(db, 2000)
	db.Exec("UPDATE grading_gradingevent SET action = 'DELETE_ANN'")
	db.Exec("UPDATE grading_gradingevent SET action = 'CREATE_ANN'")
	p := probe(t, monitor(db))
	published(db)
	psql := func(column string) int64 {
		return labtest.Get[int64](db, "SELECT "+column+" FROM pg_stat_user_tables WHERE relname = 'grading_gradingevent'")
	}
	o := until(t, p, "the dead rows", func(o Overview) bool {
		table := o.table("public.grading_gradingevent")
		return table.Dead >= 4000 && table.Dead == psql("n_dead_tup") && table.Rows == psql("n_live_tup")
	})
	table := o.table("public.grading_gradingevent")
	if want := float64(table.Dead) / float64(table.Dead+table.Rows); table.DeadShare() != want || want < 0.4 || !table.Vacuumed.IsZero() || table.Analyzed.IsZero() {
		t.Errorf("%+v", table)
	}
	if empty := o.table("public.grading_score"); !math.IsNaN(empty.DeadShare()) {
		t.Errorf("an empty table has a share of dead rows: %v", empty.DeadShare())
	}
}

// A table under ALTER TABLE does not hold the look up, and has no size.
func TestALockedTableHasNoSize(t *testing.T) {
	t.Parallel()
	db := labtest.Postgres(t, lab.Deployed)
	ctx := labtest.Context(t)
	tx, err := db.Pool.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(ctx)
	if _, err := tx.Exec(ctx, "LOCK TABLE exams_copy IN ACCESS EXCLUSIVE MODE"); err != nil {
		t.Fatal(err)
	}
	o := sample(t, probe(t, db.DSN()))
	if c := o.table("public.exams_copy"); !c.Locked || c.Total() != Unknown || len(c.List) == 0 {
		t.Errorf("%+v", c)
	}
	if e := o.table("public.exams_exam"); e.Locked || e.Total() == Unknown {
		t.Errorf("%+v", e)
	}
}

// In steady state a look is one round trip, also with pg_stat_statements.
func TestALookIsOneRoundTrip(t *testing.T) {
	t.Parallel()
	db := labtest.Postgres(t, lab.Deployed)
	tap := wiretap.New(t, "unix", filepath.Join(db.Server.Dir(), ".s.PGSQL.5432"))
	p := probe(t, fmt.Sprintf("host=%s port=%d dbname=%s user=%s sslmode=disable", tap.Host, tap.Port, db.Name, lab.AdminUser))
	trips := func() int {
		before := tap.RoundTrips()
		sample(t, p)
		return tap.RoundTrips() - before
	}
	trips() // connects
	if n := trips(); n != 1 {
		t.Errorf("%d round trips without the extension", n)
	}
	statementsIn(t, db)
	trips() // finds it
	if n := trips(); n != 1 {
		t.Errorf("%d round trips with the extension", n)
	}
	db.Exec("DROP EXTENSION pg_stat_statements")
	if o := sample(t, p); !strings.Contains(o.Statements.Why, "not created") || len(o.Statements.Rows) != 0 {
		t.Errorf("after DROP EXTENSION: %+v", o.Statements)
	}
	if n := trips(); n != 1 {
		t.Errorf("%d round trips after DROP EXTENSION", n)
	}
}

// A role without pg_monitor sees the tables, and is told what it does not see.
func TestWithoutMonitorTheRestIsNamed(t *testing.T) {
	t.Parallel()
	db := labtest.Postgres(t, lab.Deployed)
	statementsIn(t, db)
	slowly(db, 1)
	o := sample(t, probe(t, db.RoleDSN()))
	if len(o.Hidden) != 1 || !strings.Contains(o.Hidden[0], "statements of other roles, where the data lies. GRANT pg_monitor TO "+o.Database.Role) || o.Statements.Hidden == 0 {
		t.Errorf("%q, %d hidden", o.Hidden, o.Statements.Hidden)
	}
	if o.Database.DataDir != "" || o.table("public.exams_copy").Total() <= 0 || o.Database.Size <= 0 {
		t.Errorf("%+v", o.Database)
	}
}

func TestASettingThatMatters(t *testing.T) {
	t.Parallel()
	db := labtest.Postgres(t, lab.Deployed)
	o := sample(t, probe(t, db.DSN()))
	got := map[string]Setting{}
	for _, s := range o.Settings {
		got[s.Name] = s
	}
	if s := got["log_min_duration_statement"]; s.Value != "off" || !strings.Contains(s.Says, "A reload is enough") {
		t.Errorf("%+v", s)
	}
	if got["max_connections"].Value != "60" || got["shared_buffers"].Value != "32MB" || got["idle_in_transaction_session_timeout"].Value != "none" {
		t.Errorf("%+v", got)
	}
}

// Names of tables are data: they are cleaned before anything shows them.
func TestHostileNames(t *testing.T) {
	t.Parallel()
	db := labtest.Postgres(t, lab.Deployed)
	db.Exec("CREATE TABLE \"a\x1b[31m\" (id int, \"b\"\"c\" int REFERENCES auth_user)")
	o := sample(t, probe(t, db.DSN()))
	for _, table := range o.Tables {
		if strings.ContainsAny(table.Ref(), "\x1b\n") {
			t.Errorf("%q", table.Ref())
		}
	}
	if !slices.ContainsFunc(o.Missing, func(m Missing) bool { return strings.Contains(m.Create, `"b""c"`) }) {
		t.Errorf("%+v", o.Missing)
	}
}
