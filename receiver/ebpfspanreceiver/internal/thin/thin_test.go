package thin

import (
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/sampling"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
)

// kernel stands for the kernel side: it lets go by what it was told to.
type kernel struct {
	threshold sampling.Threshold
	active    bool
	marks     map[uint64]Role
	err       error
}

func (k *kernel) Thin(threshold sampling.Threshold, active bool) error {
	if k.err == nil {
		k.threshold, k.active = threshold, active
	}
	return k.err
}

func (k *kernel) Mark(socket uint64, role Role) error {
	k.marks[socket] = role
	return k.err
}

// world has a Thinner and a clock.
type world struct {
	*Thinner
	kernel *kernel
	now    int64
}

func newWorld() *world {
	w := &world{kernel: &kernel{marks: make(map[uint64]Role)}, now: 1e18}
	w.Thinner = New(w.kernel, func() int64 { return w.now }, zap.NewNop())
	w.Enable()
	return w
}

// pass lets time go by in ticks of 20 ms.
func (w *world) pass(d time.Duration) {
	for end := w.now + d.Nanoseconds(); w.now < end; {
		w.now += 20e6
		w.Tick(w.now)
	}
}

// aim changes the ratio and waits until it is in force everywhere.
func (w *world) aim(ratio float64) {
	w.Aim(ratio)
	w.pass(10 * time.Second)
}

func TestKeepsEverythingAtFirst(t *testing.T) {
	var none *Thinner
	assert.False(t, none.Enabled())
	none.Tick(0)
	none.Unknown(1)
	w := newWorld()
	for _, key := range []uint64{0, 1, 1 << 63, 1<<64 - 1} {
		v := w.Request(Request{Key: key, Role: Server})
		assert.False(t, v.Out)
		assert.InDelta(t, 1, v.Ratio(), 0)
	}
	w.pass(time.Second)
	assert.False(t, w.kernel.active)
}

func TestKeepsThePartThatIsAimedAt(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, ratio := range []float64{1, 0.9, 0.5, 0.25, 0.01, 1.0 / 1024} {
		w := newWorld()
		w.aim(ratio)
		const n = 200_000
		kept := 0
		for range n {
			if v := w.Request(Request{Key: random.Uint64(), Role: Server}); !v.Out {
				kept++
				assert.InEpsilon(t, ratio, v.Ratio(), 0.001)
			}
		}
		assert.InDelta(t, ratio, float64(kept)/n, 0.005, ratio)
		assert.EqualValues(t, n-kept, w.Out())
	}
}

func TestALowerRatioKeepsAPart(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	many, few := newWorld(), newWorld()
	many.aim(0.3)
	few.aim(0.1)
	for range 10_000 {
		r := Request{Key: random.Uint64(), Role: Client}
		if !few.Request(r).Out {
			assert.False(t, many.Request(r).Out)
		}
	}
}

// Requests are under way for up to a second while the ratio jumps about. Whatever is
// decided at one end, here or in the kernel, holds at the other.
func TestBothEndsDecideAlikeWhileTheRatioChanges(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	type sending struct {
		key     uint64
		out     bool
		arrives int64
	}
	w := newWorld()
	var underWay []sending
	kept, left := 0, 0
	decide := func(key uint64, role Role) bool {
		if below(key, w.kernel.threshold) {
			return true // the kernel side leaves it out
		}
		return w.Request(Request{Key: key, Role: role}).Out
	}
	ratios := []float64{1, 0.4, 0.7, 0.2, 0.9, 0.05, 0.06, 0.8, 1, 0.3, 0.001, 0.6}
	for i := range 300_000 {
		if i%6000 == 0 { // every 6 seconds
			w.Aim(ratios[random.IntN(len(ratios))])
		}
		w.now += 1e6
		if i%20 == 0 {
			w.Tick(w.now)
		}
		key := random.Uint64()
		underWay = append(underWay, sending{key, decide(key, Client), w.now + random.Int64N(1e9)})
		for j := 0; j < len(underWay); j++ {
			s := underWay[j]
			if s.arrives > w.now {
				continue
			}
			require.Equal(t, s.out, decide(s.key, Server), "request %d, ratio %v", i, w.wanted().Probability())
			if s.out {
				left++
			} else {
				kept++
			}
			underWay[j] = underWay[len(underWay)-1]
			underWay = underWay[:len(underWay)-1]
			j--
		}
	}
	assert.Greater(t, kept, 10_000)
	assert.Greater(t, left, 10_000)
}

func TestTheKernelSideIsNeverStricter(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	w := newWorld()
	for range 300 {
		w.Aim(1 / float64(1+random.IntN(40)))
		for range random.IntN(400) {
			w.pass(20 * time.Millisecond)
			require.False(t, higher(w.kernel.threshold, w.threshold))
		}
	}
}

func TestTheKernelSideWorksBelowAHalf(t *testing.T) {
	w := newWorld()
	w.aim(0.6)
	assert.False(t, w.kernel.active)
	w.aim(0.4)
	assert.True(t, w.kernel.active)
	assert.Equal(t, w.threshold, w.kernel.threshold)
	w.aim(0.9)
	assert.True(t, w.kernel.active, "what it keeps away must not come back at once")
	assert.InDelta(t, 0.9, w.kernel.threshold.Probability(), 0.001)
	w.aim(1)
	assert.True(t, w.kernel.active, "requests that it hid may be unanswered")
	assert.Equal(t, sampling.AlwaysSampleThreshold, w.kernel.threshold)
	w.pass(time.Minute)
	assert.False(t, w.kernel.active)
}

func TestTellsTheKernelSideOfConnectionsThatItCannotKnow(t *testing.T) {
	w := newWorld()
	w.Request(Request{Key: 0, Role: Server, Socket: 1, Turns: true})
	w.aim(0.6)
	w.Request(Request{Key: 0, Role: Server, Socket: 1, Turns: true})
	assert.Empty(t, w.kernel.marks, "above a half it is left alone")
	w.aim(0.1)
	w.Request(Request{Key: 0, Role: Server, Socket: 2})
	w.Request(Request{Key: 1<<64 - 1, Role: Server, Socket: 3, Turns: true})
	assert.Empty(t, w.kernel.marks)
	w.Request(Request{Key: 0, Role: Server, Socket: 4, Turns: true})
	w.Request(Request{Key: 0, Role: Client, Socket: 5, Turns: true})
	w.Unknown(6)
	assert.Equal(t, map[uint64]Role{4: Server, 5: Client, 6: None}, w.kernel.marks)
}

func TestAFailingKernelSideIsNotRelaxedAgainst(t *testing.T) {
	w := newWorld()
	w.aim(0.1)
	w.kernel.err = errors.New("no")
	w.aim(1)
	assert.Equal(t, w.threshold, w.kernel.threshold, "this side goes by what the kernel does")
	w.kernel.err = nil
	w.aim(1)
	assert.Equal(t, sampling.AlwaysSampleThreshold, w.threshold)
}
