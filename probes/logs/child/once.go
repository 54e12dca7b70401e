package child

import (
	"context"
	"errors"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"

	"gradecockpit/probes/clean"
)

// The bounds of what is kept of a command that runs once.
const (
	onceLines = 200
	onceWidth = 300 // characters
)

// Said is what a command printed that ran to its end.
type Said struct {
	Lines []string // of its output, cleaned; the first ones
	More  int      // further lines
	Exit  int      // its exit status
	Error string   // the last line of its error output, cleaned
}

// Once runs a command to its end, or until ctx ends: without a shell, without
// input and without our secrets, in a process group of its own of which nothing
// is left behind. The error says in words why it did not run or did not end.
func Once(ctx context.Context, words []string) (Said, error) {
	runtime.LockOSThread() // Linux ends a child together with the thread that started it
	defer runtime.UnlockOSThread()
	cmd := exec.CommandContext(ctx, words[0], words[1:]...)
	var said Said
	out := &lines{take: said.take}
	var says lastLine
	cmd.Stdout, cmd.Stderr = out, &says
	cmd.Env = environment()
	cmd.SysProcAttr = attributes()
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = grace
	name := clean.Capped(filepath.Base(words[0]), 40)
	if err := cmd.Start(); err != nil {
		return said, errors.New(reason(words, err, ""))
	}
	guard := guardOf(cmd.Process.Pid)
	err := cmd.Wait()
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // what it left behind
	guard.dismiss()
	if ctx.Err() != nil {
		return said, errors.New(name + " did not end within its time limit and was killed")
	}
	if errors.Is(err, exec.ErrWaitDelay) {
		return said, errors.New(name + " ended, but what it started goes on printing")
	}
	out.end()
	said.Exit, said.Error = cmd.ProcessState.ExitCode(), says.String()
	if said.Exit < 0 {
		return said, errors.New(reason(words, err, said.Error))
	}
	return said, nil
}

func (s *Said) take(line []byte) {
	if len(s.Lines) == onceLines {
		s.More++
		return
	}
	s.Lines = append(s.Lines, clean.Capped(string(line), onceWidth))
}
