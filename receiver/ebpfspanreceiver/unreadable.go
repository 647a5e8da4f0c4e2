package ebpfspanreceiver

import (
	"go.uber.org/zap"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/capture"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/conn"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol/database"
)

// maxReported is how many programs are told of in all.
const maxReported = 1024

// unreadable reports connections on which nothing can be read to the log: once for each program, what it
// speaks and what hides that. Some servers and clients are a process for each connection, so that a
// program is told by its facts and not by its process.
type unreadable struct {
	logger *zap.Logger
	// processes are the facts about the traced processes.
	processes map[uint32]*capture.Process
	reported  map[unreadableProgram]struct{}
}

// unreadableProgram is what is reported once.
type unreadableProgram struct {
	service, executable, container, protocol, by string
}

var _ database.Reporter = (*unreadable)(nil)

func newUnreadable(processes map[uint32]*capture.Process, logger *zap.Logger) *unreadable {
	return &unreadable{logger: logger, processes: processes, reported: make(map[unreadableProgram]struct{})}
}

// Unreadable implements database.Reporter.
func (u *unreadable) Unreadable(c *conn.Conn, why database.Unreadable) {
	p := u.processes[c.PID]
	if p == nil {
		p = &capture.Process{}
	}
	program := unreadableProgram{p.Service, p.Executable, p.ContainerID, why.Protocol, why.By}
	if _, known := u.reported[program]; known || len(u.reported) >= maxReported {
		return
	}
	u.reported[program] = struct{}{}
	u.logger.Warn("A connection of a database cannot be read, so its requests have no spans. Where the network is trusted,"+
		" the client's option leaves out what hides them. Reported once for each program.",
		zap.String("protocol", why.Protocol), zap.String("hidden_by", why.By), zap.String("option", why.Option),
		zap.Uint32("pid", c.PID), zap.String("executable", p.Executable), zap.String("service", p.Service),
		zap.Stringer("local", c.Local), zap.Stringer("peer", c.Remote))
}
