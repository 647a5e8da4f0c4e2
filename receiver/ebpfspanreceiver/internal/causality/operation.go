package causality

import (
	"net/netip"
	"strings"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/memo"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
)

// maxSegments is how much of a path names an operation.
const maxSegments = 5

// pather is what details tell where the protocol has paths.
type pather interface {
	// Path is the path that a request asks for, without its query.
	Path() string
}

// maxCallees bounds the names of callees that are kept.
const maxCallees = 4096

// operations names what exchanges ask for, in such a way that there are few names: the
// segments of a path that look like ids are left out. It keeps recent names.
type operations struct {
	paths   *memo.Memo[*pathOperation]
	callees map[calledAt]string
}

// pathOperation is what is asked of a path, kept for the last name of an exchange.
type pathOperation struct{ route, name, operation string }

// calledAt is what the name of a callee is made of.
type calledAt struct {
	peer      netip.AddrPort
	operation string
}

func newOperations() *operations {
	return &operations{
		paths:   memo.New(func(path string) *pathOperation { return &pathOperation{route: route(path)} }),
		callees: make(map[calledAt]string),
	}
}

// operation names what an exchange asks for.
func (o *operations) operation(e *protocol.Exchange) string {
	p, ok := e.Details.(pather)
	if !ok {
		return e.Name
	}
	asked := o.paths.OfString(p.Path())
	if asked == nil {
		return e.Name + " /"
	}
	if asked.name != e.Name {
		asked.name, asked.operation = e.Name, e.Name+" "+asked.route
	}
	return asked.operation
}

// callee names what is called: the peer, and what is asked of it.
func (o *operations) callee(e *protocol.Exchange) string {
	operation := o.operation(e)
	switch {
	case e.Conn == nil:
		return operation
	case e.Conn.Unix:
		return e.Conn.RemotePath + " " + operation
	}
	at := calledAt{e.Conn.Remote, operation}
	name, ok := o.callees[at]
	if !ok {
		if len(o.callees) >= maxCallees {
			clear(o.callees)
		}
		name = at.peer.String() + " " + operation
		o.callees[at] = name
	}
	return name
}

// route replaces what looks like an id, and leaves out what is beyond maxSegments.
func route(path string) string {
	segments := strings.SplitN(strings.TrimPrefix(path, "/"), "/", maxSegments+1)
	segments = segments[:min(len(segments), maxSegments)]
	for i, s := range segments {
		if isID(s) {
			segments[i] = "*"
		}
	}
	return "/" + strings.Join(segments, "/")
}

// isID reports whether a segment has a digit or is long, and is no version such as v2.
func isID(segment string) bool {
	const longest, version = 32, 3
	if len(segment) > longest {
		return true
	}
	if len(segment) <= version && strings.HasPrefix(segment, "v") {
		return false
	}
	return strings.ContainsAny(segment, "0123456789%")
}
