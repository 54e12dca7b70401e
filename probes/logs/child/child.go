// Package child keeps an operator's command running and hands out what it
// prints: `docker compose logs -f`, `journalctl -f`, `ssh host tail -F`.
//
// The command is run without a shell, without input and without our secrets,
// in a process group of its own that ends with us: when we close it, when it
// ends by itself and leaves children behind, and when we are killed. One that
// ends is started again, after a wait that grows but never for good.
package child

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"gradecockpit/probes/clean"
	"gradecockpit/probes/internal/lazy"
)

const (
	firstWait = time.Second
	longWait  = 30 * time.Second // between two starts at most; after a run that was longer it is firstWait again
	grace     = time.Second      // between SIGTERM and SIGKILL
)

// Child is a command that is kept running. Its methods may be called from
// everywhere.
type Child struct {
	words []string
	take  func(line []byte)
	begin func()
	wait  time.Duration // before the first restart
	stop  context.CancelFunc
	done  chan struct{}

	mu    sync.Mutex
	state State
}

// State is how a command is.
type State struct {
	Running bool
	Since   time.Time // when it was last started; zero: it never could be
	Last    time.Time // when it last printed something; zero: it has not
	Starts  int
	Why     string // how the run before ended, in words; "" there was none
}

// Start starts a command: the program and its arguments. take gets each line
// of its output without the end of the line; the bytes are used again after
// it. begin is called before each run, nil for nothing. Neither is called
// twice at once.
func Start(words []string, begin func(), take func(line []byte)) *Child {
	return start(words, begin, take, firstWait)
}

func start(words []string, begin func(), take func(line []byte), wait time.Duration) *Child {
	ctx, stop := context.WithCancel(context.Background())
	if begin == nil {
		begin = func() {}
	}
	c := &Child{words: words, begin: begin, take: take, wait: wait, stop: stop, done: make(chan struct{})}
	go c.keep(ctx)
	return c
}

// Close ends the command and everything that belongs to its process group. It
// returns when nothing of it is left.
func (c *Child) Close() {
	c.stop()
	<-c.done
}

// State tells how the command is.
func (c *Child) State() State {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state
}

// keep runs the command again and again. Linux ends a child together with the
// thread that started it, so that thread is kept.
func (c *Child) keep(ctx context.Context) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(c.done)
	wait := c.wait
	for ctx.Err() == nil {
		begun := time.Now()
		why := c.run(ctx)
		c.set(func(s *State) { s.Running, s.Why = false, why })
		if time.Since(begun) > longWait {
			wait = c.wait
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
		wait = min(2*wait, longWait)
	}
}

func (c *Child) set(change func(*State)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change(&c.state)
}

// run runs the command once and says how it ended.
func (c *Child) run(ctx context.Context) string {
	c.begin()
	cmd := exec.CommandContext(ctx, c.words[0], c.words[1:]...)
	out := &lines{take: c.heard}
	var says lastLine
	cmd.Stdout, cmd.Stderr = out, &says
	cmd.Env = environment()
	cmd.SysProcAttr = attributes()
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = grace
	if err := cmd.Start(); err != nil {
		return reason(c.words, err, "")
	}
	c.set(func(s *State) { s.Running, s.Since, s.Starts = true, time.Now(), s.Starts+1 })
	guard := guardOf(cmd.Process.Pid)
	err := cmd.Wait()
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // what it left behind
	guard.dismiss()
	out.end()
	return reason(c.words, err, says.String())
}

func (c *Child) heard(line []byte) {
	c.set(func(s *State) { s.Last = time.Now() })
	c.take(line)
}

// reason puts the end of a run into words: the last line of its error output
// tells more than its exit status.
func reason(words []string, err error, says string) string {
	name := clean.Capped(filepath.Base(words[0]), 40)
	var exit *exec.ExitError
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return name + " is not on PATH"
	case errors.As(err, &exit):
		return joined(fmt.Sprintf("%s ended (%s)", name, exit.ProcessState), says)
	case err == nil || errors.Is(err, exec.ErrWaitDelay):
		return joined(name+" ended by itself", says)
	}
	var cause syscall.Errno
	if errors.As(err, &cause) {
		return name + " cannot be started: " + cause.Error()
	}
	return name + " cannot be started: " + clean.Capped(err.Error(), 200)
}

func joined(what, says string) string {
	if says == "" {
		return what
	}
	return what + ": " + says
}

// What is said in a command line that should not be on a screen: a URL's user,
// and what is behind the name of a secret.
var (
	userinfo = lazy.Regexp(`://[^/@\s]*@`)
	secret   = lazy.Regexp(`(?i)pass(?:word|wd|phrase)?\b|passw|token|secret|api-?key|authorization|bearer|credential|cookie`)
)

// Name is a command as it is shown: short, and without what looks like a secret.
func Name(words []string) string {
	var shown []string
	hide := false
	for _, w := range words {
		switch at := secret().FindStringIndex(w); {
		case hide:
			w, hide = "…", false
		case at != nil && strings.ContainsAny(w[at[0]:], ":= "):
			w = w[:at[0]+strings.IndexAny(w[at[0]:], ":= ")+1] + "…"
		case at != nil:
			hide = strings.HasPrefix(w, "-") // its value is the next word
		case w == "-u" && filepath.Base(words[0]) == "curl":
			hide = true
		}
		shown = append(shown, w)
	}
	return clean.Capped(userinfo().ReplaceAllString(strings.Join(shown, " "), "://…@"), 80)
}
