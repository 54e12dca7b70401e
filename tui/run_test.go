package tui

import (
	"bytes"
	"context"
	"errors"
	"os"
	"testing"
	"time"
)

// runConfig is a config for a real program without a terminal.
func runConfig(t *testing.T) (Config, *bench) {
	s := &stage{t: t, bench: newBench()}
	return s.config(situations()[0].Set()), s.bench
}

func TestRunLeavesOnKey(t *testing.T) {
	cfg, _ := runConfig(t)
	in, keys, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	defer keys.Close()
	if _, err := keys.WriteString("q"); err != nil {
		t.Fatal(err)
	}
	if err := Run(t.Context(), cfg, in, &bytes.Buffer{}); err != nil {
		t.Errorf("leaving by q gave %v", err)
	}
}

var errHangup = errors.New("hangup signal received")

func TestRunEndsWithTheSessionAndSaysWhy(t *testing.T) {
	cfg, b := runConfig(t)
	b.clear.watch = make(chan struct{}) // only the end of the session ends the watching
	cfg.Runner = b.runner()
	in, keys, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	defer keys.Close()
	ctx, hangup := context.WithCancelCause(t.Context())
	cfg.Log = t.Logf
	done := make(chan error)
	go func() { done <- Run(ctx, cfg, in, &bytes.Buffer{}) }()
	hangup(errHangup)
	select {
	case err := <-done:
		if !errors.Is(err, errHangup) {
			t.Errorf("the end of the session gave %v", err)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("the program outlives its session")
	}
}

// An action that runs when the session ends is finished and journaled before
// Run returns.
func TestRunFinishesTheActionInHand(t *testing.T) {
	play(t, 80, 24, func(s *stage, _ *Config) { s.bench.clear.watch = make(chan struct{}) }, func(t *testing.T, s *stage) {
		ctx, hangup := context.WithCancel(t.Context())
		s.app.ctx = ctx
		s.press("C")
		s.pass(quiet)
		s.press("y")
		hangup()
		if !s.app.Wait(farewell) {
			t.Fatal("the action in hand did not end with the session")
		}
		if n := s.bench.journal.kinds("outcome"); n != 1 {
			t.Errorf("the journal has %d outcomes, want 1", n)
		}
	})
}
