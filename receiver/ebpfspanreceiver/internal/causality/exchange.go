package causality

import (
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/causality/statistical"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/conn"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
)

// request is an incoming exchange that may cause calls.
type request struct {
	exchange *protocol.Exchange
	// read is when and by whom its head was completed, and who works on it where that is
	// another one.
	read conn.Origin
	// thread is the one that read it, nil where goroutines do the work.
	thread *thread
	// opened, responded and ended are the thread's steps at which its head was
	// complete, its response began and it ended; 0 while that is still to come.
	opened, responded, ended uint64
	// turn is the turn of the thread's loop in which it was read.
	turn int
	// done is the step from which on it is not supposed to call: that at which its response began, or
	// ended where the loop calls between a response's parts; 0 while that is still to come.
	done uint64
	// begun is the loop's turn in which its response began.
	begun int
	// stirred is when and by whom it was read, or the response to a call that it made at once.
	stirred conn.Origin
	// coroutine is the task that began its response, 0 where none is known.
	coroutine uint64
	// answered is true once it has ended; nothing is caused by it any more. newest is the newest goroutine's id then, before
	// that the one when it was read, and followers are the calls that came afterwards.
	answered  bool
	newest    uint64
	followers []*follower
	// offspring is how many goroutines called for it after its response, as far as that is settled.
	offspring int
	// claims are the calls whose results came to who answered it, handed those that hand-offs say
	// are its own.
	claims, handed []*call
	// lined is its place where it shares its connection with others.
	lined lined
	// calls is how many it made, as far as that is known at once.
	calls int
	// number counts the requests that its thread read.
	number uint64
	// facts is the request as the statistical rung knows it.
	facts *statistical.Request
}

// call is an outgoing exchange.
type call struct {
	exchange *protocol.Exchange
	// act is the deed that its parent is found by.
	act
	// connector is the connect whose connection it is the first to use, where who connected was answered before, else nil.
	connector *act
	// among are the requests whose ids it carries, where there are several.
	among []*request
	// served are the requests that it served, where there may be several.
	served []service
	// only is the request whose response alone its answer led to, nil where that is none, or several.
	only *request
	// heldUntil is until when it waits for them, 0 where it does not.
	heldUntil int64
	// batch is what the loop does with its response, nil where that is not looked at.
	batch *batch
	// carriers are how many goroutines were brought its result and have not responded since.
	carriers int
	// answer is its answer as the thread read it, nil where no turn is known.
	answer *stimulus
	// endedAt is the time of its end, closedAt when it was found that all requests that may have
	// caused it have ended, 0 before.
	endedAt, closedAt int64
	// facts is the call as the statistical rung knows it, which is its process'
	// statistics. It was asked for the parent where asked is true, and guess is its answer.
	facts      *statistical.Call
	statistics *statistics
	asked      bool
	guess      *statistical.Decision
	// lostAt is when it was clear that no request claims it, 0 where one may, queued whose it is by
	// the order of the calls then, nil where that does not tell, with so much probability.
	lostAt      int64
	queued      *request
	queuedShare float64
	// runnerUp is the next likely parent, nil where none is.
	runnerUp           *request
	runnerUpConfidence float64
}

// act is something that a request did: it asked for an exchange, called connect,
// or wrote a request.
type act struct {
	origin conn.Origin
	// thread and step are where and when a decision was put off, nil and 0 where
	// it was not. streaming says that all open requests were responding then.
	thread    *thread
	step      uint64
	streaming bool
	// sole is the only request that was open then, nil where there were several.
	sole *request
	// to is whom it was done to, and conn the connection, nil for a connect.
	to   endpoint
	conn *conn.Conn
	// deed is its place in a loop's window, nil where it has none, and belief what the
	// loop thinks whose it is; forth is the part that rests on what was before.
	deed          *deed
	belief, forth belief
	// likely is whose it was most probably when the window was decoded last, stayed for how many times before.
	likely *request
	stayed int
	// trail is whose it is by what was read directly before.
	trail trail
	// sourceless is how probable it is that it rests on nothing that was read.
	sourceless float64
	// ordered is whose it is by the order alone, nil where that does not tell, cause the
	// token it rests on, and claimed says that a response has confirmed it.
	ordered *request
	// number counts the acts of its loop. counted is whose it is by that, nil where it does not tell, and
	// countedAt the number of the response that told it.
	number, countedAt uint64
	counted           *request
	cause             *ready
	claimed           bool
	// learned says that it has told what there was to learn from it.
	learned bool
	// handoff is set where the decision is left to that rung; order is the request whose task
	// ordered it, nil where that is not known, claims are the requests that had its result.
	handoff *handoff
	order   *request
	// writers is set where the decision is left to that rung. byTask says that the task of its origin wrote it, heard
	// is how often answers had been read with its own, and lined its place. proposed is whose it is by who wrote it and the
	// response, nil where that does not tell, with so much probability.
	writers       *writers
	byTask        bool
	heard         int
	lined         lined
	proposed      *request
	proposedShare float64
	// crowd says that several requests were open then.
	crowd bool
	// place is the moment that tells its place among the acts that are left to that rung, and placedBy
	// which one that is; kind is what is known of such calls, nil until it is answered.
	place    int
	placedBy mark
	kind     *jobHabit
	claims   []claimed
	// unsettled says that more will be known of it, though nobody can claim it any more.
	unsettled bool
	// missed says that it was counted as one that nobody claims.
	missed bool
	// call is the exchange that came of it.
	call *call
	// response is the token of its response, nil while there is none.
	response *token

	// nobodys says that no request that was open is its parent; after is the answered one
	// that it followed then.
	nobodys bool
	after   afterwards
	// suspect says that calls of its kind come without a request, too; prompt that it
	// followed at once on what its parent read.
	suspect, prompt bool
	// doubt is how probable it is that it would have come without a request.
	doubt float64
	// stimulus is what the thread had read last in the same turn, nil where that was nothing, and
	// nth how much it had done since.
	stimulus *stimulus
	nth      int

	// blindly says that a request that was not seen may have caused it.
	blindly bool

	decided    bool
	parent     *request
	method     Method
	confidence float64
}

// settle decides the parent, which may be nil.
func (a *act) settle(parent *request, method Method, confidence float64) {
	a.decided, a.parent, a.method, a.confidence = true, parent, method, confidence
}

// blind reports whether what it rests on may have been left out.
func (a *act) blind() bool { return a.origin.Task.Hidden > 0 || a.origin.Task.Thinned }

// putOff leaves the decision to what will be seen later.
func (a *act) putOff(t *thread, streaming bool) {
	a.thread, a.step, a.streaming = t, t.step, streaming
}

// expired reports whether everything that may have caused the act has ended.
func (a *act) expired() bool {
	if a.decided {
		return a.parent != nil && a.parent.answered
	}
	return !a.open()
}

// open reports whether a request that may have caused the act can still tell.
func (a *act) open() bool {
	if a.writers != nil {
		return a.writers.open(a)
	}
	if a.handoff != nil {
		return a.handoff.open(a)
	}
	if a.thread == nil {
		return false
	}
	for _, r := range a.thread.requests {
		if r.opened > a.step {
			return false
		}
		if a.candidate(r) {
			return true
		}
	}
	return false
}

// candidate reports whether r was at work when the act happened. It is nil where a call
// that was given up has no request.
func (a *act) candidate(r *request) bool {
	after := func(step uint64) bool { return step == 0 || step > a.step }
	return r != nil && r.thread == a.thread && r.opened <= a.step && after(r.ended) && (a.streaming || after(r.done))
}
