package http1

// maxSpare bounds the exchanges that are kept for use again. Busy connections have one open each.
const maxSpare = 256

// newExchange returns an exchange of which nothing is known yet.
func (p *parser) newExchange() *exchange {
	h := p.protocol
	last := len(h.spare) - 1
	if last < 0 {
		return &exchange{parser: p, requestSize: -1, responseSize: -1}
	}
	e := h.spare[last]
	h.spare[last], h.spare = nil, h.spare[:last]
	*e = exchange{parser: p, requestSize: -1, responseSize: -1}
	return e
}

// Reuse implements protocol.Reusable.
func (e *exchange) Reuse() {
	h := e.parser.protocol
	if e.ended && !e.kept && len(h.spare) < maxSpare {
		h.spare = append(h.spare, e)
	}
}

// refersTo reports whether one of the streams is in a message of e: a request may go on after
// its response.
func (p *parser) refersTo(e *exchange) bool {
	return p.streams[0].exchange == e || p.streams[1].exchange == e
}
