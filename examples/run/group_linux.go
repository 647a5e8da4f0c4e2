package run

import "syscall"

// attributes puts the process into a group of its own, and has the kernel end it
// should this one be killed.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}
