package lab

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5"
)

// systemFaults are what is wrong below the application: its tables, the
// database server, its processes and folders.
func systemFaults() []Fault {
	fault := func(name, scenario, says string, inject func(context.Context, *injection) error) Fault {
		return Fault{Name: name, Says: says, Scenario: scenario, inject: inject}
	}
	return []Fault{
		fault("schema-drift", ScenarioFinalize, "A migration was done by hand: the column with the names of exams has another name.", schemaDrift),
		fault("autovacuum-off", ScenarioLatency, "Somebody turned autovacuum off for an import and forgot it.", autovacuumOff),
		fault("process-restarts", ScenarioLatency, "A web process ends and begins anew, again and again.", processRestarts),
		fault("folder-not-writable", ScenarioImport, "The media folder belongs to another user, and nobody may write in it.", folderNotWritable),
	}
}

func schemaDrift(ctx context.Context, in *injection) error {
	column := in.w.app.byDialect("name", "title")
	return in.statements(ctx, "ALTER TABLE exams_exam RENAME COLUMN "+column+" TO label", "ALTER TABLE exams_exam RENAME COLUMN label TO "+column)
}

// statements runs one as the application's role, and another one to heal.
func (in *injection) statements(ctx context.Context, do, back string) error {
	if _, err := in.w.pool.Exec(ctx, do); err != nil {
		return err
	}
	in.undoing(func(ctx context.Context) error { _, err := in.w.pool.Exec(ctx, back); return err })
	return nil
}

func autovacuumOff(ctx context.Context, in *injection) error {
	if err := in.w.setServer(ctx, "ALTER SYSTEM SET autovacuum = off", "off"); err != nil {
		return err
	}
	in.undoing(func(ctx context.Context) error { return in.w.setServer(ctx, "ALTER SYSTEM RESET autovacuum", "on") })
	return nil
}

// setServer changes a setting as superuser and waits until a session has it.
func (w *World) setServer(ctx context.Context, sql, want string) error {
	return w.asAdmin(ctx, databaseName, func(conn *pgx.Conn) error {
		for _, s := range []string{sql, "SELECT pg_reload_conf()"} {
			if _, err := conn.Exec(ctx, s); err != nil {
				return err
			}
		}
		for now := ""; now != want; {
			err := conn.QueryRow(ctx, "SELECT current_setting('autovacuum')").Scan(&now)
			if err == nil {
				err = nap(ctx, 5*time.Millisecond)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// processRestarts goes on until it is healed: the process loses its counters,
// the others keep theirs.
func processRestarts(_ context.Context, in *injection) error {
	in.loop(5*time.Second, func(context.Context) { in.w.RestartWebProcess(0) })
	return nil
}

func folderNotWritable(_ context.Context, in *injection) error {
	const nobody = 65534
	dir := in.w.MediaDir()
	for _, inside := range []string{"imports", "copies/source", "copies/final"} { // what is there stays writable
		if err := os.MkdirAll(filepath.Join(dir, inside), 0o755); err != nil {
			return err
		}
	}
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("look at the media folder: %w", err)
	}
	in.undoing(func(context.Context) error {
		if os.Geteuid() == 0 {
			if err := os.Chown(dir, 0, -1); err != nil {
				return err
			}
		}
		return os.Chmod(dir, info.Mode().Perm())
	})
	if os.Geteuid() == 0 { // root may write whatever the mode says, and others cannot give a folder away
		if err := os.Chown(dir, nobody, -1); err != nil {
			return err
		}
	}
	return os.Chmod(dir, 0o555)
}
