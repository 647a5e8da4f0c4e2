package main

import (
	"errors"
	"fmt"
	"os/exec"
	"runtime"

	"golang.org/x/sys/unix"
)

// The CPUs of a server with one thread and of its load. Where both may go anywhere, they share
// one CPU at times, by the scheduler's choice, and do half as many requests then, whatever is
// attached.
const (
	serverCPU = 0
	loadCPU   = 1
)

// singleThreaded are the servers that do their work in one thread.
var singleThreaded = map[string]bool{"nginx": true, "redis": true, "node": true}

// startPinned starts a command on one CPU.
func startPinned(cmd *exec.Cmd, cpu int) (err error) {
	// A new process has the affinity of the thread that started it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		return fmt.Errorf("read the thread's CPUs: %w", err)
	}
	one.Set(cpu)
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		return fmt.Errorf("keep %s on CPU %d (-pin=false leaves that out): %w", cmd.Path, cpu, err)
	}
	defer func() { err = errors.Join(err, unix.SchedSetaffinity(0, &before)) }()
	return cmd.Start()
}

// startCommand starts a server or its load, where it belongs.
func (s *server) startCommand(cmd *exec.Cmd, cpu int) error {
	if s.pinned && singleThreaded[s.name] {
		return startPinned(cmd, cpu)
	}
	return cmd.Start()
}
