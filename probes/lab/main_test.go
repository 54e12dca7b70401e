package lab_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"testing"

	"gradecockpit/probes/lab"
	"gradecockpit/probes/lab/labtest"
)

// ownerEnv makes this test binary the owner of servers, for tests that kill
// such a process.
const ownerEnv = "GRADECOCKPIT_TEST_OWNER"

func TestMain(m *testing.M) {
	if mode := os.Getenv(ownerEnv); mode != "" {
		if err := own(context.Background(), mode); err != nil {
			fmt.Println(err) // read by the test, where it wanted JSON
			os.Exit(1)
		}
		os.Exit(0)
	}
	labtest.Main(m)
}

// owned is what the owner says about its servers.
type owned struct {
	Dir      string // of PostgreSQL
	Server   int    // its first process
	RedisURL string
	PromDir  string // of Prometheus
}

// own starts servers, tells of them and stops them when its input ends. The
// mode "paused" freezes PostgreSQL, "with redis" and "with prometheus" start
// these too.
func own(ctx context.Context, mode string) error {
	s, err := lab.StartPostgres(ctx, lab.PostgresOptions{})
	if err != nil {
		return err
	}
	defer s.Stop()
	o := owned{Dir: s.Dir()}
	if o.Server, err = postmaster(s.Dir()); err != nil {
		return err
	}
	if mode == "with redis" {
		r, err := lab.StartRedis(ctx, lab.RedisOptions{})
		if err != nil {
			return err
		}
		defer r.Stop()
		o.RedisURL = r.URL()
	}
	if mode == "with prometheus" {
		p, err := lab.StartPrometheus(ctx, lab.PrometheusOptions{})
		if err != nil {
			return err
		}
		defer p.Stop()
		o.PromDir = p.Dir()
	}
	if mode == "paused" {
		s.Pause()
	}
	if err := json.NewEncoder(os.Stdout).Encode(o); err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
	return s.Stop()
}
