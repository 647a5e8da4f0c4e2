package seqlinkprocessor

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// The ids of an SDK's request through the kernel: an SDK's server and client span
// in front, the kernel's client and server span, the called SDK's server span.
const (
	appTrace     = 0xa11
	frontServer  = 0x1
	sdkClient    = 0x2
	sdkServer    = 0x3
	kernelFront  = 0x10
	kernelClient = 0x11
	kernelServer = 0x20
)

var wire = testContext{appTrace, sdkClient}

func chainSpans() []testSpan {
	return []testSpan{
		server(1, kernelFront, 0x99).at(100, 900),
		sdk(appTrace, frontServer, 0, ptrace.SpanKindServer, 1).at(110, 890),
		sdk(appTrace, sdkClient, frontServer, ptrace.SpanKindClient, 1).at(200, 800),
		client(1, kernelClient, kernelFront, wire).at(210, 790),
		server(2, kernelServer, kernelClient, wire).at(300, 700),
		sdk(appTrace, sdkServer, sdkClient, ptrace.SpanKindServer, 1|remote).at(310, 690),
	}
}

func TestSDKChainInEveryOrder(t *testing.T) {
	wanted := map[uint64]want{
		kernelFront:  {tid(appTrace), 0},
		frontServer:  {tid(appTrace), 0},
		sdkClient:    {tid(appTrace), frontServer},
		kernelClient: {tid(appTrace), sdkClient},
		kernelServer: {tid(appTrace), kernelClient},
		sdkServer:    {tid(appTrace), kernelServer},
	}
	r, orders := newRig(t, nil), int64(0)
	permute(chainSpans(), func(spans []testSpan) {
		for _, s := range spans {
			r.send(s)
		}
		r.pass(r.cfg.Window)
		assertWant(t, wanted, r)
		assert.Equal(t, local, r.span(kernelClient).Flags())
		assert.Equal(t, local|1, r.span(sdkServer).Flags())
		assert.Equal(t, remote, r.span(kernelServer).Flags())
		orders++
		r.fresh()
	})
	require.EqualValues(t, 720, orders)
	require.Equal(t, 2*orders, r.counter("spans_reparented"))
}

// permute calls f with every order of spans.
func permute(spans []testSpan, f func([]testSpan)) {
	var rest func(int)
	rest = func(n int) {
		if n == len(spans) {
			f(spans)
			return
		}
		for i := n; i < len(spans); i++ {
			spans[n], spans[i] = spans[i], spans[n]
			rest(n + 1)
			spans[n], spans[i] = spans[i], spans[n]
		}
	}
	rest(0)
}

func TestSDKChainVariants(t *testing.T) {
	all := chainSpans()
	proxyServer, proxyClient := uint64(0x30), uint64(0x31)
	tests := []struct {
		name  string
		spans []testSpan
		want  map[uint64]uint64 // parents
	}{
		{
			name:  "the client's SDK is elsewhere",
			spans: []testSpan{all[0], all[3], all[4], all[5]},
			want:  map[uint64]uint64{kernelFront: 0, kernelClient: kernelFront, kernelServer: kernelClient, sdkServer: kernelServer},
		},
		{
			name:  "the client's host has no agent",
			spans: []testSpan{all[1], all[2], all[4], all[5]},
			want:  map[uint64]uint64{frontServer: 0, sdkClient: frontServer, kernelServer: sdkClient, sdkServer: kernelServer},
		},
		{
			name:  "the server's host has no agent",
			spans: []testSpan{all[1], all[2], all[3], all[5]},
			want:  map[uint64]uint64{frontServer: 0, sdkClient: frontServer, kernelClient: sdkClient, sdkServer: sdkClient},
		},
		{
			name: "an in-process child of the SDK's client span stays",
			spans: append(chainSpans(),
				sdk(appTrace, 0x4, sdkClient, ptrace.SpanKindInternal, 0).at(220, 780),
				sdk(appTrace, 0x5, sdkClient, ptrace.SpanKindServer, local).at(220, 780)),
			want: map[uint64]uint64{0x4: sdkClient, 0x5: sdkClient, sdkServer: kernelServer},
		},
		{
			name: "a proxy passes the context on",
			spans: []testSpan{
				all[1], all[2], all[3],
				server(3, proxyServer, kernelClient, wire).at(230, 780),
				client(3, proxyClient, proxyServer, wire).at(240, 770),
				server(2, kernelServer, proxyClient, wire).at(300, 700),
				all[5],
			},
			want: map[uint64]uint64{
				kernelClient: sdkClient, proxyServer: kernelClient, proxyClient: proxyServer,
				kernelServer: proxyClient, sdkServer: kernelServer,
			},
		},
		{
			name: "a proxy whose clock is ahead",
			spans: []testSpan{
				all[1], all[2], all[3],
				server(3, proxyServer, kernelClient, wire).at(305, 850),
				client(3, proxyClient, proxyServer, wire).at(306, 840),
				server(2, kernelServer, proxyClient, wire).at(300, 700),
				all[5],
			},
			want: map[uint64]uint64{sdkServer: kernelServer},
		},
		{
			name: "the called service passes the context on by hand",
			spans: append(chainSpans(),
				client(2, 0x21, kernelServer, wire).at(400, 600),
				server(4, 0x40, 0x21, wire).at(410, 590)),
			want: map[uint64]uint64{0x21: kernelServer, 0x40: 0x21, sdkServer: kernelServer},
		},
		{
			name: "a retry makes two servers of one context",
			spans: append(chainSpans(),
				client(1, 0x12, kernelFront, wire).at(710, 790),
				server(5, 0x50, 0x12, wire).at(720, 780),
				sdk(appTrace, 0x6, sdkClient, ptrace.SpanKindServer, remote).at(730, 770)),
			want: map[uint64]uint64{0x12: sdkClient, 0x50: 0x12, 0x6: 0x50, sdkServer: kernelServer},
		},
		{
			name: "clocks that disagree: the nearest in time",
			spans: append(chainSpans(),
				sdk(appTrace, 0x6, sdkClient, ptrace.SpanKindServer, remote).at(5000, 5100)),
			want: map[uint64]uint64{0x6: kernelServer},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, nil)
			r.send(tt.spans...)
			r.pass(r.cfg.Window)
			spans := r.byID()
			require.Len(t, spans, len(tt.spans))
			for _, ps := range spans {
				assert.Equal(t, tid(appTrace), ps.TraceID())
			}
			for id, parent := range tt.want {
				assert.Equal(t, sid(parent), spans[id].ParentSpanID(), "parent of %x", id)
			}
		})
	}
}

func TestSDKSpansThatComeLateJoin(t *testing.T) {
	r := newRig(t, nil)
	all := chainSpans()
	r.send(all[3], all[4])
	r.pass(r.cfg.Window)
	require.Equal(t, tid(appTrace), r.span(kernelServer).TraceID())
	r.send(all[5])
	r.pass(r.cfg.Window)
	require.Equal(t, sid(kernelServer), r.span(sdkServer).ParentSpanID())
	require.EqualValues(t, 1, r.counter("spans_late"))
	require.EqualValues(t, 1, r.counter("segments_joined", "method", "remote_parent"))
	require.EqualValues(t, 1, r.counter("segments_joined", "method", "app_context"))
}

func TestChainsThatLeadInARingEnd(t *testing.T) {
	r := newRig(t, nil)
	r.send(
		sdk(appTrace, sdkClient, sdkServer, ptrace.SpanKindServer, remote),
		sdk(appTrace, sdkServer, sdkClient, ptrace.SpanKindServer, remote),
		client(1, kernelClient, kernelServer, wire, testContext{appTrace, sdkServer}),
		server(1, kernelServer, kernelClient, wire, testContext{appTrace, sdkServer}),
		server(2, 0x77, 0x77, testContext{0xb11, 0x77}),
		server(2, 0x78, 0x77, testContext{0xb11, 0x78}),
	)
	r.pass(r.cfg.Window)
	require.Len(t, r.byID(), 6)
	r.pass(r.cfg.retention() + r.cfg.Window)
	requireEmptyIndex(t, r.l)
}

func TestConstantContextHeaderStaysFast(t *testing.T) {
	const requests = 20000
	r := newRig(t, func(c *Config) { c.MaxSpansPerTrace = 0 })
	var spans []testSpan
	for i := uint64(1); i <= requests; i++ {
		spans = append(spans,
			server(1<<32+i, 2*i<<8, 0x99, wire).at(10*i, 10*i+9),
			sdk(appTrace, 2*i<<8+1, sdkClient, ptrace.SpanKindServer, remote).at(10*i+1, 10*i+8))
	}
	r.send(spans...)
	r.pass(r.cfg.Window)
	for i := uint64(1); i <= requests; i += 997 {
		require.Equal(t, sid(2*i<<8), r.span(2*i<<8+1).ParentSpanID())
	}
	r.pass(r.cfg.retention() + r.cfg.Window + time.Second)
	requireEmptyIndex(t, r.l)
}
