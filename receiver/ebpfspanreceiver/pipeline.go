package ebpfspanreceiver

import (
	"sync/atomic"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.uber.org/zap"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/capture"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/causality"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/conn"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/loss"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol/database/sql"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol/dns"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol/http1"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol/http2"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol/mysql"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol/postgresql"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol/redis"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol/registry"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/span"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/thin"
)

const (
	// tickInterval is how often the stages hear of the time.
	tickInterval = int64(20 * time.Millisecond)
	// maxBatch is the number of spans at which a batch leaves before its time.
	maxBatch = 512
)

// pipeline joins the stages behind capture and discover. Everything in it runs in
// one goroutine, so the stages need no locks.
type pipeline struct {
	table    *conn.Table
	ladder   *causality.Ladder
	builder  *span.Builder
	recorder *capture.Recorder
	thinner  *thin.Thinner
	// watching is nil in a replay.
	watching *watching
	// coroutines is nil in a replay.
	coroutines *coroutines
	logger     *zap.Logger
	// emit takes finished batches.
	emit func(ptrace.Traces)

	flushInterval      int64
	lastTick, lastEmit int64
	processes          map[uint32]*capture.Process
	stats              *stats
}

// stats are the figures that telemetry reads from other goroutines.
type stats struct {
	losses                                    loss.Counts
	events, connections, processes, undecided atomic.Int64
	// governing is nil where no capture runs.
	governing atomic.Pointer[governing]
}

func newPipeline(
	config *Config, options span.Options, recorder *capture.Recorder, thinner *thin.Thinner,
	s *stats, logger *zap.Logger, emit func(ptrace.Traces),
) *pipeline {
	builder := span.NewBuilder(options)
	ladder := causality.NewLadder(builder, config.Causality.MaxWait, &s.losses)
	if config.Causality.Statistical.Enabled {
		ladder.UseStatistics()
	}
	processes := make(map[uint32]*capture.Process)
	reporter := newUnreadable(processes, logger)
	protocols := registry.All(registry.Options{
		HTTP2:      http2.Options{Query: config.HTTP.query(), Thinner: thinner},
		HTTP1:      http1.Options{Query: config.HTTP.query(), Thinner: thinner},
		Redis:      redis.Options{Query: redis.Query(config.Redis.Query), Thinner: thinner},
		PostgreSQL: postgresql.Options{Query: sql.Query(config.PostgreSQL.Query), Thinner: thinner, Reporter: reporter},
		MySQL:      mysql.Options{Query: sql.Query(config.MySQL.Query), Thinner: thinner, Reporter: reporter},
		DNS:        dns.Options{Thinner: thinner},
	}, &s.losses)
	demux := protocol.New(protocols, ladder, &s.losses)
	demux.Thinner = thinner
	return &pipeline{
		table:         conn.NewTable(demux, &s.losses),
		ladder:        ladder,
		builder:       builder,
		recorder:      recorder,
		thinner:       thinner,
		logger:        logger,
		emit:          emit,
		flushInterval: config.FlushInterval.Nanoseconds(),
		processes:     processes,
		stats:         s,
	}
}

// event takes the next event; nil means that there is none at the moment.
func (p *pipeline) event(e *capture.Event) {
	if e == nil {
		p.tick(time.Now().UnixNano())
		return
	}
	p.stats.events.Add(1)
	p.record(e)
	if e.Kind == capture.ProcessFound {
		p.found(e.Process)
	}
	p.watching.event(e)
	p.coroutines.event(e)
	p.table.Event(e)
	if e.Kind == capture.Exit {
		p.exited(e)
	}
	if e.Time-p.lastTick >= tickInterval || p.builder.Len() >= maxBatch {
		p.tick(e.Time)
	}
}

func (p *pipeline) found(process *capture.Process) {
	p.processes[process.PID] = process
	p.ladder.Found(process)
	p.builder.Found(process)
}

func (p *pipeline) exited(e *capture.Event) {
	delete(p.processes, e.Task.PID)
	p.ladder.Exited(e.Task.PID)
	p.builder.Exited(e.Task.PID, e.Time)
}

// tick lets the stages do what is due, and hands over finished spans.
func (p *pipeline) tick(now int64) {
	p.lastTick = now
	p.thinner.Tick(now)
	p.table.Tick(now)
	p.watching.tick()
	p.coroutines.tick()
	p.stats.connections.Store(int64(p.table.Len()))
	p.stats.processes.Store(int64(len(p.processes)))
	p.stats.undecided.Store(int64(p.ladder.Waiting()))
	if p.builder.Len() >= maxBatch || (p.builder.Len() > 0 && now-p.lastEmit >= p.flushInterval) {
		p.lastEmit = now
		p.emit(p.builder.Take())
	}
}

// record appends the event to the recording. A recording that cannot be written
// any more is given up; tracing goes on.
func (p *pipeline) record(e *capture.Event) {
	if p.recorder == nil {
		return
	}
	if err := p.recorder.Write(e); err != nil {
		p.logger.Error("The recording ends here: it cannot be written any more.", zap.Error(err))
		p.closeRecorder()
	}
}

func (p *pipeline) closeRecorder() {
	if p.recorder == nil {
		return
	}
	if err := p.recorder.Close(); err != nil {
		p.logger.Error("The recording may be incomplete.", zap.Error(err))
	}
	p.recorder = nil
}

// finish ends everything that is open and hands over the last spans. In a replay
// the time is that of the recording's last event.
func (p *pipeline) finish() {
	p.table.Flush(p.lastTick)
	p.ladder.Flush()
	p.closeRecorder()
	if p.builder.Len() > 0 {
		p.emit(p.builder.Take())
	}
}
