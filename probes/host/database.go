package host

import (
	"context"
	"errors"
	"math"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/shirou/gopsutil/v4/process"

	"gradecockpit/probes/postgres"
)

// askAgain bounds how long a new GRANT goes unnoticed.
const askAgain = 5 * time.Minute

// dataFolder finds PostgreSQL's data folder.
type dataFolder struct {
	path   string // as it was configured
	reader *postgres.Reader

	mu         sync.Mutex
	generation uint64
	asked      time.Time
	found, why string
}

// find gives the folder, or why it is not known. The server is asked once for
// each connection.
func (d *dataFolder) find(ctx context.Context) (path, why string) {
	switch {
	case d.path != "":
		return d.path, ""
	case d.reader == nil:
		return "", "PostgreSQL's data folder is not looked at: no database is configured."
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.asked.IsZero() || d.generation != d.reader.Generation() || time.Since(d.asked) > askAgain {
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		d.found, d.why = d.ask(ctx)
		d.asked, d.generation = time.Now(), d.reader.Generation()
	}
	return d.found, d.why
}

// dataQuery: pg_settings has no row for what the role may not know. The backend
// is this connection's own process; a pooler in between does not change that.
const dataQuery = `select pg_backend_pid(), extract(epoch from backend_start)::float8,
	coalesce((select setting from pg_settings where name = 'data_directory'), '')
	from pg_stat_activity where pid = pg_backend_pid()`

func (d *dataFolder) ask(ctx context.Context) (path, why string) {
	local := false
	err := d.reader.Tx(ctx, func(tx pgx.Tx) error {
		var pid int32
		var started *float64
		if err := tx.QueryRow(ctx, dataQuery).Scan(&pid, &started, &path); err != nil {
			return err
		}
		// Now, because the process ends with the connection.
		local = started != nil && runsHere(ctx, pid, *started)
		return nil
	})
	switch {
	case errors.Is(err, pgx.ErrNoRows), err != nil:
		return "", "PostgreSQL's data folder is not known: the server cannot be asked now."
	case !local:
		return "", "PostgreSQL's disk is not seen: the server runs on another machine or in a container. Look there, or set GRADECOCKPIT_DATA_DIR to where its folder is mounted here."
	case path == "":
		return "", "PostgreSQL's disk is not looked at: its role may not know the data folder. GRANT pg_read_all_settings to it, or set GRADECOCKPIT_DATA_DIR."
	}
	return path, ""
}

// startsAgree is how far the start of a process by the kernel's clock, which
// counts from boot in hundredths, may be from the server's.
const startsAgree = 3 * time.Second

// runsHere proves that a server's process is one of this machine: a process of
// that number was started at that moment. An address would prove nothing, as a
// tunnel ends on localhost too.
func runsHere(ctx context.Context, pid int32, started float64) bool {
	created, err := (&process.Process{Pid: pid}).CreateTimeWithContext(ctx)
	if err != nil {
		return false
	}
	return math.Abs(float64(created)/1000-started) <= startsAgree.Seconds()
}
