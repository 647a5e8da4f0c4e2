package run

import (
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Missing says what keeps the receiver from tracing this machine, and what cures
// it; empty where nothing does.
func Missing() []string {
	var missing []string
	if !hasCapability(unix.CAP_SYS_ADMIN) && (!hasCapability(unix.CAP_BPF) || !hasCapability(unix.CAP_PERFMON)) {
		missing = append(missing, "the privilege to load BPF programs: run as root, or with CAP_BPF, CAP_PERFMON, CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH")
	}
	if _, err := os.Stat("/sys/kernel/btf/vmlinux"); err != nil {
		missing = append(missing, "BTF: this kernel has no /sys/kernel/btf/vmlinux; use one built with CONFIG_DEBUG_INFO_BTF (5.10 or later of any distribution)")
	}
	return missing
}

// hasCapability looks into the effective set (capabilities(7)).
func hasCapability(number int) bool {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(text)) {
		if set, found := strings.CutPrefix(line, "CapEff:"); found {
			bits, err := strconv.ParseUint(strings.TrimSpace(set), 16, 64)
			return err == nil && bits&(1<<number) != 0
		}
	}
	return false
}
