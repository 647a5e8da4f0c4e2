package e2e

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqlink/seqlink/examples/run"
)

func (r *rig) fourServices() []run.Hop {
	return []run.Hop{r.examples.Nginx(), r.examples.Go(), r.examples.Python(), r.examples.Node()}
}

// TestChain sends through nginx, Go, Python threads and Node.
func TestChain(t *testing.T) {
	r := newRig(t)
	r.startChain(r.fourServices()...)
	r.startCollector(nil)
	r.check(r.send(seconds()))
}

// TestOlderConnections has all connections opened before the collector starts.
func TestOlderConnections(t *testing.T) {
	r := newRig(t)
	r.startChain(r.fourServices()...)
	r.send(1)
	r.startCollector(nil)
	r.check(r.send(seconds()))
}

// TestNodeLoop has an event loop in the middle, with new and with kept connections.
func TestNodeLoop(t *testing.T) {
	for _, agent := range []string{"keep", "none"} {
		t.Run("agent "+agent, func(t *testing.T) {
			r := newRig(t)
			r.startChain(r.examples.Nginx(), r.examples.Node("AGENT="+agent), r.examples.Go())
			r.startCollector(nil)
			r.check(r.send(seconds()))
		})
	}
}

// TestAsyncioLoop has Python's event loop in the middle, with a connection for each call.
func TestAsyncioLoop(t *testing.T) {
	r := newRig(t)
	script, err := filepath.Abs(filepath.Join("services", "asyncio_relay.py"))
	require.NoError(t, err)
	r.startChain(r.examples.Nginx(), run.PythonHop("relay", script), r.examples.Go())
	r.startCollector(nil)
	r.check(r.send(seconds()))
}

// TestServicesStartedLater has the collector find the services when they exec.
func TestServicesStartedLater(t *testing.T) {
	r := newRig(t)
	r.chain = &run.Chain{}
	r.startCollector(nil)
	r.startChain(r.examples.Go(), r.examples.Python(), r.examples.Node())
	require.NoError(t, r.collector.AwaitProcesses(t.Context(), len(r.chain.Services)))
	r.check(r.send(seconds()))
}
