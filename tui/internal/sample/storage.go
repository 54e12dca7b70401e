package sample

import (
	"math"
	"time"

	"gradecockpit/probes/storage"
)

// Storage has a large table without its index, a bloated one, one under ALTER
// TABLE, a slow statement, an N+1 and a standby that is late.
func Storage() storage.Overview {
	return storage.Overview{
		At: Server, Window: 5 * time.Minute, TableCount: 4, Tables: someTables(), Statements: someStatements(),
		Database: storage.Database{
			Name: "viatique", Role: "cockpit", Version: "15.18", Size: 1_320_702_976, Growth: storage.Growth{Bytes: 12 << 20, Over: time.Hour},
			CacheHits: 0.981, RecentCacheHits: 0.871, StatsSince: Ago(75 * time.Hour), XIDAge: 412_000_000, OldestName: "viatique", FreezeMax: 200_000_000,
			DataDir: "/var/lib/postgresql/15/main", Local: true,
		},
		Settings: []storage.Setting{
			{Name: "log_min_duration_statement", Value: "off", Says: "The server logs no slow statement. A reload is enough, no restart: ALTER SYSTEM SET log_min_duration_statement = '1s'; SELECT pg_reload_conf();"},
			{Name: "max_connections", Value: "100", Says: "Slots for all sessions, those reserved for superusers among them.", Restart: true},
		},
		Replication: storage.Replication{Standbys: []storage.Standby{{Name: "db2", Address: "10.0.0.12", State: "streaming", Sync: "async", Lag: 42 * time.Second, Behind: 31 << 20}}},
		Missing: []storage.Missing{
			{Table: "public.grading_gradingevent", Columns: []string{"copy_id", "timestamp"}, Why: "The timeline of a copy is read by it.", Matters: true,
				Create: "CREATE INDEX CONCURRENTLY ON public.grading_gradingevent (copy_id, timestamp);"},
			{Table: "public.exams_copy", Columns: []string{"status"}, Why: "The lists of copies by status ask by it.", Says: "The table is small: reading all of it is quick.",
				Create: "CREATE INDEX CONCURRENTLY ON public.exams_copy (status);"},
		},
	}
}

func someTables() []storage.Table {
	return []storage.Table{
		{Schema: "public", Name: "grading_gradingevent", Grading: true, Heap: 512 << 20, Indexes: 96 << 20, Toast: 8192, Growth: storage.Growth{Bytes: 9 << 20, Over: time.Hour},
			Rows: 2_410_332, Dead: 1820, Scans: storage.Scans{Seq: 9120, SeqRows: 21_982_227_840, Index: 44}, Recent: storage.Scans{Seq: 620, SeqRows: 1_494_405_840, Index: 3}, RecentKnown: true,
			Vacuumed: Ago(3 * time.Hour), Analyzed: Ago(3 * time.Hour), XIDAge: 1200,
			List: []storage.Index{{Name: "grading_gradingevent_pkey", Definition: "CREATE UNIQUE INDEX grading_gradingevent_pkey ON public.grading_gradingevent USING btree (id)", Columns: []string{"id"}, Size: 96 << 20, Scans: 44, Unique: true, Primary: true, Constraint: true, Valid: true}}},
		{Schema: "public", Name: "grading_draftstate", Grading: true, Heap: 220 << 20, Indexes: 4 << 20, Toast: 61 << 20, Growth: storage.Growth{Bytes: 3 << 20, Over: time.Hour},
			Rows: 41_000, Dead: 96_000, Scans: storage.Scans{Seq: 3, Index: 812_331}, Recent: storage.Scans{Index: 4100}, RecentKnown: true, XIDAge: 412_000_000},
		{Schema: "public", Name: "grading_copylock", Grading: true, Heap: 16384, Indexes: 98304, Growth: storage.Growth{Over: time.Hour},
			Rows: 38, Scans: storage.Scans{Seq: 20, Index: 90_210}, Recent: storage.Scans{Seq: 2, Index: 600}, RecentKnown: true, Vacuumed: Ago(5 * time.Minute), Analyzed: Ago(26 * time.Hour), XIDAge: 800,
			List: []storage.Index{
				{Name: "uniq_copylock_copy", Definition: "CREATE UNIQUE INDEX uniq_copylock_copy ON public.grading_copylock USING btree (copy_id)", Columns: []string{"copy_id"}, Size: 16384, Scans: 90_000, Unique: true, Constraint: true, Valid: true},
				{Name: "grading_copylock_copy_id_key", Definition: "CREATE UNIQUE INDEX grading_copylock_copy_id_key ON public.grading_copylock USING btree (copy_id)", Columns: []string{"copy_id"}, Size: 16384, Unique: true, Constraint: true, Valid: true, DuplicateOf: "uniq_copylock_copy"},
				{Name: "grading_copylock_expires_at", Definition: "CREATE INDEX grading_copylock_expires_at ON public.grading_copylock USING btree (expires_at)", Columns: []string{"expires_at"}, Size: 16384, Valid: true},
			}},
		{Schema: "archive", Name: "exams_copy_2024", Locked: true, Heap: storage.Unknown, Indexes: storage.Unknown, Toast: storage.Unknown, Rows: 812},
	}
}

func someStatements() storage.Statements {
	return storage.Statements{Since: Ago(75 * time.Hour), Count: 210, Total: 5120, Rows: []storage.Statement{
		{ID: 7311402231190234771, Text: "SELECT id, action, timestamp, metadata FROM grading_gradingevent WHERE copy_id = $1 ORDER BY timestamp DESC", Calls: 9120, Rows: 180_000, Total: 3402, Max: 4.1, Share: 0.66,
			Recent: storage.Counts{Calls: 620, Rows: 12_000, Total: 254, Share: 0.81}, RecentKnown: true},
		{ID: -4120993881, Text: "SELECT b.id, b.pages_images FROM exams_booklet b INNER JOIN exams_copy_booklets l ON b.id = l.booklet_id WHERE l.copy_id = $1", Calls: 48_000, Rows: 48_000, Total: 22, Max: 0.02, Share: 0.004,
			Recent: storage.Counts{Calls: 4000, Rows: 4000, Total: 1.8, Share: 0.006}, RecentKnown: true},
		{ID: 90210, Text: "SELECT id, anonymous_id FROM exams_copy WHERE exam_id = $1 ORDER BY anonymous_id LIMIT $2", Calls: 1200, Rows: 48_000, Total: 6, Max: 0.1, Share: 0.001,
			Recent: storage.Counts{Calls: 100, Rows: 4000, Total: 0.4, Share: 0.001}, RecentKnown: true},
		{ID: 11, Text: "UPDATE exams_copy SET status = $1 WHERE id = $2", Calls: 400, Rows: 400, Total: 0.4, Max: 0.01, Share: 0.0001, Recent: storage.Counts{Share: 0}, RecentKnown: true},
		{ID: 12, Text: "select clock_timestamp(), current_database()", Own: true, Calls: 900, Rows: 900, Total: 1.2, Max: 0.01, Share: 0.0002, Recent: storage.Counts{Calls: 20, Rows: 20, Total: 0.02, Share: 0.002}, RecentKnown: true},
	}}
}

// emptyStorage is a new database after its first look, without pg_stat_statements.
func emptyStorage() storage.Overview {
	return storage.Overview{At: Server, Database: storage.Database{Name: "viatique", Role: "cockpit", Version: "15.18", Size: 7_800_000, CacheHits: math.NaN(), RecentCacheHits: math.NaN(),
		OldestName: "postgres", FreezeMax: 200_000_000, XIDAge: 12},
		Statements: storage.Statements{Why: "pg_stat_statements is not installed: the server keeps no counts of statements.", Fix: "In postgresql.conf: shared_preload_libraries = 'pg_stat_statements', then a restart of PostgreSQL."},
		Hidden:     []string{"Role cockpit does not see where the data lies. GRANT pg_monitor TO cockpit;"}}
}

func hostileStorage() storage.Overview {
	o := Storage()
	o.Hidden = []string{Hostile}
	d := &o.Database
	d.Name, d.Version, d.OldestName, d.DataDir, d.CacheHits, d.RecentCacheHits, d.XIDAge = Hostile, Hostile, Hostile, Hostile, math.Inf(1), math.NaN(), 1_900_000_000
	o.Replication.Standbys = []storage.Standby{{Name: Hostile, Address: Hostile, State: Hostile, Sync: Hostile, Lag: -1, Behind: storage.Unknown}, {Name: Hostile, Address: Hostile}}
	o.Settings = []storage.Setting{{Name: Hostile, Value: Hostile, Says: Hostile}}
	o.Statements.Rows = []storage.Statement{{ID: 1, Text: Hostile, Calls: -1, Total: math.NaN(), Share: math.Inf(1)}}
	o.Tables = []storage.Table{{Schema: Hostile, Name: Hostile, Rows: -5, Dead: 9, List: []storage.Index{{Name: Hostile, Definition: Hostile, DuplicateOf: Hostile, Valid: true}}}}
	o.Missing = []storage.Missing{{Table: Hostile, Columns: []string{Hostile}, Why: Hostile, Matters: true, Create: Hostile}}
	return o
}
