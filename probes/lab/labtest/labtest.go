// Package labtest gives tests the servers of package lab: one PostgreSQL for a
// test binary with a database of its own for each test, Redis, PgBouncer, and
// fixtures that fail the test instead of returning errors.
//
// A package that uses it has
//
//	func TestMain(m *testing.M) { labtest.Main(m) }
package labtest

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	"gradecockpit/probes/lab"
)

// patience bounds every start and every statement of a fixture: far more than
// needed, so that only a hang meets it.
const patience = time.Minute

// Main runs the tests, stops the servers they shared and then looks for leaked
// goroutines (ignore names exceptions). It exits the process.
func Main(m *testing.M, ignore ...goleak.Option) {
	code := m.Run()
	if err := shared.stop(); err != nil {
		fmt.Fprintln(os.Stderr, "labtest:", err)
		code = max(code, 1)
	}
	if code == 0 {
		if err := goleak.Find(ignore...); err != nil {
			fmt.Fprintln(os.Stderr, "goleak:", err)
			code = 1
		}
	}
	os.Exit(code)
}

// Need skips the test when a program is not installed; with
// GRADECOCKPIT_REQUIRE_ALL=1, as in CI, that fails it.
func Need(t testing.TB, program string) {
	t.Helper()
	if _, err := lab.Program(program); err != nil {
		Missing(t, "this test needs the program "+program+", which is not installed")
	}
}

// Missing skips the test with a sentence saying what is not here; with
// GRADECOCKPIT_REQUIRE_ALL=1 it fails.
func Missing(t testing.TB, sentence string) {
	t.Helper()
	if os.Getenv("GRADECOCKPIT_REQUIRE_ALL") == "1" {
		t.Fatal(sentence)
	}
	t.Skip(sentence)
}

// Context ends with the test, or when patience does.
func Context(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
	t.Cleanup(cancel)
	return ctx
}

// Redis starts a private redis-server.
func Redis(t testing.TB, opts ...lab.RedisOptions) *lab.RedisServer {
	t.Helper()
	Need(t, "redis-server")
	return startRedis(t, opts)
}

// MiniRedis starts the stand-in for machines without a redis-server.
func MiniRedis(t testing.TB, opts ...lab.RedisOptions) *lab.RedisServer {
	t.Helper()
	if len(opts) == 0 {
		opts = []lab.RedisOptions{{}}
	}
	opts[0].Mini = true
	return startRedis(t, opts)
}

func startRedis(t testing.TB, opts []lab.RedisOptions) *lab.RedisServer {
	t.Helper()
	var o lab.RedisOptions
	if len(opts) > 0 {
		o = opts[0]
	}
	s, err := lab.StartRedis(Context(t), o)
	if err != nil {
		t.Fatal(err)
	}
	stopAfter(t, s.Stop)
	return s
}

func stopAfter(t testing.TB, stop func() error) {
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

// Long skips, with -short, a test that takes many seconds and runs what other
// tests run too, so that the race detector need not see it again.
func Long(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("left out by -short: run go test without it, as CI does before the race detector")
	}
}
