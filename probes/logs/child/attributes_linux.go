package child

import "syscall"

// attributes put the command into a process group of its own (a Ctrl-C in our
// terminal is not for it), which the kernel kills when we die.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
