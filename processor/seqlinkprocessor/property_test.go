package seqlinkprocessor

import (
	"flag"
	"maps"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

var (
	histories        = flag.Int("histories", 300, "number of random histories per property test without restarts")
	restartHistories = flag.Int("restart-histories", 15, "number of random histories with restarts, each of which takes a third of a second")
	firstHistory     = flag.Int("first-history", 0, "number of the first random history, to spread them over processes")
)

// TestForestsMatchTheModel sends whole traces, in segments, shuffled and in random
// batches, with SDKs and agents in some of the services only.
func TestForestsMatchTheModel(t *testing.T) {
	r := newRig(t, nil)
	for i := range *histories {
		seed := *firstHistory + i
		f := &forest{rng: rand.New(rand.NewPCG(uint64(seed), 1)), model: newModel()}
		for range 1 + f.rng.IntN(4) {
			f.grow()
		}
		wanted := playWithinWindow(r, f)
		if !t.Run("", func(t *testing.T) { assertWant(t, wanted, r) }) {
			t.Fatalf("seed %d", seed)
		}
		r.fresh()
	}
}

// playWithinWindow sends the forest's spans, some of them twice, so that all are
// there before the first leaves.
func playWithinWindow(r *rig, f *forest) map[uint64]want {
	spans := f.spans
	for _, s := range f.spans {
		if f.rng.IntN(20) == 0 {
			spans = append(spans, s)
		}
	}
	f.rng.Shuffle(len(spans), func(i, j int) { spans[i], spans[j] = spans[j], spans[i] })
	var fresh []testSpan
	for len(spans) > 0 {
		n := min(len(spans), 1+f.rng.IntN(8))
		r.send(spans[:n]...)
		fresh = append(fresh, f.model.arrive(spans[:n])...)
		r.pass(time.Millisecond)
		spans = spans[n:]
	}
	r.pass(r.cfg.Window)
	return f.model.leave(fresh)
}

// forest grows random traces of services that call each other, and knows under
// which parent each span belongs.
type forest struct {
	rng   *rand.Rand
	model *model
	spans []testSpan
	id    uint64
}

// call is a request on its way from one service to the next.
type call struct {
	clientID   uint64 // of the kernel's client span, whether it was seen or not
	client     uint64 // 0 when no agent saw it
	sdkClient  uint64 // 0 when the caller has no SDK
	context    *testContext
	lastServer uint64 // kernel server span of a caller that passed the context on
	start, end uint64
	depth      int
}

func (f *forest) newID() uint64 {
	f.id++
	return f.id
}

func (f *forest) chance(percent int) bool { return f.rng.IntN(100) < percent }

func (f *forest) grow() {
	root := call{end: 1 << 40, start: uint64(f.rng.IntN(1000))}
	if f.chance(50) {
		root.clientID = f.newID() // somebody who is not traced
	}
	calls := []call{root}
	for len(calls) > 0 {
		calls = append(calls[1:], f.serve(calls[0])...)
	}
}

// within returns times inside of those given.
func (f *forest) within(start, end uint64) (uint64, uint64) {
	return start + 1 + f.rng.Uint64N(50), end - 1 - f.rng.Uint64N(50)
}

// service is one process on the way of a trace.
type service struct {
	call
	agent, sdk bool
	segment    uint64 // provisional trace id
	server     uint64
	trace      uint64 // of the SDK
	sdkServer  uint64
	mayForward bool
}

// serve adds the spans of the service that takes c and returns its calls.
func (f *forest) serve(c call) []call {
	s := service{call: c, agent: f.chance(80), sdk: f.chance(40)}
	if !s.agent && !s.sdk {
		return nil
	}
	s.segment = f.newID()
	f.addServer(&s)
	f.addSDKServer(&s)
	s.mayForward = !s.sdk && c.context != nil && f.chance(60)
	n := f.rng.IntN(4)
	if s.mayForward {
		n = min(n, 1) // two calls with one context cannot be told apart
	}
	if c.depth == 5 {
		n = 0
	}
	var calls []call
	for range n {
		calls = append(calls, f.callFrom(&s))
	}
	return calls
}

func (f *forest) addServer(s *service) {
	if !s.agent {
		return
	}
	s.server = f.newID()
	s.start, s.end = f.within(s.start, s.end)
	span := server(s.segment, s.server, s.clientID).at(s.start, s.end)
	if s.context != nil {
		span.contexts = []testContext{*s.context}
	}
	f.add(span, firstOf(s.client, s.sdkClient))
}

func (f *forest) addSDKServer(s *service) {
	if !s.sdk {
		return
	}
	s.sdkServer = f.newID()
	s.start, s.end = f.within(s.start, s.end)
	if s.context == nil {
		s.trace = f.newID()
		f.add(sdk(s.trace, s.sdkServer, 0, ptrace.SpanKindServer, 1).at(s.start, s.end), 0)
		return
	}
	s.trace = s.context.trace
	span := sdk(s.trace, s.sdkServer, s.context.span, ptrace.SpanKindServer, remote|1)
	f.add(span.at(s.start, s.end), firstOf(s.server, s.lastServer, s.sdkClient))
}

func firstOf(ids ...uint64) uint64 {
	for _, id := range ids {
		if id != 0 {
			return id
		}
	}
	return 0
}

func (f *forest) callFrom(s *service) call {
	c := call{depth: s.depth + 1}
	c.start, c.end = f.within(s.start, s.end)
	if s.sdk {
		c.sdkClient = f.newID()
		c.context = &testContext{s.trace, c.sdkClient}
		f.add(sdk(s.trace, c.sdkClient, s.sdkServer, ptrace.SpanKindClient, local|1).at(c.start, c.end), s.sdkServer)
		c.start, c.end = f.within(c.start, c.end)
	}
	if s.mayForward {
		c.context, c.lastServer = s.context, s.server
	}
	c.clientID = f.newID()
	if !s.agent {
		return c
	}
	c.client = c.clientID
	span := client(s.segment, c.client, s.server).at(c.start, c.end)
	if c.context != nil {
		span.contexts = []testContext{*c.context}
	}
	f.add(span, firstOf(c.sdkClient, s.server))
	return c
}

func (f *forest) add(s testSpan, parent uint64) {
	f.spans = append(f.spans, s)
	f.model.parents[s.id] = parent
}

// TestChaosMatchesTheModel sends spans with random parents, rings among them,
// over many windows, so that most joins come too late for somebody.
func TestChaosMatchesTheModel(t *testing.T) {
	r := newRig(t, longRetention)
	for i := range *histories {
		seed := *firstHistory + i
		c := newChaos(seed)
		c.play(r, func() {})
		if !t.Run("", func(t *testing.T) { assertWant(t, c.wanted, r) }) {
			t.Fatalf("seed %d", seed)
		}
		r.fresh()
	}
}

// TestChaosWithRestarts does the same and restarts or kills the linker at random.
func TestChaosWithRestarts(t *testing.T) {
	restarts := 0
	for i := range *restartHistories {
		seed := *firstHistory + i
		t.Run("", func(t *testing.T) {
			r := newRig(t, func(c *Config) {
				longRetention(c)
				c.DBPath = t.TempDir()
			})
			c := newChaos(seed)
			c.play(r, func() {
				switch c.rng.IntN(8) {
				case 0:
					r.reopen()
					restarts++
				case 1:
					r.kill()
					restarts++
				}
			})
			assertWant(t, c.wanted, r)
		})
	}
	require.Positive(t, restarts)
}

func longRetention(c *Config) { c.Retention = time.Hour }

type chaos struct {
	rng     *rand.Rand
	model   *model
	waiting []chaosBatch
	wanted  map[uint64]want
	id      uint64
	last    []testSpan
}

type chaosBatch struct {
	spans   []testSpan
	arrival time.Time
}

func newChaos(seed int) *chaos {
	return &chaos{rng: rand.New(rand.NewPCG(uint64(seed), 2)), model: newModel(), wanted: map[uint64]want{}}
}

// play sends batches with time in between, calls disturb between them, and at the
// end waits until everything has left.
func (c *chaos) play(r *rig, disturb func()) {
	for range 10 + c.rng.IntN(20) {
		spans := c.spans()
		r.send(spans...)
		c.waiting = append(c.waiting, chaosBatch{c.model.arrive(spans), r.clock.now()})
		disturb()
		c.pass(r, time.Duration(c.rng.Int64N(int64(r.cfg.Window/3))))
	}
	c.pass(r, r.cfg.Window)
}

func (c *chaos) pass(r *rig, d time.Duration) {
	r.pass(d)
	for len(c.waiting) > 0 && r.clock.now().Sub(c.waiting[0].arrival) >= r.cfg.Window {
		maps.Copy(c.wanted, c.model.leave(c.waiting[0].spans))
		c.waiting = c.waiting[1:]
	}
}

func (c *chaos) spans() []testSpan {
	var spans []testSpan
	for range 1 + c.rng.IntN(6) {
		spans = append(spans, c.span())
	}
	if len(c.last) > 0 && c.rng.IntN(4) == 0 {
		spans = append(spans, c.last[0]) // again
	}
	c.last = spans
	return spans
}

const chaosTraces, chaosAppTraces = 40, 3

// span makes a span that may name any other as its parent, before it or after it.
func (c *chaos) span() testSpan {
	c.id++
	trace, parent := 1+c.rng.Uint64N(chaosTraces), c.rng.Uint64N(c.id+20)
	s := server(trace, c.id, parent)
	if c.rng.IntN(2) == 0 {
		s = client(trace, c.id, parent)
	}
	if c.rng.IntN(15) == 0 {
		s.contexts = []testContext{{1000 + c.rng.Uint64N(chaosAppTraces), 9999}}
	}
	start := c.rng.Uint64N(100)
	return s.at(start, start+10)
}
