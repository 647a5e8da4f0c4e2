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
// returns nil where the process is not traced or has vanished; then it is not known.
func (s *Stage) decide(pid uint32, look *listeners) *capture.Process {
	delete(s.known, pid)
	facts := s.read(pid, look)
	if facts == nil {
		return nil
	}
	return s.settle(facts, s.judge(facts))
}

// read gathers the facts that the selection needs; nil where the process has vanished
// or cannot be read.
func (s *Stage) read(pid uint32, look *listeners) *Facts {
	facts, err := s.proc.Read(pid)
	if err == nil && look != nil {
		facts.Ports, err = look.ports(pid)
		if errors.Is(err, fs.ErrPermission) {
			facts.Hidden, err = errors.Join(facts.Hidden, err), nil
		}
	}
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			s.logger.Warn("Could not read the facts about a process; it is not traced.", zap.Uint32("pid", pid), zap.Error(err))
		}
		return nil
	}
	if s.pods != nil && facts.PodUID != "" {
		facts.Pod = s.pods.Pod(facts.PodUID)
	}
	s.reportHidden(facts)
	return facts
}

// listeners returns a fresh look at who listens; nil where no rule asks.
func (s *Stage) listeners() *listeners {
	if !s.selection.NeedsPorts() {
		return nil
	}
	return newListeners(s.proc, s.selection.wantsPort)
}

func (s *Stage) judge(facts *Facts) bool {
	traced, why := Decide(&s.selection, facts)
	s.logger.Debug("Decided about a process.", zap.Uint32("pid", facts.PID), zap.String("name", facts.name()),
		zap.Bool("traced", traced), zap.String("why", why))
	return traced
}

// settle tells the filter of a decision, and remembers it.
func (s *Stage) settle(facts *Facts, traced bool) *capture.Process {
	if !traced {
		s.remember(facts.PID, known{started: facts.Started, pod: facts.PodUID})
		s.ignore(facts.PID)
		return nil
	}
	process := s.trace(facts)
	s.remember(facts.PID, known{process: process, started: facts.Started, pod: facts.PodUID})
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
		process.Runtime, process.RuntimeVersion = capture.RuntimeGo, program.Version
	} else {
		r := s.runtimes.Of(s.proc.Path(facts.PID, ""), facts.Path)
		process.Runtime, process.RuntimeVersion = r.Name, r.Version
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
