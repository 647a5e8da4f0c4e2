package ebpfspanreceiver

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/receiver"
	"go.uber.org/zap"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/capture"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/discover"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/discover/pods"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/footprint"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/metadata"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/span"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/thin"
)

// pendingBatches is how many finished batches may wait for the next consumer.
// Behind them the ring buffer fills, and what it cannot hold is counted.
const pendingBatches = 16

// settleAfter is how long after its start a collector does what it will go on doing.
const settleAfter = time.Second

// spanReceiver adapts the stages to the Collector: it owns their goroutine and
// the one that hands finished spans to the next consumer.
type spanReceiver struct {
	config    *Config
	settings  receiver.Settings
	sender    *sender
	telemetry *metadata.TelemetryBuilder
	stats     stats

	// reserve makes garbage collections rare.
	reserve footprint.Reserve
	// batches are the finished spans on their way to the sender.
	batches chan ptrace.Traces
	cancel  context.CancelFunc
	running sync.WaitGroup
}

func newSpanReceiver(config *Config, settings receiver.Settings, next consumer.Traces) (*spanReceiver, error) {
	r := &spanReceiver{config: config, settings: settings, batches: make(chan ptrace.Traces, pendingBatches)}
	var err error
	if r.sender, err = newSender(settings, next, &r.stats.losses); err != nil {
		return nil, err
	}
	if r.telemetry, err = metadata.NewTelemetryBuilder(settings.TelemetrySettings); err != nil {
		return nil, err
	}
	return r, nil
}

// Start implements component.Component.
func (r *spanReceiver) Start(starting context.Context, host component.Host) error {
	if err := r.observe(); err != nil {
		return err
	}
	settled := r.settle()
	if r.config.Budget.Memory == "" {
		r.reserve = footprint.NewReserve()
	}
	run, err := r.open(starting)
	if err != nil && r.config.ErrorMode == errorModeIgnore {
		r.settings.Logger.Error("Tracing is off: the receiver cannot start.", zap.Error(err))
		componentstatus.ReportStatus(host, componentstatus.NewPermanentErrorEvent(err))
		return nil
	}
	if err != nil {
		return fmt.Errorf("%w; with error_mode: ignore the collector starts without this receiver", err)
	}
	// The context given to Start ends with it.
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	r.running.Go(func() { settled(ctx) })
	r.running.Go(func() { r.trace(ctx, host, run) })
	return nil
}

// trace runs until ctx or the recording ends, and says how it ended.
func (r *spanReceiver) trace(ctx context.Context, host component.Host, run runner) {
	var sending sync.WaitGroup
	sending.Go(func() { r.sender.run(ctx, r.batches) })
	err := run(ctx)
	close(r.batches)
	if err != nil {
		r.settings.Logger.Error("Tracing ended.", zap.Error(err))
		componentstatus.ReportStatus(host, componentstatus.NewPermanentErrorEvent(err))
	}
	sending.Wait()
	if err == nil && ctx.Err() == nil && r.config.Replay != "" {
		r.settings.Logger.Info("The recording has been replayed.", zap.String("replay", r.config.Replay))
		componentstatus.ReportStatus(host, replayed())
	}
}

// settle gives back what only the start needed: now, before the programs are loaded, for which
// the kernel's types are read, and once the other components have started as well.
func (r *spanReceiver) settle() (later func(context.Context)) {
	release := func() {
		if err := footprint.Release(); err != nil {
			r.settings.Logger.Debug("The executable's pages stay mapped.", zap.Error(err))
		}
	}
	release()
	return func(ctx context.Context) {
		select {
		case <-ctx.Done():
		case <-time.After(settleAfter):
			release()
		}
	}
}

// runner does the receiver's work until its context ends.
type runner func(ctx context.Context) error

// open opens what the receiver works with. When it returns, the processes that run
// already are traced, so that nothing is missed once the collector says it is ready.
func (r *spanReceiver) open(ctx context.Context) (runner, error) {
	if r.config.Replay != "" {
		return r.openReplay()
	}
	return r.openKernel(ctx)
}

func (r *spanReceiver) openReplay() (runner, error) {
	recording, err := capture.OpenRecording(r.config.Replay, &r.stats.losses)
	if err != nil {
		return nil, fmt.Errorf("replay: %w", err)
	}
	p := r.pipeline(nil, nil, discover.Host{})
	return func(ctx context.Context) error {
		err := recording.Run(ctx, p.event)
		p.finish()
		return errors.Join(err, recording.Close())
	}, nil
}

func (r *spanReceiver) openKernel(ctx context.Context) (_ runner, err error) {
	proc := discover.Proc{}
	host, err := proc.ReadHost()
	if err != nil {
		return nil, err
	}
	selection, err := r.config.Processes.selection()
	if err != nil {
		return nil, err
	}
	kernel, err := capture.NewKernel(capture.KernelOptions{
		Strategy:       r.config.Capture.Strategy,
		All:            selection.All,
		Listens:        selection.NeedsPorts(),
		TransfersOnly:  !r.config.Causality.Hooks,
		PayloadSize:    r.config.PayloadSize,
		RingBufferSize: r.config.RingBufferSize,
		Losses:         &r.stats.losses,
		Logger:         r.settings.Logger,
	})
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, kernel.Close())
		}
	}()
	watched, closePods, err := r.watchPods(ctx, &selection)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			closePods()
		}
	}()
	stage, err := discover.NewStage(discover.Options{
		Selection: selection, Proc: proc, Filter: kernel, Pods: watched, Losses: &r.stats.losses, Logger: r.settings.Logger,
	})
	if err != nil {
		return nil, err
	}
	var recorder *capture.Recorder
	if r.config.Record != "" {
		if recorder, err = capture.NewRecorder(r.config.Record, r.config.RecordPayload); err != nil {
			return nil, fmt.Errorf("record: %w", err)
		}
	}
	g, err := r.govern(kernel)
	if err != nil {
		return nil, err
	}
	p := r.pipeline(recorder, g.thinner, host)
	if r.config.Causality.Hooks {
		p.watching = newWatching(kernel, p.ladder, r.settings.Logger)
		p.coroutines = newCoroutines(kernel, p.ladder, proc, r.settings.Logger)
	}
	if err := stage.Scan(p.event); err != nil {
		p.closeRecorder()
		return nil, fmt.Errorf("find the running processes: %w", err)
	}
	return func(ctx context.Context) error {
		stop := g.start(ctx)
		err := kernel.Run(ctx, func(e *capture.Event) { stage.Event(e, p.event) })
		stop()
		p.finish()
		closePods()
		return errors.Join(err, kernel.Close())
	}, nil
}

// watchPods begins to watch the node's pods where processes are selected by them.
func (r *spanReceiver) watchPods(ctx context.Context, selection *discover.Selection) (_ discover.Pods, closePods func(), err error) {
	if !selection.NeedsPods() {
		return nil, func() {}, nil
	}
	kubernetes := r.config.Processes.Kubernetes
	w, err := pods.Start(ctx, pods.Options{Node: kubernetes.Node, Kubeconfig: kubernetes.Kubeconfig, Logger: r.settings.Logger})
	if err != nil {
		return nil, nil, fmt.Errorf("processes::kubernetes: %w", err)
	}
	return w, w.Close, nil
}

func (r *spanReceiver) pipeline(recorder *capture.Recorder, thinner *thin.Thinner, host discover.Host) *pipeline {
	return newPipeline(r.config, span.Options{
		ScopeName:     metadata.ScopeName,
		ScopeVersion:  r.settings.BuildInfo.Version,
		HostName:      host.Name,
		HostID:        host.ID,
		MinConfidence: r.config.Causality.MinConfidence,
	}, recorder, thinner, &r.stats, r.settings.Logger, func(batch ptrace.Traces) { r.batches <- batch })
}

// Shutdown implements component.Component: what is under way is ended and handed
// over first.
func (r *spanReceiver) Shutdown(context.Context) error {
	if r.cancel != nil {
		r.cancel()
	}
	r.running.Wait()
	r.telemetry.Shutdown()
	return nil
}
