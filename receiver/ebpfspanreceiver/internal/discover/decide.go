package discover

import (
	"errors"
	"io/fs"

	"go.uber.org/zap"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/capture"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/discover/goexe"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/loss"
)

// decide reads the facts about a process, tells the filter, and remembers. It
// returns nil where the process is not traced or has vanished.
func (s *Stage) decide(pid uint32) *capture.Process {
	delete(s.known, pid)
	facts, err := s.proc.Read(pid)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			s.logger.Warn("Could not read the facts about a process; it is not traced.", zap.Uint32("pid", pid), zap.Error(err))
		}
		return nil
	}
	s.reportHidden(facts)
	traced, why := Decide(s.selection, facts)
	s.logger.Debug("Decided about a process.", zap.Uint32("pid", pid), zap.String("name", facts.name()),
		zap.Bool("traced", traced), zap.String("why", why))
	if !traced {
		s.remember(pid, known{started: facts.Started})
		s.ignore(pid)
		return nil
	}
	process := s.trace(facts)
	s.remember(pid, known{process: process, started: facts.Started})
	return process
}

func (s *Stage) reportHidden(facts *Facts) {
	if facts.Hidden == nil || s.hidden {
		return
	}
	s.hidden = true
	s.logger.Info("Some processes hide their facts, so they may not be selected or named rightly. With"+
		" CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH most can be read. Reported once.", zap.Error(facts.Hidden))
}

func (s *Stage) ignore(pid uint32) {
	if err := s.filter.Ignore(pid); err != nil {
		s.logger.Warn("Could not exclude a process in the kernel.", zap.Uint32("pid", pid), zap.Error(err))
	}
}

// trace tells the filter to watch a process, and describes it.
func (s *Stage) trace(facts *Facts) *capture.Process {
	process, err := facts.process()
	if err != nil {
		s.logger.Warn("A process's resource attributes are left out.", zap.Uint32("pid", facts.PID), zap.Error(err))
	}
	program := s.program(facts.PID)
	if program != nil {
		process.Runtime = "go"
	}
	if err := s.filter.Trace(facts.PID, goRuntime(program)); err != nil {
		s.logger.Warn("Could not select a process in the kernel; it is not traced.", zap.Uint32("pid", facts.PID), zap.Error(err))
	}
	return process
}

// program returns what is known of a Go program, nil for any other.
func (s *Stage) program(pid uint32) *goexe.Program {
	program, err := s.programs.Load(s.proc.Path(pid, "exe"))
	if err != nil && !errors.Is(err, goexe.ErrNotGo) && !errors.Is(err, fs.ErrNotExist) {
		s.losses.Add(loss.ProbeFailed, 1)
		s.logger.Warn("Not all that is needed is known about an executable; its client calls may stay unlinked.",
			zap.Uint32("pid", pid), zap.Error(err))
	}
	return program
}
