package causality

import "github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/conn"

// unseen tells where requests were not seen: a client numbers the streams of an HTTP/2 connection one after another,
// so that a gap in the numbers is a request that was lost. Whatever is done while it may be open may be its.
type unseen struct {
	lanes map[*conn.Conn]lastStream
	// until is the last request that was open when one was missing: the missing one is supposed to be answered
	// when that and those before it are.
	until *request
	// rest is the step at which nothing else was open last.
	rest uint64
}

// lastStream is the highest number that was seen on a connection, and the step at which that was.
type lastStream struct {
	number uint64
	step   uint64
}

const (
	// maxLanes bounds the connections that are remembered, streamStep is between the numbers of streams.
	maxLanes, streamStep = 1024, 2
)

// reads takes a request, with so many others open, and returns since which step one may have been open that was
// not seen. Where none was read on the connection since nothing was open, it is supposed to have been before that.
func (u *unseen) reads(r *request, others int) (since uint64, gap bool) {
	if others == 0 {
		u.rest = r.opened
	}
	e := r.exchange
	if !e.Multiplexed || e.Conn == nil || e.Place == 0 {
		return 0, false
	}
	last := u.lanes[e.Conn]
	if u.lanes == nil || len(u.lanes) >= maxLanes {
		u.lanes = make(map[*conn.Conn]lastStream)
	}
	if e.Place <= last.number {
		return 0, false
	}
	u.lanes[e.Conn] = lastStream{e.Place, r.opened}
	if last.number == 0 || e.Place == last.number+streamStep {
		return 0, false
	}
	if last.step >= u.rest {
		u.until = r
	}
	return last.step, true
}

// closes takes the end of a request, where these are still open.
func (u *unseen) closes(open []*request) {
	for _, r := range open {
		if u.until == nil || r.opened <= u.until.opened {
			return
		}
	}
	u.until = nil
}

// some reports whether there may be some now.
func (u *unseen) some() bool { return u.until != nil }

// missed takes that a request was open since a step that was not seen.
func (l *loop) missed(since uint64) {
	if l.unseen.some() {
		l.line.miss()
	}
	for _, x := range l.deeds {
		if x.act != nil && x.step >= since {
			x.act.blindly = true
		}
	}
}
