//go:build !linux

package child

import "syscall"

// attributes are as on Linux; here only the guard kills what survives us.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
