package e2e

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seqlink/seqlink/examples/run"
)

const (
	rate     = 200 // requests per second
	inFlight = 16
	// window is the linker's. No trace here lasts as long as that.
	window = "3s"
	// quiet is how long no span may come before the rest counts as missing: the
	// window, and time for the receiver and a busy machine.
	quiet = 15 * time.Second
)

// seconds is how long the load lasts.
func seconds() int {
	if os.Getenv("SEQLINK_E2E_LONG") != "" {
		return 30
	}
	return 5
}

// buildDir outlives the test that first needs what is built.
var buildDir string

func TestMain(m *testing.M) {
	if os.Getenv(confineVariable) != "" {
		fmt.Fprintln(os.Stderr, confine(os.Args[1:]))
		os.Exit(1)
	}
	dir, err := os.MkdirTemp("", "seqlink-e2e-")
	if err != nil {
		panic(err)
	}
	buildDir = dir
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

var examples = sync.OnceValues(func() (run.Examples, error) {
	return run.BuildExamples(context.Background(), filepath.Join("..", "..", "examples"), buildDir)
})

// rig is a chain of services with a client, and a collector that watches them.
type rig struct {
	t         *testing.T
	examples  run.Examples
	chain     *run.Chain
	client    *run.Client
	sink      *run.Sink
	collector *run.Collector
	marker    string
	next      int
}

func newRig(t *testing.T) *rig {
	t.Helper()
	if missing := run.Missing(); len(missing) > 0 {
		t.Fatalf("this test traces the kernel it runs on, which is not possible here: %v", missing)
	}
	e, err := examples()
	require.NoError(t, err)
	sink, err := run.StartSink()
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, sink.Close()) })
	client := run.NewClient(inFlight)
	t.Cleanup(client.Close)
	return &rig{t: t, examples: e, client: client, sink: sink, marker: "SEQLINK_RUN_" + rand.Text(), next: 100_000}
}

func (r *rig) startChain(hops ...run.Hop) {
	r.t.Helper()
	chain, err := run.StartChain(r.t.Context(), r.t.TempDir(), r.marker, hops...)
	require.NoError(r.t, err)
	r.chain = chain
	r.t.Cleanup(func() { assert.NoError(r.t, chain.Stop()) })
}

// startCollector selects the services by the variable that only they have, and by
// their ids because nginx's environment is gone once it runs.
func (r *rig) startCollector(further map[string]any) {
	r.t.Helper()
	r.startCollectorAs(run.CollectorConfig{
		Binary: cmp.Or(os.Getenv("SEQLINK_BIN"), filepath.Join("..", "..", "bin", "otelcol-seqlink")),
		Dir:    r.t.TempDir(),
	}, further)
}

func (r *rig) startCollectorAs(config run.CollectorConfig, further map[string]any) {
	r.t.Helper()
	exporters := map[string]any{"otlp_http": r.sink.OTLPHTTP()}
	maps.Copy(exporters, further)
	config.Receiver = map[string]any{"processes": map[string]any{"env": []string{r.marker}, "pids": r.chain.PIDs()}}
	config.Exporters, config.Window = exporters, window
	collector, err := run.StartCollector(r.t.Context(), config)
	require.NoError(r.t, err)
	r.collector = collector
	r.t.Cleanup(func() {
		assert.NoError(r.t, collector.Stop())
		if r.t.Failed() {
			r.t.Logf("the collector's log ends:\n%s", collector.LogTail())
		}
	})
}

// send puts the load on for so many seconds, every request of which must be answered.
func (r *rig) send(seconds int) *run.Outcome {
	r.t.Helper()
	requests := rate * seconds
	outcome := r.client.Send(r.t.Context(), run.Load{
		URL: r.chain.URL, Rate: rate, InFlight: inFlight, Requests: requests, First: r.next,
	})
	r.next += requests
	require.Empty(r.t, outcome.Errors)
	require.NoError(r.t, r.chain.Ended())
	return outcome
}

// check compares the traces with the requests, and asks for losses.
func (r *rig) check(outcome *run.Outcome) *run.Report {
	r.t.Helper()
	wanted := len(outcome.IDs) * run.SpansPerRequest(len(r.chain.Services))
	awaited := r.sink.Await(r.t.Context(), wanted, quiet)
	report := run.Check(r.sink.All(), outcome.IDs, r.chain.Services)
	r.t.Logf("%s; statuses %v", report, outcome.Statuses)
	assert.NoError(r.t, errors.Join(awaited, report.Err()))
	losses, err := r.collector.Losses(r.t.Context())
	require.NoError(r.t, err)
	assert.Zero(r.t, losses.Total(), "losses: %s", losses)
	return report
}
