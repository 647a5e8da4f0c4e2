package tracetreeexporter

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

var update = flag.Bool("update", false, "write the golden files anew")

const ms = time.Millisecond

var defaultLimits = limits{spans: 200, depth: 32}

// shop is nginx → Go → (Python, Node), one of them failing.
func shop() []testSpan {
	return []testSpan{
		server(1, 0, "nginx", "/order/7", 502, 0, 20*ms).failing("502"),
		call(2, 1, "nginx", "/order/7", 502, 1*ms, 19*ms, "thread", 1),
		server(3, 2, "shop", "/order/7", 502, 1100*time.Microsecond, 18900*time.Microsecond).failing("502"),
		call(4, 3, "shop", "/stock/7", 200, 2*ms, 8*ms, "goroutine", 1),
		server(5, 4, "stock", "/stock/7", 200, 2100*time.Microsecond, 7900*time.Microsecond),
		call(6, 3, "shop", "/price/7", 500, 9*ms, 18*ms, "goroutine", 0.97).failing("500"),
		server(7, 6, "price", "/price/7", 500, 9100*time.Microsecond, 17900*time.Microsecond).failing("500"),
	}
}

func deepChain(length int) []testSpan {
	var spans []testSpan
	for i := range length {
		spans = append(spans, server(byte(i+1), byte(i), "svc", "/"+strings.Repeat("x", i), 200, time.Duration(i)*ms, time.Duration(2*length-i)*ms))
	}
	return spans
}

func TestPrintTree(t *testing.T) {
	sdk := map[string]any{attributeSDKName: "opentelemetry"}
	tests := []struct {
		name   string
		spans  []testSpan
		limits limits
		width  int
		paint  painter
	}{
		{name: "chain", spans: shop()},
		{name: "chain_colored", spans: shop(), paint: true},
		{name: "chain_narrow", spans: shop(), width: minWidth},
		{name: "chain_wide", spans: shop(), width: 200},
		{name: "below_least_width", spans: shop(), width: 5},
		{name: "max_spans", spans: shop(), limits: limits{spans: 4, depth: 32}},
		{name: "max_depth", spans: shop(), limits: limits{depth: 3}},
		{name: "max_depth_and_spans", spans: shop(), limits: limits{spans: 2, depth: 1}},
		{name: "deep", spans: deepChain(40), width: 100},
		{name: "missing_parents", spans: []testSpan{
			server(1, 0, "a", "/", 200, 0, 9*ms),
			server(5, 4, "b", "/lost", 200, 2*ms, 8*ms),
			call(6, 5, "b", "/found", 200, 3*ms, 7*ms, "connect", 0.9),
			server(9, 0, "c", "/second", 200, 4*ms, 5*ms),
		}},
		{name: "cycles_and_repeated_ids", spans: []testSpan{
			server(1, 0, "a", "/root", 200, 0, 10*ms),
			server(2, 3, "a", "/x", 200, 5*ms, 6*ms),
			server(3, 4, "a", "/y", 200, 4*ms, 6*ms),
			server(4, 2, "a", "/z", 200, 6*ms, 7*ms),
			server(5, 4, "a", "/hangs_off_the_cycle", 200, 1*ms, 2*ms),
			server(6, 6, "a", "/own_parent", 200, 8*ms, 9*ms),
			server(1, 1, "a", "/root_again", 200, 9*ms, 10*ms),
		}},
		{name: "hostile_text", spans: []testSpan{
			server(1, 0, "evil\x1b[2J\x07", "/\x1b]0;title\x07\r\n\u202egnp.exe\x9b1m\xff/ok", 200, 0, 9*ms).failing("a\nb"),
			call(2, 1, "a\tb", strings.Repeat("long/", 100), 200, 1*ms, 2*ms, "thr\x1b[31mead", 7),
			server(3, 1, "名前サービス", "/日本語/パス/とても長い道/終わり/もっと/長く/する/ために/続ける", 200, 3*ms, 4*ms),
		}},
		{name: "other_links", spans: []testSpan{
			{id: 1, service: "web", name: "render", kind: ptrace.SpanKindInternal, to: 9 * ms, resource: sdk},
			{id: 2, parent: 1, service: "web", name: "GET", kind: ptrace.SpanKindClient, from: ms, to: 8 * ms, resource: sdk},
			{
				id: 3, parent: 2, service: "web", kind: ptrace.SpanKindClient, from: ms, to: 8 * ms, context: "w3c",
				attributes: map[string]any{attributeRequestMethod: "GET", attributeURLPath: "/api", attributeLinkMethod: "goroutine", attributeLinkConfidence: 1.0},
			},
			{id: 4, parent: 3, service: "api", name: "GET", kind: ptrace.SpanKindServer, from: 2 * ms, to: 7 * ms, remote: true},
			{
				id: 5, parent: 4, service: "api", name: "GET /api", kind: ptrace.SpanKindServer, from: 2 * ms, to: 7 * ms, remote: true, resource: sdk,
				attributes: map[string]any{attributeRequestMethod: "GET", attributeURLFull: "http://api/api?x=1"},
			},
			{id: 6, parent: 5, name: "no service", from: 3 * ms, to: 4 * ms},
		}},
		{name: "times", spans: []testSpan{
			server(1, 0, "a", "/instant", 200, 0, 0),
			server(2, 1, "a", "/ends_before_it_starts", 200, 5*ms, 2*ms),
			server(3, 1, "a", "/same_start", 200, 0, 0),
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.limits == (limits{}) {
				tt.limits = defaultLimits
			}
			if tt.width == 0 {
				tt.width = defaultWidth
			}
			printed := printTree(makeTree(tt.spans...), tt.limits, tt.width, tt.paint)
			assertGolden(t, tt.name, printed)
		})
	}
}

func assertGolden(t *testing.T, name string, printed []byte) {
	t.Helper()
	path := filepath.Join("testdata", name+".txt")
	if *update {
		require.NoError(t, os.WriteFile(path, printed, 0o644))
	}
	golden, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, string(golden), string(printed))
}

func TestPrintedLinesKeepTheirWidth(t *testing.T) {
	for width := minWidth; width <= 200; width += 7 {
		for _, spans := range [][]testSpan{shop(), deepChain(60)} {
			printed := string(printTree(makeTree(spans...), defaultLimits, width, false))
			for _, line := range strings.Split(printed, "\n")[1:] {
				assert.LessOrEqual(t, cells.StringWidth(line), width, line)
			}
		}
	}
}

func TestPrintedTreeDoesNotDependOnArrival(t *testing.T) {
	spans := shop()
	want := printTree(makeTree(spans...), defaultLimits, defaultWidth, false)
	for range spans {
		spans = append(spans[1:], spans[0])
		assert.Equal(t, string(want), string(printTree(makeTree(spans...), defaultLimits, defaultWidth, false)))
	}
}

func TestEverySpanIsPrintedOrSaid(t *testing.T) {
	for depth := 1; depth <= 7; depth++ {
		for lines := 1; lines <= 8; lines++ {
			tr := makeTree(shop()...)
			m := newRows(tr, limits{spans: lines, depth: depth})
			printed := 0
			for _, r := range m {
				printed += count(r.span != nil)
			}
			said := 0
			for _, r := range m {
				said += leftOut(r)
			}
			assert.Equal(t, tr.spans, printed+said, "depth %d, lines %d", depth, lines)
			assert.LessOrEqual(t, printed, lines)
		}
	}
}

// leftOut reads back how many spans a line stands for.
func leftOut(r row) int {
	if r.span != nil {
		return 0
	}
	n := 0
	for _, digit := range r.label[len(r.label)-1].text {
		if digit >= '0' && digit <= '9' {
			n = n*10 + int(digit-'0')
		}
	}
	return n
}

func FuzzPrintTree(f *testing.F) {
	f.Add([]byte{1, 0, 2, 1, 3, 2}, "GET /\x1b[0m", 80)
	f.Add([]byte{1, 2, 2, 1, 3, 3, 1, 1}, "\xff", 60)
	f.Fuzz(func(t *testing.T, ids []byte, name string, width int) {
		var spans []testSpan
		for i := 0; i+1 < len(ids) && i < 200; i += 2 {
			at := time.Duration(int(ids[i])-int(ids[i+1])) * ms
			spans = append(spans, testSpan{id: ids[i], parent: ids[i+1], service: name, name: name, from: at, to: time.Duration(ids[i]) * ms})
		}
		if len(spans) == 0 {
			return
		}
		width = max(min(width, maxWidth), 0)
		tr := makeTree(spans...)
		printed := string(printTree(tr, limits{depth: maxMaxDepth}, width, false))
		assert.Equal(t, len(spans)+2, strings.Count(printed, "\n"))
		assert.NotContains(t, printed, "\x1b")
	})
}
