//go:build !linux

package run

import "runtime"

// Missing says what keeps the receiver from tracing this machine.
func Missing() []string {
	return []string{"Linux: this is " + runtime.GOOS + ", and only Linux has the kernel that is watched"}
}
