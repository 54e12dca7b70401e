package lab

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/alicebob/miniredis/v2/server"
)

// mini is miniredis with what it lacks to stand in for a server: time that
// passes, and a pause.
type mini struct {
	srv  *miniredis.Miniredis
	stop func() // ends it for good

	mu   sync.Mutex
	gate chan struct{} // closed when commands may pass
}

func startMini(opts RedisOptions) (*RedisServer, error) {
	m := &mini{srv: miniredis.NewMiniRedis(), gate: make(chan struct{})}
	close(m.gate)
	if opts.Password != "" {
		m.srv.RequireAuth(opts.Password)
	}
	if err := m.srv.Start(); err != nil {
		return nil, fmt.Errorf("start miniredis: %w", err)
	}
	m.hook()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		m.age(ctx)
	}()
	m.stop = func() {
		m.resume()
		cancel()
		<-done
		m.srv.Close()
	}
	return &RedisServer{kind: MiniRedis, opts: opts, mini: m}, nil
}

// hook makes every command wait at the gate. A new server needs it again.
func (m *mini) hook() {
	m.srv.Server().SetPreHook(func(*server.Peer, string, ...string) bool {
		m.mu.Lock()
		gate := m.gate
		m.mu.Unlock()
		<-gate
		return false
	})
}

// age lets keys expire, which miniredis does only when told that time passed.
func (m *mini) age(ctx context.Context) {
	const step = time.Second
	tick := time.NewTicker(step)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			m.srv.FastForward(step)
		}
	}
}

func (m *mini) pause() {
	m.mu.Lock()
	defer m.mu.Unlock()
	select {
	case <-m.gate:
		m.gate = make(chan struct{})
	default: // paused already
	}
}

func (m *mini) resume() {
	m.mu.Lock()
	defer m.mu.Unlock()
	select {
	case <-m.gate:
	default:
		close(m.gate)
	}
}

func (m *mini) down() {
	m.resume()
	m.srv.Close()
}

func (m *mini) up() error {
	if err := m.srv.Restart(); err != nil {
		return fmt.Errorf("start miniredis again: %w", err)
	}
	m.hook()
	return nil
}
