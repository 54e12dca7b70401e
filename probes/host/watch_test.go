package host

import (
	"testing"
	"time"
)

// However often one looks, one call waits under a key; others go on, and the
// key is free again once the call comes back.
func TestOneCallAtMostHangs(t *testing.T) {
	w := &watch{}
	release, begun := make(chan struct{}), 0
	stuck := func() { begun++; <-release }
	first, ok := w.try(t.Context(), "nfs", time.Millisecond, stuck)
	if ok {
		t.Fatal("a call that hangs came back")
	}
	for range 100 {
		if since, ok := w.try(t.Context(), "nfs", time.Millisecond, stuck); ok || since != first {
			t.Fatalf("hangs since %v (%v), want %v", since, ok, first)
		}
	}
	if _, ok := w.try(t.Context(), "local", time.Minute, func() {}); !ok {
		t.Error("another mount hangs too")
	}
	w.mu.Lock()
	call := w.calls["nfs"]
	w.mu.Unlock()
	close(release)
	<-call.done
	if begun != 1 {
		t.Errorf("%d calls were begun", begun)
	}
	if _, ok := w.try(t.Context(), "nfs", time.Minute, func() {}); !ok {
		t.Error("the mount is back, and still counts as hanging")
	}
	if len(w.calls) != 0 {
		t.Errorf("%d calls are left", len(w.calls))
	}
}

// Two of one mount take turns while it answers.
func TestCallsOfOneMountTakeTurns(t *testing.T) {
	w := &watch{}
	const n = 20
	done := make(chan bool, n)
	inside := 0
	for range n {
		go func() {
			_, ok := w.try(t.Context(), "mount", time.Minute, func() {
				if inside++; inside != 1 {
					t.Error("two calls at once")
				}
				inside--
			})
			done <- ok
		}()
	}
	for range n {
		if !<-done {
			t.Error("a call was given up")
		}
	}
}
