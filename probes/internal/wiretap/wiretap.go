// Package wiretap is a proxy for tests that sits between a client and a server,
// counts round trips and can cut the line at a given word.
package wiretap

import (
	"bytes"
	"net"
	"sync"
	"testing"
)

// Tap is a running proxy. Its methods are safe for concurrent use.
type Tap struct {
	Host string
	Port int

	listener net.Listener
	network  string
	target   string
	done     sync.WaitGroup

	mu       sync.Mutex
	answered bool
	trips    int
	cut      []byte
	held     map[net.Conn]bool
}

// New forwards a random port of 127.0.0.1 to a server until the test ends.
func New(t testing.TB, network, target string) *Tap {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().(*net.TCPAddr)
	tap := &Tap{Host: addr.IP.String(), Port: addr.Port, listener: l, network: network, target: target, answered: true, held: map[net.Conn]bool{}}
	tap.done.Go(tap.accept)
	t.Cleanup(tap.close)
	return tap
}

// RoundTrips counts how often the client spoke after the server had.
func (t *Tap) RoundTrips() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.trips
}

// CutAfter passes the next message of a client that holds the word on to the
// server, and ends the client's connection before any answer comes back.
func (t *Tap) CutAfter(word string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.cut = []byte(word)
}

func (t *Tap) accept() {
	for {
		client, err := t.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial(t.network, t.target)
		if err != nil {
			client.Close()
			continue
		}
		t.hold(client, server)
		t.done.Go(func() { t.forward(client, server, true) })
		t.done.Go(func() { t.forward(server, client, false) })
	}
}

func (t *Tap) hold(conns ...net.Conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, c := range conns {
		t.held[c] = true
	}
}

func (t *Tap) forward(from, to net.Conn, isClient bool) {
	defer from.Close()
	defer to.Close()
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		cut := n > 0 && t.saw(isClient, buf[:n])
		if cut {
			from.Close() // before the server can answer
		}
		if _, werr := to.Write(buf[:n]); err != nil || werr != nil || cut {
			return
		}
	}
}

// saw counts, and tells whether the line is to be cut now.
func (t *Tap) saw(isClient bool, b []byte) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if isClient && t.answered {
		t.trips++
	}
	t.answered = !isClient
	if isClient && t.cut != nil && bytes.Contains(b, t.cut) {
		t.cut = nil
		return true
	}
	return false
}

func (t *Tap) close() {
	t.listener.Close()
	t.mu.Lock()
	for c := range t.held {
		c.Close()
	}
	t.mu.Unlock()
	t.done.Wait()
}
