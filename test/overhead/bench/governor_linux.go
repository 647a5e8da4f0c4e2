package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// governorFigures are the agent's with a budget for CPU time, while nginx and the load
// generator are traced, both ends of each request.
type governorFigures struct {
	RequestsPerSecond float64 `json:"rps"`
	// Full is what the agent and its BPF programs use without a bound, in cores,
	// FullPrograms the programs' part of that. Budget is Full divided by the flag -overload, and
	// Cores what they use with that budget, in the second half of the time.
	Full         float64 `json:"full_cores"`
	FullPrograms float64 `json:"full_programs_cores"`
	Budget       float64 `json:"budget_cores"`
	Cores        float64 `json:"cores"`
	// OfBudget is Cores divided by Budget, Programs the BPF programs' part of Cores.
	OfBudget float64 `json:"cores_of_budget"`
	Programs float64 `json:"programs_cores"`
	// Worst is the largest use in ten seconds of that half, of the budget.
	Worst float64 `json:"worst_10s_of_budget"`
	// Ratio is the part that was kept at the end.
	Ratio float64 `json:"ratio"`
	// Requests were sent. Of Kept ones there is a span, of Halves of them at one end only.
	Requests int64              `json:"requests"`
	Kept     int                `json:"requests_kept"`
	Halves   int                `json:"requests_with_one_end"`
	InKernel float64            `json:"ends_left_out_in_kernel"`
	Outside  float64            `json:"ends_left_out_in_receiver"`
	Lost     map[string]float64 `json:"losses,omitempty"`
}

// Parts of the governor phase.
const (
	fullTime  = 12 * time.Second
	worstTime = 10 * time.Second
)

// govern finds out what tracing a load costs, and repeats it with a part of that as its budget.
func (o *options) govern(ctx context.Context) (f *governorFigures, err error) {
	s, err := startServer("nginx", o.pin)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	stop, err := measurePrograms()
	if err != nil {
		return nil, err
	}
	defer stop()
	f = &governorFigures{}
	if f.Full, f.FullPrograms, err = o.ungoverned(ctx, s); err != nil {
		return nil, err
	}
	f.Budget = f.Full / o.overload
	return f, o.governed(ctx, s, f)
}

// governedReceiver configures the receiver for both ends, with a budget in cores.
func governedReceiver(s *server, cores float64) string {
	return fmt.Sprintf("{processes: {pids: %s}, budget: {overload: drop, cpu: %.4f%%}}",
		list(append(s.pids(), os.Getpid())), cores/float64(runtime.NumCPU())*100)
}

// ungoverned returns the cores that the agent and its programs use under the load, and the programs' part.
func (o *options) ungoverned(ctx context.Context, s *server) (cores, programs float64, err error) {
	a := &attached{}
	defer func() { err = errors.Join(err, a.detach()) }()
	if err := a.startAgent(o.binary, governedReceiver(s, float64(runtime.NumCPU())), "debug: {verbosity: basic}"); err != nil {
		return 0, 0, err
	}
	uses, _, err := o.watch(ctx, s, a, fullTime)
	if err != nil {
		return 0, 0, err
	}
	all := between(uses[len(uses)/4], uses[len(uses)-1])
	progress("governor: without a bound %.3f cores", all.cores)
	return all.cores, all.programCores, nil
}

// governed measures the agent with its budget, and looks at its spans.
func (o *options) governed(ctx context.Context, s *server, f *governorFigures) (err error) {
	a := &attached{}
	defer func() { err = errors.Join(err, a.detach()) }()
	if err := a.startAgent(o.binary, governedReceiver(s, f.Budget), "file: {path: spans.pb, format: proto}"); err != nil {
		return err
	}
	uses, requests, err := o.watch(ctx, s, a, o.governor)
	if err != nil {
		return err
	}
	telemetry, err := settled(a.agent)
	if err != nil {
		return err
	}
	f.conclude(uses)
	f.Requests, f.RequestsPerSecond = requests, float64(requests)/o.governor.Seconds()
	f.Ratio, f.Lost = telemetry.Sum("otelcol_ebpf_span_capture_ratio"), lossesOf(telemetry)
	for key, n := range telemetry {
		switch where(key) {
		case "kernel":
			f.InKernel += n
		case "receiver":
			f.Outside += n
		}
	}
	agent := a.agent
	a.agent = nil
	if err := agent.Stop(os.Interrupt); err != nil {
		return err
	}
	f.Kept, f.Halves, err = pairs(filepath.Join(a.dir, "spans.pb"), s.address)
	progress("governor: %.3f cores of a budget of %.3f, %d of %d requests kept, %d with one end", f.Cores, f.Budget, f.Kept, f.Requests, f.Halves)
	return err
}

// where returns the side that a sample of thinned requests is of, "" for other samples.
func where(key string) string {
	if !strings.HasPrefix(key, "otelcol_ebpf_span_thinned_requests") {
		return ""
	}
	_, rest, _ := strings.Cut(key, `where="`)
	side, _, _ := strings.Cut(rest, `"`)
	return side
}

// use is what the agent and its programs have used so far, in core seconds.
type use struct {
	at              time.Time
	agent, programs float64
	// cores and programCores are those between two uses.
	cores, programCores float64
}

func (a *attached) use() (u use, err error) {
	own, err := runTime(a.agent.PID())
	if err != nil {
		return u, err
	}
	runs, err := programRuns(a.agent.PID())
	if err != nil {
		return u, err
	}
	u = use{at: time.Now(), agent: own.Seconds()}
	for _, r := range runs {
		u.programs += r.Runs * r.Nanoseconds / 1e9
	}
	return u, nil
}

func between(from, to use) use {
	seconds := to.at.Sub(from.at).Seconds()
	to.programCores = (to.programs - from.programs) / seconds
	to.cores = (to.agent-from.agent)/seconds + to.programCores
	return to
}

// watch applies the load for some time and looks at the use each second.
func (o *options) watch(ctx context.Context, s *server, a *attached, d time.Duration) (uses []use, requests int64, err error) {
	done := make(chan error, 1)
	go func() {
		var err error
		requests, err = paced(ctx, s.address, o.rate/2, o.connections, d)
		done <- err
	}()
	for {
		u, err := a.use()
		if err != nil {
			return nil, 0, err
		}
		uses = append(uses, u)
		select {
		case err := <-done:
			return uses, requests, err
		case <-time.After(time.Second):
		}
	}
}

// conclude looks at the second half.
func (f *governorFigures) conclude(uses []use) {
	uses = uses[len(uses)/2 : len(uses)-1] // the last one may lie behind the load
	all := between(uses[0], uses[len(uses)-1])
	f.Cores, f.Programs, f.OfBudget = all.cores, all.programCores, all.cores/f.Budget
	steps := int(worstTime / time.Second)
	for i := steps; i < len(uses); i++ {
		f.Worst = max(f.Worst, between(uses[i-steps], uses[i]).cores/f.Budget)
	}
}

// pairs reads spans and counts the requests to a server, and those of which one end is missing.
func pairs(path, address string) (requests, halves int, err error) {
	file, err := os.Open(path)
	if err != nil {
		return 0, 0, err
	}
	defer file.Close()
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return 0, 0, err
	}
	port := int64(at.Port())
	clients, servers := map[pcommon.SpanID]bool{}, map[pcommon.SpanID]bool{}
	for {
		batch, err := readBatch(file)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return 0, 0, fmt.Errorf("%s: %w", path, err)
		}
		for _, r := range batch.ResourceSpans().All() {
			for _, span := range r.ScopeSpans().At(0).Spans().All() {
				if to, ok := span.Attributes().Get("server.port"); !ok || to.Int() != port {
					continue
				}
				if span.Kind() == ptrace.SpanKindServer {
					servers[span.ParentSpanID()] = true
				} else {
					clients[span.SpanID()] = true
				}
			}
		}
	}
	all := map[pcommon.SpanID]bool{}
	for _, end := range []map[pcommon.SpanID]bool{clients, servers} {
		for id := range end {
			all[id] = true
		}
	}
	for id := range all {
		if !clients[id] || !servers[id] {
			halves++
		}
	}
	return len(all), halves, nil
}

// readBatch reads one message of the file exporter's format "proto": its length in four
// bytes, big-endian, then the message.
func readBatch(from io.Reader) (ptrace.Traces, error) {
	var size uint32
	if err := binary.Read(from, binary.BigEndian, &size); err != nil {
		return ptrace.Traces{}, err
	}
	message := make([]byte, size)
	if _, err := io.ReadFull(from, message); err != nil {
		return ptrace.Traces{}, fmt.Errorf("a message is cut: %v", err) //nolint:errorlint // EOF here is no end
	}
	return (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(message)
}

func (f *governorFigures) print(w io.Writer) {
	fmt.Fprintf(w, "\ngovernor: %.0f requests/s, both ends traced: %.3f cores without a bound (BPF %.3f); budget %.3f, used %.3f (%.2f of it, at most %.2f in 10 s; BPF %.3f), "+
		"%d of %d requests kept (%.4f at the end), %d with one end only; ends left out: %.0f in the kernel, %.0f in the receiver%s\n",
		f.RequestsPerSecond, f.Full, f.FullPrograms, f.Budget, f.Cores, f.OfBudget, f.Worst, f.Programs,
		f.Kept, f.Requests, f.Ratio, f.Halves, f.InKernel, f.Outside, printLost(f.Lost))
}
