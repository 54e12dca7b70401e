package postgres

import (
	"fmt"
	"path/filepath"
	"testing"

	"gradecockpit/probes/internal/wiretap"
	"gradecockpit/probes/lab"
	"gradecockpit/probes/lab/labtest"
)

func TestMain(m *testing.M) { labtest.Main(m) }

// tapped gives a connection string that goes through a wiretap.
func tapped(t *testing.T, db *labtest.DB) (*wiretap.Tap, string) {
	t.Helper()
	tap := wiretap.New(t, "unix", filepath.Join(db.Server.Dir(), ".s.PGSQL.5432"))
	return tap, fmt.Sprintf("host=%s port=%d dbname=%s user=%s sslmode=disable", tap.Host, tap.Port, db.Name, lab.AdminUser)
}

// reader is closed with the test, and has to close in time.
func reader(t *testing.T, cfg Config) *Reader {
	t.Helper()
	r := NewReader(cfg)
	t.Cleanup(func() {
		if err := r.Close(labtest.Context(t)); err != nil {
			t.Errorf("close the reader: %v", err)
		}
	})
	return r
}
