package run

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// nobody is the user that owns nothing.
const nobody = 65534

// capabilities are all that the collector needs; docs/operations.md gives the reasons.
var capabilities = []uintptr{unix.CAP_BPF, unix.CAP_PERFMON, unix.CAP_SYS_PTRACE, unix.CAP_DAC_READ_SEARCH}

// attributes puts the process into a group of its own, and has the kernel end it
// should this one be killed.
func attributes(unprivileged bool) *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	if unprivileged {
		a.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
		a.AmbientCaps = capabilities
	}
	return a
}
