package causality

import (
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/capture"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/conn"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
)

// Each request makes two calls at once, and is answered when both are: half of the
// responses that the loop reads lead to nothing. It reads up to batch sockets before it
// acts.
func TestJoins(t *testing.T) {
	for name, tt := range map[string]struct {
		batch                 int
		leastRight, mostWrong float64
	}{
		"one socket a turn, like libuv":   {1, 0.8, 0.005},
		"batches in turns not told apart": {6, 0.5, 0.02},
	} {
		t.Run(name, func(t *testing.T) {
			random := rand.New(rand.NewPCG(3, 4))
			w := newWorld(t)
			waiting := map[*protocol.Exchange]int{}
			truth := map[*protocol.Exchange]*protocol.Exchange{}
			var calling []*protocol.Exchange
			for started := 0; started < 800 || len(calling) > 0; {
				w.ladder.Tick(w.now)
				var ready []func()
				for range 1 + random.IntN(tt.batch) {
					if started < 800 && len(waiting) < 32 && random.IntN(3) == 0 {
						started++
						r := w.reads(onThread(1))
						waiting[r] = 2
						ready = append(ready, func() {
							for range 2 {
								k := w.calls(onThread(1))
								truth[k] = r
								calling = append(calling, k)
							}
						})
					} else if len(calling) > 0 {
						i := random.IntN(len(calling))
						k := calling[i]
						calling = append(calling[:i], calling[i+1:]...)
						w.completes(k, onThread(1))
						if r := truth[k]; waiting[r] > 1 {
							waiting[r]--
						} else {
							delete(waiting, r)
							ready = append(ready, func() { w.responds(r, onThread(1)) })
						}
					}
				}
				for _, act := range ready {
					act()
				}
			}
			w.ladder.Flush()
			right, wrong := 0, 0
			for k, r := range truth {
				if l := w.links[k]; l.Confidence >= 0.9 && l.Parent == r {
					right++
				} else if l.Confidence >= 0.9 {
					wrong++
				}
			}
			assert.GreaterOrEqual(t, float64(right), tt.leastRight*float64(len(truth)))
			assert.LessOrEqual(t, float64(wrong), tt.mostWrong*float64(len(truth)))
		})
	}
}

// Requests come on two connections and make three calls at once on one that they share. What is written on a
// connection waits until it is its turn: then it is in order, but not with the others.
func TestJoinsOnSharedConnections(t *testing.T) {
	const requests = 800
	random := rand.New(rand.NewPCG(7, 8))
	w := newWorld(t)
	servers := []*conn.Conn{{Shared: true}, {Shared: true}}
	waiting := map[*protocol.Exchange]int{}
	truth := map[*protocol.Exchange]*protocol.Exchange{}
	var calling []*protocol.Exchange
	for started, turn := 0, uint32(1); started < requests || len(calling) > 0; turn++ {
		w.ladder.Tick(w.now)
		task := capture.Task{PID: 1, TID: 1, Waits: turn}
		var responses [2][]*protocol.Exchange
		var read []*protocol.Exchange
		for i, server := range servers {
			for range random.IntN(4) {
				if started < requests && len(waiting) < 16 {
					started++
					r := &protocol.Exchange{Side: protocol.Server, Conn: server, Multiplexed: true, Name: strconv.Itoa(started)}
					w.begun(r, task)
					waiting[r] = 3
					read = append(read, r)
				}
				if n := len(calling); n > 0 {
					k := n - 1 - random.IntN(min(n, 8))
					call := calling[k]
					calling = append(calling[:k], calling[k+1:]...)
					w.completes(call, task)
					r := truth[call]
					if waiting[r]--; waiting[r] == 0 {
						delete(waiting, r)
						of := 0
						if r.Conn != server {
							of = 1
						}
						responses[(i+of)%2] = append(responses[(i+of)%2], r)
					}
				}
			}
		}
		for i := range responses {
			for _, r := range responses[1-i] {
				w.responds(r, task)
			}
		}
		for _, r := range read {
			for range 3 {
				call := w.begins(task, &protocol.Exchange{Multiplexed: true, Name: r.Name})
				truth[call] = r
				calling = append(calling, call)
			}
		}
	}
	w.ladder.Flush()
	right, wrong := 0, 0
	for call, r := range truth {
		if l := w.links[call]; l.Confidence >= 0.9 && l.Parent == r {
			right++
		} else if l.Confidence >= 0.9 {
			wrong++
		}
	}
	assert.GreaterOrEqual(t, float64(right), 0.9*float64(len(truth)))
	assert.LessOrEqual(t, float64(wrong), 0.005*float64(len(truth)))
}

// The regression finds what follows on what, and after how many turns.
func TestRhythm(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	var r rhythm
	heads, responses := make([]int, 400), make([]int, 400)
	for turn := range heads {
		heads[turn], responses[turn] = random.IntN(4), random.IntN(6)
		for range heads[turn] {
			r.token(turn, 0)
		}
		for range responses[turn] {
			r.token(turn, 1)
		}
		if turn < 2 {
			continue
		}
		for range 2 * heads[turn-2] {
			r.deed(turn, 1)
		}
		for range responses[turn-1] {
			r.deed(turn, 0)
		}
	}
	e, unexplained, waits := r.expectations()
	assert.InDelta(t, 2, e[0][1][2], 0.1, "two calls, two turns after a head")
	assert.InDelta(t, 1, e[1][0][1], 0.1, "one response, a turn after one is read")
	assert.Less(t, unexplained[0], 0.01)
	assert.False(t, waits)
}

// Joins make responses look like chance, not the calls.
func TestJoinsDoNotMakeCallsUnexplained(t *testing.T) {
	random := rand.New(rand.NewPCG(9, 10))
	var r rhythm
	for turn := range 600 {
		for range random.IntN(3) {
			r.token(turn, 0)
			r.deed(turn, 1)
			r.deed(turn, 1)
		}
		for range random.IntN(5) {
			r.token(turn, 1)
			if random.IntN(2) == 0 {
				r.deed(turn, 0)
			}
		}
	}
	_, unexplained, _ := r.expectations()
	assert.Less(t, unexplained[1], 0.005)
	assert.Greater(t, unexplained[0], 2*unexplained[1])
}
