package span

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/capture"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/causality"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/conn"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
)

// ends returns the two exchanges that the two ends of one connection see of one request.
func ends(place uint64) (client, server *protocol.Exchange) {
	make := func(side protocol.Side, identity capture.Identity, pid uint32) *protocol.Exchange {
		return &protocol.Exchange{
			Conn: &conn.Conn{
				Identity: identity,
				Local:    netip.MustParseAddrPort("10.0.0.1:80"), Remote: netip.MustParseAddrPort("10.0.0.2:4000"),
			},
			Side: side, Place: place, Name: "GET",
			Request: protocol.Message{First: conn.Origin{Time: 1000, Task: capture.Task{PID: pid, TID: pid + 1}}},
			End:     conn.Origin{Time: 3000},
		}
	}
	client = make(protocol.Client, capture.Identity{FirstSent: 11, FirstReceived: 22}, 100)
	server = make(protocol.Server, capture.Identity{FirstSent: 22, FirstReceived: 11}, 200)
	return client, server
}

func spans(b *Builder) map[ptrace.SpanKind]ptrace.Span {
	found := make(map[ptrace.SpanKind]ptrace.Span)
	for _, r := range b.Take().ResourceSpans().All() {
		for _, s := range r.ScopeSpans().At(0).Spans().All() {
			found[s.Kind()] = s
		}
	}
	return found
}

func TestServerKnowsItsParentWithoutBeingTold(t *testing.T) {
	client, server := ends(77)
	assert.Equal(t, client.Key(), server.Key())
	here, there := NewBuilder(Options{}), NewBuilder(Options{})
	here.Link(causality.Link{Exchange: client})
	there.Link(causality.Link{Exchange: server})
	c, s := spans(here)[ptrace.SpanKindClient], spans(there)[ptrace.SpanKindServer]
	assert.Equal(t, c.SpanID(), s.ParentSpanID())
	assert.Equal(t, uint32(flagHasIsRemote|flagIsRemote), s.Flags())
	assert.Equal(t, uint32(flagHasIsRemote), c.Flags())
	assert.True(t, c.ParentSpanID().IsEmpty())
	assert.NotEqual(t, c.SpanID(), s.SpanID())
}

// The ids are part of the contract between agents of different versions.
func TestIDsAreStable(t *testing.T) {
	client, _ := ends(77)
	key := client.Key()
	assert.Equal(t, uint64(0xcf2c21b439c8f7da), key)
	assert.Equal(t, "a70227a9ac56f8e7", ID(key, protocol.Client).String())
	assert.Equal(t, "8d381d7f8627d587", ID(key, protocol.Server).String())
	assert.Equal(t, "a2761e675d4a6dafbfce2d6ef0938b7d", TraceID(ID(key, protocol.Server)).String())
}

func TestIDsDiffer(t *testing.T) {
	seen := make(map[pcommon.SpanID]bool)
	for place := range uint64(1000) {
		client, server := ends(place)
		for _, id := range []pcommon.SpanID{ID(client.Key(), protocol.Client), ID(server.Key(), protocol.Server)} {
			assert.False(t, seen[id])
			assert.False(t, id.IsEmpty())
			seen[id] = true
		}
	}
}

func TestCallJoinsItsRequestsSegment(t *testing.T) {
	call, _ := ends(1)
	_, request := ends(2)
	b := NewBuilder(Options{MinConfidence: 0.9})
	b.Link(causality.Link{Exchange: request})
	b.Link(causality.Link{Exchange: call, Parent: request, Method: causality.MethodThread, Confidence: 0.99})
	require.Equal(t, 2, b.Len())
	got := spans(b)
	c, s := got[ptrace.SpanKindClient], got[ptrace.SpanKindServer]
	assert.Equal(t, s.SpanID(), c.ParentSpanID())
	assert.Equal(t, s.TraceID(), c.TraceID())
	method, _ := c.Attributes().Get(AttributeLinkMethod)
	assert.Equal(t, "thread", method.Str())
	confidence, _ := c.Attributes().Get(AttributeLinkConfidence)
	assert.InDelta(t, 0.99, confidence.Double(), 0)
	assert.Zero(t, b.Len())
}

func TestDoubtfulParentIsASpanLink(t *testing.T) {
	call, _ := ends(1)
	_, request := ends(2)
	b := NewBuilder(Options{MinConfidence: 0.9})
	b.Link(causality.Link{Exchange: call, Parent: request, Method: causality.MethodLoop, Confidence: 0.5})
	c := spans(b)[ptrace.SpanKindClient]
	assert.True(t, c.ParentSpanID().IsEmpty())
	require.Equal(t, 1, c.Links().Len())
	link := c.Links().At(0)
	assert.Equal(t, ID(request.Key(), protocol.Server), link.SpanID())
	assert.NotEqual(t, link.TraceID(), c.TraceID())
	_, ok := link.Attributes().Get(AttributeLinkConfidence)
	assert.True(t, ok)
}

func TestRunnerUpIsASpanLink(t *testing.T) {
	for _, c := range []struct {
		confidence, runnerUp float64
		links                int
	}{
		{0.93, 0.06, 1}, // a parent, and a link to the next
		{0.6, 0.3, 2},   // two links
		{0.99, 0.01, 0}, // not worth telling
	} {
		call, _ := ends(1)
		_, request := ends(2)
		_, next := ends(3)
		b := NewBuilder(Options{MinConfidence: 0.9})
		b.Link(causality.Link{
			Exchange: call, Parent: request, Method: causality.MethodStatistical, Confidence: c.confidence,
			RunnerUp: next, RunnerUpConfidence: c.runnerUp,
		})
		s := spans(b)[ptrace.SpanKindClient]
		require.Equal(t, c.links, s.Links().Len())
		assert.Equal(t, c.confidence < 0.9, s.ParentSpanID().IsEmpty())
		if c.links == 0 {
			continue
		}
		link := s.Links().At(c.links - 1)
		assert.Equal(t, ID(next.Key(), protocol.Server), link.SpanID())
		confidence, _ := link.Attributes().Get(AttributeLinkConfidence)
		assert.InDelta(t, c.runnerUp, confidence.Double(), 0)
		method, _ := link.Attributes().Get(AttributeLinkMethod)
		assert.Equal(t, "statistical", method.Str())
	}
}

// What a call follows or serves is linked, and not its parent; what was left out has no span.
func TestRelatedRequestsAreSpanLinks(t *testing.T) {
	call, _ := ends(1)
	_, request := ends(2)
	_, out := ends(3)
	out.Thinning.Out = true
	b := NewBuilder(Options{})
	b.Link(causality.Link{Exchange: call, Related: []causality.Relation{
		{Exchange: out, Method: causality.MethodAfterResponse, Confidence: 1},
		{Exchange: request, Method: causality.MethodAfterResponse, Confidence: 0.99},
	}})
	c := spans(b)[ptrace.SpanKindClient]
	assert.True(t, c.ParentSpanID().IsEmpty())
	require.Equal(t, 1, c.Links().Len())
	link, id := c.Links().At(0), ID(request.Key(), protocol.Server)
	assert.Equal(t, id, link.SpanID())
	assert.Equal(t, TraceID(id), link.TraceID())
	assert.NotEqual(t, link.TraceID(), c.TraceID(), "it begins a trace of its own")
	assert.Equal(t, map[string]any{AttributeLinkMethod: "after_response", AttributeLinkConfidence: 0.99}, link.Attributes().AsRaw())
	_, linked := c.Attributes().Get(AttributeLinkMethod)
	assert.False(t, linked)
}

// details are what a protocol tells.
type details struct {
	path   string
	status int64
}

func (d details) AddAttributes(a *protocol.Attributes) {
	a.AddString("url.path", d.path)
	a.AddInt("http.response.status_code", d.status)
}

func TestSpanTellsTheExchange(t *testing.T) {
	_, server := ends(1)
	server.Details = details{path: "/x", status: 500}
	server.ErrorType, server.Failed = "500", true
	server.Contexts = []protocol.TraceContext{{
		Propagator: "w3c", TraceID: [16]byte{1}, SpanID: [8]byte{2}, Flags: 1, TraceState: "a=b",
	}}
	b := NewBuilder(Options{})
	b.Link(causality.Link{Exchange: server})
	s := spans(b)[ptrace.SpanKindServer]
	assert.Equal(t, map[string]any{
		"thread.id": int64(201), "url.path": "/x", "http.response.status_code": int64(500), "error.type": "500",
	}, s.Attributes().AsRaw())
	assert.Equal(t, ptrace.StatusCodeError, s.Status().Code())
	assert.Equal(t, "GET", s.Name())
	assert.Equal(t, pcommon.Timestamp(1000), s.StartTimestamp())
	assert.Equal(t, pcommon.Timestamp(3000), s.EndTimestamp())
	require.Equal(t, 1, s.Links().Len())
	link := s.Links().At(0)
	assert.Equal(t, pcommon.TraceID{1}, link.TraceID())
	assert.Equal(t, pcommon.SpanID{2}, link.SpanID())
	assert.Equal(t, uint32(1), link.Flags())
	assert.Equal(t, "a=b", link.TraceState().AsRaw())
	assert.Equal(t, map[string]any{"seqlink.context": "w3c"}, link.Attributes().AsRaw())
}

// Only a context that carries a decision tells one, and its link flags agree with it.
func TestSpanTellsTheSamplingDecision(t *testing.T) {
	kept, dropped := protocol.TraceContext{Propagator: "kept"}, protocol.TraceContext{Propagator: "dropped", Flags: 3}
	kept.Decide(true)
	dropped.Decide(false)
	undecided := protocol.TraceContext{Propagator: "undecided", Flags: 1}
	_, server := ends(1)
	server.Contexts = []protocol.TraceContext{kept, dropped, undecided}
	b := NewBuilder(Options{})
	b.Link(causality.Link{Exchange: server})
	links := spans(b)[ptrace.SpanKindServer].Links()
	require.Equal(t, 3, links.Len())
	assert.Equal(t, map[string]any{"seqlink.context": "kept", "seqlink.context.sampled": true}, links.At(0).Attributes().AsRaw())
	assert.Equal(t, uint32(1), links.At(0).Flags())
	assert.Equal(t, map[string]any{"seqlink.context": "dropped", "seqlink.context.sampled": false}, links.At(1).Attributes().AsRaw())
	assert.Equal(t, uint32(2), links.At(1).Flags())
	assert.Equal(t, map[string]any{"seqlink.context": "undecided"}, links.At(2).Attributes().AsRaw())
}

func TestSpanNeverEndsBeforeItsStart(t *testing.T) {
	_, server := ends(1)
	server.End.Time = 10
	b := NewBuilder(Options{})
	b.Link(causality.Link{Exchange: server})
	s := spans(b)[ptrace.SpanKindServer]
	assert.Equal(t, s.StartTimestamp(), s.EndTimestamp())
}

func TestResourceDescribesTheProcess(t *testing.T) {
	client, server := ends(1)
	b := NewBuilder(Options{HostName: "here", HostID: "machine"})
	b.Found(&capture.Process{
		PID: 100, Service: "shop", Executable: "shopd", ContainerID: "c0ffee", PodUID: "beef", Runtime: "go", RuntimeVersion: "go1.26.1",
		Attributes: map[string]string{"deployment.environment.name": "test", "service.name": "not this"},
	})
	b.Exited(100, 0)
	b.Link(causality.Link{Exchange: client})
	b.Link(causality.Link{Exchange: server})
	resources := make(map[int64]map[string]any)
	for _, r := range b.Take().ResourceSpans().All() {
		raw := r.Resource().Attributes().AsRaw()
		resources[raw["process.pid"].(int64)] = raw
	}
	assert.Equal(t, map[int64]map[string]any{
		100: {
			"service.name": "shop", "host.name": "here", "host.id": "machine", "os.type": "linux", "container.id": "c0ffee",
			"k8s.pod.uid": "beef", "process.pid": int64(100), "process.executable.name": "shopd",
			"process.runtime.name": "go", "process.runtime.version": "go1.26.1", "deployment.environment.name": "test",
		},
		200: {"service.name": "unknown_service", "host.name": "here", "host.id": "machine", "os.type": "linux", "process.pid": int64(200)},
	}, resources)
	b.Exited(200, keepEnded+1)
	assert.NotContains(t, b.processes.facts, uint32(100), "facts are not kept for ever")
}
