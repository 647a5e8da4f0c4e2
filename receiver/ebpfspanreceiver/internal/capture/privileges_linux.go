package capture

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// privilege is a capability without which nothing, or not all, can be traced.
type privilege struct {
	name string
	// numbers are the capabilities that give it, the one that gives no more first.
	numbers []int
	// reason says what it is for.
	reason string
}

// privileges are all that are needed; docs/operations.md explains each.
var privileges = []privilege{
	{"CAP_BPF", []int{unix.CAP_BPF, unix.CAP_SYS_ADMIN}, "loads BPF programs"},
	{"CAP_PERFMON", []int{unix.CAP_PERFMON, unix.CAP_SYS_ADMIN}, "lets BPF programs trace and read kernel memory"},
	{"CAP_SYS_PTRACE", []int{unix.CAP_SYS_PTRACE}, "shows executables and environments of other users' processes"},
	{"CAP_DAC_READ_SEARCH", []int{unix.CAP_DAC_READ_SEARCH, unix.CAP_DAC_OVERRIDE}, "opens other users' files in /proc"},
}

// checkPrivileges looks for all privileges at once, so that whoever grants them does
// not meet one refusal after the other. Without the last two tracing would work,
// and silently leave processes out or misname them.
func checkPrivileges() error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var sets [2]unix.CapUserData
	if err := unix.Capget(&header, &sets[0]); err != nil {
		return fmt.Errorf("read the own capabilities: %w", err)
	}
	if missing := missingPrivileges(uint64(sets[1].Effective)<<32 | uint64(sets[0].Effective)); missing != nil {
		return missing
	}
	return nil
}

// missingPrivileges compares a set of effective capabilities (capabilities(7)) with
// what is needed; nil where nothing is missing.
func missingPrivileges(effective uint64) *MissingError {
	var names, reasons, short []string
	for _, p := range privileges {
		if has(effective, p.numbers) {
			continue
		}
		names = append(names, p.name)
		reasons = append(reasons, p.name+" "+p.reason)
		short = append(short, strings.TrimPrefix(p.name, "CAP_"))
	}
	if names == nil {
		return nil
	}
	return &MissingError{
		What: "the privilege " + strings.Join(names, ", "),
		Cure: fmt.Sprintf("%s; run as root, or add it (systemd: AmbientCapabilities=%s; Docker: --cap-add=%s; Kubernetes: capabilities: {add: [%s]})",
			strings.Join(reasons, ", "), strings.Join(names, " "), strings.Join(short, " --cap-add="), strings.Join(short, ", ")),
	}
}

func has(effective uint64, numbers []int) bool {
	for _, n := range numbers {
		if effective&(1<<n) != 0 {
			return true
		}
	}
	return false
}
