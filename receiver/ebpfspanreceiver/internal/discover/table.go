package discover

import (
	"errors"
	"io/fs"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/capture"
)

// known is what was decided about a process. Process is nil where it is not traced.
type known struct {
	process *capture.Process
	started uint64
	// pod is the uid of its Kubernetes pod.
	pod string
}

// successor stands in for the facts about a traced process that ran another program and
// ended before they could be read. It had most of its predecessor's environment.
func (s *Stage) successor(before *capture.Process) *capture.Process {
	now := *before
	if now.Service == now.Executable {
		now.Service = unknownService
	}
	now.Executable, now.Runtime, now.RuntimeVersion = "", "", ""
	s.remember(now.PID, known{process: &now, pod: now.PodUID})
	return &now
}

// unknown stands in for the facts about a process that the kernel traced and that
// ended before they could be read.
func (s *Stage) unknown(pid uint32) *capture.Process {
	process := &capture.Process{PID: pid, Service: unknownService}
	s.remember(pid, known{process: process})
	return process
}

func (s *Stage) forget(pid uint32) {
	delete(s.known, pid)
	s.filter.Forget(pid)
}

func (s *Stage) remember(pid uint32, k known) {
	if len(s.known) >= s.sweepAt {
		s.sweep()
	}
	s.known[pid] = k
}

// sweep forgets the processes whose exit was lost, so that the table stays within
// twice the number of those that run.
func (s *Stage) sweep() {
	for pid, k := range s.known {
		now := Facts{PID: pid}
		err := s.proc.readStat(&now)
		if errors.Is(err, fs.ErrNotExist) || (err == nil && k.started != 0 && k.started != now.Started) {
			s.forget(pid)
		}
	}
	s.sweepAt = max(minimumProcesses, 2*len(s.known))
}
