package child

import (
	"bytes"
	"strings"
	"sync"

	"gradecockpit/probes/clean"
)

const (
	maxLine = 256 << 10 // bytes kept of one line; a longer one is cut
	maxSays = 300       // characters of an error line
)

// lines cuts what is written to it into lines, in bounded memory.
type lines struct {
	take func([]byte)
	part []byte
}

// Write never fails. A slow take makes the command wait.
func (l *lines) Write(b []byte) (int, error) {
	n := len(b)
	for {
		end := bytes.IndexByte(b, '\n')
		if end < 0 {
			l.hold(b)
			return n, nil
		}
		if len(l.part) == 0 {
			l.give(b[:end])
		} else {
			l.hold(b[:end])
			l.end()
		}
		b = b[end+1:]
	}
}

func (l *lines) hold(b []byte) {
	l.part = append(l.part, b[:min(len(b), maxLine-len(l.part))]...)
}

func (l *lines) give(b []byte) {
	l.take(bytes.TrimRight(b[:min(len(b), maxLine)], "\r"))
}

// end gives the last line, which the command did not end.
func (l *lines) end() {
	if len(l.part) > 0 {
		l.give(l.part)
		l.part = l.part[:0]
	}
}

// lastLine keeps the last line that says something of what is written to it.
type lastLine struct {
	mu        sync.Mutex // Wait does not wait for a writer that outlives the command
	last, now []byte
}

func (l *lastLine) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range b {
		if c == '\n' {
			l.turn()
		} else if len(l.now) < 4*maxSays {
			l.now = append(l.now, c)
		}
	}
	return len(b), nil
}

func (l *lastLine) turn() {
	if len(bytes.TrimSpace(l.now)) > 0 {
		l.last = append(l.last[:0], l.now...)
	}
	l.now = l.now[:0]
}

// String gives the line, cleaned.
func (l *lastLine) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.turn()
	return strings.TrimSpace(clean.Capped(strings.TrimSpace(string(l.last)), maxSays))
}
