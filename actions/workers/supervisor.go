package workers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"gradecockpit/probes/clean"
)

// outputMost bounds what is kept of the supervisor's words.
const (
	outputMost  = 16 << 10
	outputLines = 12
)

// errTooLong is the end of a command that used up its time.
var errTooLong = errors.New("it took longer than its time limit and was killed")

// supervise runs the supervisor's command, without a shell and with nothing of
// our environment but what such programs need to find their server. Its words
// come back cleaned, the last lines only.
func supervise(ctx context.Context, words []string, limit time.Duration) (says []string, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, errTooLong)
	defer cancel()
	cmd := exec.CommandContext(ctx, words[0], words[1:]...)
	var out capped
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.Env = environment()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second // for children that keep the pipe open
	err = cmd.Run()
	if errors.Is(err, exec.ErrWaitDelay) {
		err = nil // it ended well; only a child of it goes on
	}
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		err = fmt.Errorf("%s: %w", clean.Text(words[0]), err)
	}
	return out.lines(), err
}

// environment is what docker, systemctl and supervisorctl need.
func environment() []string {
	var env []string
	for _, name := range []string{"PATH", "HOME", "USER", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS", "DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "SSH_AUTH_SOCK"} {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	return append(env, "LC_ALL=C")
}

// capped keeps the end of what is written to it.
type capped struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (c *capped) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.buf.Write(b)
	if extra := c.buf.Len() - outputMost; extra > 0 {
		c.buf.Next(extra)
	}
	return len(b), nil
}

func (c *capped) lines() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []string
	for line := range strings.SplitSeq(c.buf.String(), "\n") {
		if line = strings.TrimSpace(clean.Text(line)); line != "" {
			out = append(out, line)
		}
	}
	return out[max(0, len(out)-outputLines):]
}
