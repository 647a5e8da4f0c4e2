package causality

import "github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/conn"

// deed is something that the thread did for a request: it called, connected, or
// began a response.
type deed struct {
	// act is set for a call or connect, request for a response.
	act     *act
	request *request
	// turn and step are the loop's and the thread's, tokens and reads how many tokens there were
	// before, and reads that gave some.
	turn          int
	step          uint64
	tokens, reads uint64
	// class is one of the kinds of acts; named says that it tells what is asked for.
	class int
	named bool
	// pool is the peer that is called, 0 for a response, kind one of the kinds of deeds.
	pool, kind int
	// lane is the connection of a response among whose messages those of others lie, else nil.
	lane *conn.Conn
	// opens says that the call opens its connection, or was what that was opened for: nobody waits for it.
	opens bool
	// in is that pool as long as the call is under way.
	in *pool
	// release is the token of the call that gave back the connection just before, or nil.
	release *token
	// busy is how many calls to the peer were under way then, it among them, waited says that no
	// connection was free before that.
	busy   int
	waited bool
	// held says that it was counted as one that waited for the connection which was given back just before.
	held bool
	// settled is the number of the first token that it may rest on, where calls are queued.
	settled uint64
	// adjacent is the token that was read directly before, nil where there is none, and adjacency what is known of such deeds.
	adjacent  *token
	adjacency *adjacency
	// open is how many requests were open.
	open int
	// sources are the tokens that it may rest on.
	sources []source
}

// lane is the connection of a request whose response lies between those of others, else nil.
func lane(r *request) *conn.Conn {
	if !r.exchange.Multiplexed {
		return nil
	}
	return r.exchange.Conn
}

// opening reports whether a call opens its connection, or follows at once on another one that did.
func (x *deed) opening() bool {
	return x.act.call != nil && x.act.call.exchange.Opens || x.release != nil && x.release.call.exchange.Opens
}

// source is the token that the deed rests on, nil where that is not known.
func (x *deed) source() *token {
	for _, s := range x.sources {
		if s.share > sure {
			return s.token
		}
	}
	return nil
}
