package lab

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"time"
)

// grace is how long a server may take to end before it is told more firmly.
const grace = 5 * time.Second

// process is a child that ends when we end, whatever ends us.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when the child is reaped
	err  error         // its exit, once done is closed
}

// Program finds a server's program on PATH or in the sbin folders, which are
// not on an ordinary user's PATH.
func Program(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err == nil {
		return path, nil
	}
	for _, dir := range []string{"/usr/sbin", "/usr/local/sbin"} {
		if found, serr := exec.LookPath(filepath.Join(dir, name)); serr == nil {
			return found, nil
		}
	}
	return "", err
}

// command prepares a program to run in the home: its output appended to
// NAME.log there, without our environment (PG* variables would redirect it).
func (h *home) command(name, program string, args ...string) (*exec.Cmd, error) {
	log, err := os.OpenFile(filepath.Join(h.path, name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the log of %s: %w", name, err)
	}
	cmd := exec.Command(program, args...)
	cmd.Dir = h.path
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + h.path, "LC_ALL=C", "TZ=UTC"}
	cmd.Stdout, cmd.Stderr = log, log
	return cmd, nil
}

// spawn starts cmd as the home's account. On Linux the kernel interrupts the
// child when the thread that forked it ends, so the forking thread is kept
// until the child is reaped.
func (h *home) spawn(name string, cmd *exec.Cmd) (*process, error) {
	cmd.SysProcAttr = childAttr(h.account)
	p := &process{cmd: cmd, done: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		closeLog(cmd)
		started <- err
		if err != nil {
			return
		}
		p.err = cmd.Wait()
		close(p.done)
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	if err := h.notePID(name, cmd.Process.Pid); err != nil {
		p.stop(syscall.SIGKILL)
		return nil, err
	}
	return p, nil
}

// closeLog closes our handle of the child's output; the child has its own.
func closeLog(cmd *exec.Cmd) {
	if f, ok := cmd.Stdout.(*os.File); ok {
		_ = f.Close()
	}
}

// run starts cmd and waits for its end; the end of ctx kills it.
func (h *home) run(ctx context.Context, name string, cmd *exec.Cmd) error {
	p, err := h.spawn(name, cmd)
	if err != nil {
		return err
	}
	select {
	case <-p.done:
		return p.err
	case <-ctx.Done():
		p.stop(syscall.SIGKILL)
		return ctx.Err()
	}
}

// ended tells whether the child is gone.
func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// stop sends the signals in turn, each given the grace to work, and lastly SIGKILL.
func (p *process) stop(signals ...syscall.Signal) {
	p.resume()
	for _, s := range append(signals, syscall.SIGKILL) {
		if p.ended() {
			return
		}
		_ = p.cmd.Process.Signal(s)
		select {
		case <-p.done:
			return
		case <-time.After(grace):
		}
	}
	<-p.done
}

// pause freezes the child and its children. PostgreSQL's backends lead process
// groups of their own, so a signal to the group would miss them. A parent may
// fork until its stop takes effect: look again until nothing new is found.
func (p *process) pause() {
	frozen := map[int]bool{}
	freeze(p.cmd.Process.Pid, frozen)
	for {
		before := len(frozen)
		for _, pid := range childrenOf(p.cmd.Process.Pid) {
			freeze(pid, frozen)
		}
		if len(frozen) == before {
			return
		}
	}
}

func freeze(pid int, frozen map[int]bool) {
	if !frozen[pid] {
		frozen[pid] = true
		_ = syscall.Kill(pid, syscall.SIGSTOP)
	}
}

// resume lets a paused child and its children go on.
func (p *process) resume() {
	if !p.ended() {
		thaw(p.cmd.Process.Pid)
	}
}

func thaw(pid int) {
	for _, child := range childrenOf(pid) {
		_ = syscall.Kill(child, syscall.SIGCONT)
	}
	_ = syscall.Kill(pid, syscall.SIGCONT)
}

// notePID records a child for the sweep of a later start.
func (h *home) notePID(name string, pid int) error {
	err := os.WriteFile(filepath.Join(h.path, name+pidSuffix), []byte(strconv.Itoa(pid)), 0o600)
	if err != nil {
		return fmt.Errorf("record the process of %s: %w", name, err)
	}
	return nil
}
