package causality

import (
	"strings"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
)

// maxSegments is how much of a path names an operation.
const maxSegments = 5

// pather is what details tell where the protocol has paths.
type pather interface {
	// Path is the path that a request asks for, without its query.
	Path() string
}

// operation names what an exchange asks for, in such a way that there are few
// names: the segments of a path that look like ids are left out.
func operation(e *protocol.Exchange) string {
	p, ok := e.Details.(pather)
	if !ok {
		return e.Name
	}
	return e.Name + " " + route(p.Path())
}

// callee names what is called: the peer, and what is asked of it.
func callee(e *protocol.Exchange) string {
	switch {
	case e.Conn == nil:
		return operation(e)
	case e.Conn.Unix:
		return e.Conn.RemotePath + " " + operation(e)
	}
	return e.Conn.Remote.String() + " " + operation(e)
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
