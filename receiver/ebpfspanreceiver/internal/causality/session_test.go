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

// session is a loop of gRPC's in libuv: requests come on two connections, their calls go through one. What comes
// on a connection is read at once, and what goes to it is written at once, in the order in which it became due.
type session struct {
	*world
	random *rand.Rand
	task   capture.Task
	// fan is how many calls each request makes, inFlight how many requests are open at most, burst how many
	// are read at once at most.
	fan, inFlight, burst int
	// idle is the number of requests after which nothing is open for once, 0 for never.
	idle int
	// none is the share of requests that are answered without a call, unseen that of those that are not seen, late
	// that of turns whose calls are written in the next one.
	none, unseen, late float64
	// named says that each request asks for something else.
	named bool

	servers  [2]*conn.Conn
	client   *conn.Conn
	due      []*protocol.Exchange
	answers  [2][]*protocol.Exchange
	missing  map[*protocol.Exchange]int
	hidden   map[*protocol.Exchange]bool
	streams  [2]uint64
	away     []*protocol.Exchange
	truth    map[*protocol.Exchange]*protocol.Exchange
	calls    []*protocol.Exchange
	started  int
	connects *conn.Origin
	connect  uint32
}

func newSession(t *testing.T) *session {
	return &session{
		world: newWorld(t), random: rand.New(rand.NewPCG(5, 12)), fan: 1, inFlight: 128, burst: 64,
		servers: [2]*conn.Conn{{Shared: true}, {Shared: true}}, client: &conn.Conn{Shared: true},
		missing: make(map[*protocol.Exchange]int), truth: make(map[*protocol.Exchange]*protocol.Exchange),
		hidden: make(map[*protocol.Exchange]bool),
	}
}

// reads reads what has come on a server's connection.
func (s *session) reads(lane int) {
	for range s.random.IntN(s.burst) {
		if len(s.missing) >= s.inFlight || s.idle > 0 && s.started%s.idle == 0 && len(s.missing) > 0 {
			return
		}
		s.started++
		r := &protocol.Exchange{Side: protocol.Server, Conn: s.servers[lane], Multiplexed: true, Place: 2*s.streams[lane] + 1}
		s.streams[lane]++
		if s.named {
			r.Name = "/service/" + strconv.Itoa(s.started)
		}
		if s.hidden[r] = s.random.Float64() < s.unseen; !s.hidden[r] {
			s.begun(r, s.task)
		}
		if s.missing[r] = s.fan; s.random.Float64() < s.none {
			s.answers[lane] = append(s.answers[lane], r)
			continue
		}
		s.due = append(s.due, r)
	}
}

// hears reads the answers that have come, in any order.
func (s *session) hears() {
	if len(s.away) == 0 || s.random.IntN(3) == 0 {
		return
	}
	s.random.Shuffle(len(s.away), func(i, j int) { s.away[i], s.away[j] = s.away[j], s.away[i] })
	n := 1 + s.random.IntN(len(s.away))
	for _, call := range s.away[:n] {
		s.completes(call, s.task)
		r := s.truth[call]
		if s.missing[r]--; s.missing[r] == 0 {
			lane := 0
			if r.Conn == s.servers[1] {
				lane = 1
			}
			s.answers[lane] = append(s.answers[lane], r)
		}
	}
	s.away = s.away[n:]
}

// writes writes what is due, once the connection is there.
func (s *session) writes() {
	if s.connects == nil && len(s.due) > 0 {
		s.connects, s.connect = s.world.connects(s.task), s.task.Waits
	}
	if s.connects == nil || s.task.Waits < s.connect+2 || s.random.Float64() < s.late {
		return
	}
	for _, r := range s.due {
		for range s.fan {
			call := &protocol.Exchange{Conn: s.client, Multiplexed: true, Name: r.Name}
			if len(s.calls) == 0 {
				call.Connected = s.connects
			}
			s.begins(s.task, call)
			s.truth[call] = r
			s.calls, s.away = append(s.calls, call), append(s.away, call)
		}
	}
	s.due = nil
}

func (s *session) respond(lane int) {
	for _, r := range s.answers[lane] {
		delete(s.missing, r)
		if !s.hidden[r] {
			s.responds(r, s.task)
		}
	}
	s.answers[lane] = nil
}

func (s *session) run(requests int) {
	for turn := uint32(1); s.started < requests || len(s.missing) > 0; turn++ {
		s.task = capture.Task{PID: 1, TID: 1, Waits: turn}
		s.ladder.Tick(s.now)
		lane := s.random.IntN(2)
		if s.started < requests {
			s.reads(lane)
			s.reads(1 - lane)
		}
		s.hears()
		s.writes()
		s.respond(1 - lane)
		s.respond(lane)
	}
	s.ladder.Flush()
}

// shares returns how many of the calls after some have the right parent and a wrong one.
func (s *session) shares(after int) (right, wrong float64) {
	for _, call := range s.calls[after:] {
		if l := s.links[call]; l.Confidence >= 0.9 && l.Parent == s.truth[call] {
			right++
		} else if l.Confidence >= 0.9 {
			wrong++
		}
	}
	all := float64(len(s.calls) - after)
	return right / all, wrong / all
}

func TestCallsThroughASharedConnection(t *testing.T) {
	for name, of := range map[string]struct {
		change       func(*session)
		right, wrong float64
	}{
		"one":                               {func(*session) {}, 0.999, 0},
		"three":                             {func(s *session) { s.fan = 3 }, 0.999, 0},
		"each of something else":            {func(s *session) { s.named = true }, 0.999, 0},
		"written later sometimes":           {func(s *session) { s.late = 0.2 }, 0.999, 0},
		"some make none, idle now and then": {func(s *session) { s.none, s.idle = 0.001, 400 }, 0.999, 0},
		"some make none":                    {func(s *session) { s.none = 0.001 }, 0.99, 0.001},
		"three, but some none":              {func(s *session) { s.fan, s.none = 3, 0.001 }, 0.2, 0.001},
		"some make none, written later":     {func(s *session) { s.none, s.late = 0.001, 0.2 }, 0.99, 0.001},
		"a fifth make none":                 {func(s *session) { s.none = 0.2 }, 0.97, 0.001},
		"few in flight, a fifth make none":  {func(s *session) { s.none, s.inFlight, s.burst = 0.2, 16, 8 }, 0.9, 0.001},
		"some are not seen":                 {func(s *session) { s.unseen = 0.002 }, 0, 0.01},
		"some are not seen, idle sometimes": {func(s *session) { s.unseen, s.idle = 0.001, 400 }, 0.3, 0.005},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSession(t)
			of.change(s)
			s.run(2000)
			right, wrong := s.shares(0)
			assert.GreaterOrEqual(t, right, of.right)
			assert.LessOrEqual(t, wrong, of.wrong)
		})
	}
}
