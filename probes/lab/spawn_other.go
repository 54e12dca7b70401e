//go:build !linux

package lab

import (
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

// childAttr is as on Linux, but no other kernel ends children with their
// parent: there the sweep of the next start does it.
func childAttr(as *account) *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setpgid: true}
	if as != nil {
		attr.Credential = &syscall.Credential{Uid: uint32(as.uid), Gid: uint32(as.gid)}
	}
	return attr
}

// childrenOf lists the direct children of a process.
func childrenOf(parent int) []int {
	out, _ := exec.Command("ps", "-axo", "pid=,ppid=").Output()
	var children []int
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		if len(fields) == 2 && fields[1] == strconv.Itoa(parent) {
			pid, _ := strconv.Atoi(fields[0])
			children = append(children, pid)
		}
	}
	return children
}

// commandLine gives the arguments of a process; "" when it is gone.
func commandLine(pid int) string {
	out, _ := exec.Command("ps", "-o", "command=", "-p", strconv.Itoa(pid)).Output()
	return strings.TrimSpace(string(out))
}

// removeSharedMemory does nothing here: without the kernel's signal an orphan
// is still running when it is swept, and removes its segment itself.
func removeSharedMemory(uint64, int) {}
