package identity

import (
	"context"
	"encoding/binary"
	"encoding/gob"
	"errors"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/receiver/receivertest"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver"
)

// agentOptions select what an agent traces, as the receiver's configuration does.
type agentOptions struct {
	Env  string
	PIDs []int64
}

// seen is what the checks need of a span.
type seen struct {
	ID, Parent uint64
	// Request is the number that the request's path is, or the name that it asks for, -1 where it is none.
	Request int64
	Client  bool
	// Peer is network.peer.address, Transport network.transport.
	Peer, Transport string
	// Status is http.response.status_code, empty where no answer was seen.
	Status string
}

// report is what an agent tells: spans, or at last its losses by their reasons.
type report struct {
	Spans  []seen
	Losses map[string]int64
}

// runAgent is the program that traces: a receiver, whose spans go to standard output.
// It ends with its standard input.
func runAgent(options agentOptions) error {
	telemetry := componenttest.NewTelemetry()
	settings := receivertest.NewNopSettings(component.MustNewType("ebpf_span"))
	settings.TelemetrySettings = telemetry.NewTelemetrySettings()
	factory := ebpfspanreceiver.NewFactory()
	config := factory.CreateDefaultConfig().(*ebpfspanreceiver.Config)
	config.Processes.PIDs = options.PIDs
	if options.Env != "" {
		config.Processes.Env = []string{options.Env}
	}
	// Identity is under test here, not whether the reader gets enough of a busy processor.
	config.RingBufferSize = 64 << 20
	config.Budget.Overload = "drop"
	out := &reporter{encoder: gob.NewEncoder(os.Stdout)}
	next, err := consumer.NewTraces(out.consume)
	if err != nil {
		return err
	}
	ctx := context.Background()
	receiver, err := factory.CreateTraces(ctx, settings, config, next)
	if err != nil {
		return err
	}
	if err := receiver.Start(ctx, componenttest.NewNopHost()); err != nil {
		return err
	}
	if err := out.send(report{}); err != nil { // ready
		return err
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
	// What was recorded in the kernel is read within a poll of its buffer.
	time.Sleep(100 * time.Millisecond)
	losses, err := lossesOf(telemetry) // its metrics end with the receiver
	if err := errors.Join(err, receiver.Shutdown(ctx)); err != nil {
		return err
	}
	return out.send(report{Losses: losses})
}

func lossesOf(telemetry *componenttest.Telemetry) (map[string]int64, error) {
	metric, err := telemetry.GetMetric("otelcol_ebpf_span_losses")
	if err != nil {
		return nil, err
	}
	losses := make(map[string]int64)
	for _, point := range metric.Data.(metricdata.Sum[int64]).DataPoints {
		reason, _ := point.Attributes.Value("reason")
		losses[reason.AsString()] = point.Value
	}
	return losses, nil
}

// reporter writes reports to standard output.
type reporter struct {
	mutex   sync.Mutex
	encoder *gob.Encoder
}

func (r *reporter) send(what report) error {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return r.encoder.Encode(what)
}

func (r *reporter) consume(_ context.Context, traces ptrace.Traces) error {
	var what report
	for _, resource := range traces.ResourceSpans().All() {
		for _, scope := range resource.ScopeSpans().All() {
			for _, span := range scope.Spans().All() {
				what.Spans = append(what.Spans, seenOf(span))
			}
		}
	}
	return r.send(what)
}

func seenOf(span ptrace.Span) seen {
	name, _, _ := strings.Cut(attribute(span, "dns.question.name"), ".")
	number, err := strconv.ParseInt(strings.TrimPrefix(attribute(span, "url.path"), "/")+name, 10, 64)
	if err != nil {
		number = -1
	}
	return seen{
		ID: number64(span.SpanID()), Parent: number64(span.ParentSpanID()), Request: number,
		Client: span.Kind() == ptrace.SpanKindClient, Peer: attribute(span, "network.peer.address"), Transport: attribute(span, "network.transport"),
		Status: attribute(span, "http.response.status_code") + map[string]string{"NOERROR": "200"}[attribute(span, "seqlink.dns.response_code")],
	}
}

func number64(id pcommon.SpanID) uint64 { return binary.BigEndian.Uint64(id[:]) }

func attribute(span ptrace.Span, key string) string {
	value, ok := span.Attributes().Get(key)
	if !ok {
		return ""
	}
	return value.AsString()
}

// agent is a tracing program that the test started.
type agent struct {
	t   *testing.T
	cmd *exec.Cmd
	in  io.Closer

	mutex   sync.Mutex
	spans   []seen
	losses  map[string]int64
	changed chan struct{}
	ended   chan error
}

// startAgent returns when the agent traces what it is told to.
func startAgent(t *testing.T, options agentOptions) *agent {
	t.Helper()
	command := self("agent", options)
	a := &agent{t: t, cmd: exec.Command(command[0], command[1:]...), changed: make(chan struct{}, 1), ended: make(chan error, 1)}
	a.cmd.Stderr = os.Stderr
	var err error
	a.in, err = a.cmd.StdinPipe()
	require.NoError(t, err)
	out, err := a.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, a.cmd.Start())
	decoder := gob.NewDecoder(out)
	require.NoError(t, decoder.Decode(&report{}), "the agent does not start")
	go a.read(decoder)
	t.Cleanup(a.stop)
	return a
}

func (a *agent) read(decoder *gob.Decoder) {
	for {
		var what report
		if err := decoder.Decode(&what); err != nil {
			a.ended <- err
			return
		}
		a.mutex.Lock()
		a.spans = append(a.spans, what.Spans...)
		if what.Losses != nil {
			a.losses = what.Losses
		}
		a.mutex.Unlock()
		select {
		case a.changed <- struct{}{}:
		default:
		}
	}
}

func (a *agent) count() int {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	return len(a.spans)
}

// await returns when at least n spans came, or none came for a while.
func (a *agent) await(n int) {
	for a.count() < n {
		select {
		case <-a.changed:
		case <-time.After(5 * time.Second):
			return
		}
	}
}

// finish ends the agent and returns all its spans and losses.
func (a *agent) finish() ([]seen, map[string]int64) {
	a.t.Helper()
	a.stop()
	require.NotNil(a.t, a.losses, "the agent ended without saying what it lost")
	return a.spans, a.losses
}

func (a *agent) stop() {
	if a.cmd.ProcessState != nil {
		return
	}
	_ = a.in.Close()
	<-a.ended
	assert.NoError(a.t, a.cmd.Wait())
}
