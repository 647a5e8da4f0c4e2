package discover

import (
	"slices"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/capture"
)

// listens follows a process that begins to listen, which may select or exclude it. The
// event names the port: the socket is in /proc/PID/net/tcp only a moment later.
func (s *Stage) listens(e *capture.Event, emit func(*capture.Event)) {
	port := e.Local.Port()
	if s.selection.wantsPort(port) {
		s.reconsider(e.Task.PID, port, e.Time, emit)
	}
}

// podsChanged follows the pods that became known or have other labels now.
func (s *Stage) podsChanged(emit func(*capture.Event)) {
	if s.pods == nil {
		return
	}
	changed := s.pods.Changed()
	if len(changed) == 0 {
		return
	}
	var pids []uint32
	for pid, k := range s.known {
		if k.pod != "" && slices.Contains(changed, k.pod) {
			pids = append(pids, pid)
		}
	}
	slices.Sort(pids)
	for _, pid := range pids {
		s.reconsider(pid, 0, s.now().UnixNano(), emit)
	}
}

// reconsider decides again about a process that runs the same program still. One that
// was traced and is to be traced is left alone. A port of 0 is none.
func (s *Stage) reconsider(pid uint32, port uint16, at int64, emit func(*capture.Event)) {
	before, decided := s.known[pid]
	facts := s.read(pid, s.listeners())
	if facts == nil {
		return
	}
	if port != 0 && !slices.Contains(facts.Ports, port) {
		facts.Ports = append(facts.Ports, port)
	}
	traced := s.judge(facts)
	if decided && traced == (before.process != nil) {
		return
	}
	s.decided(pid, before.process, s.settle(facts, traced), at, emit)
}
