package dns

import (
	"slices"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"golang.org/x/net/dns/dnsmessage"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/conn"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/loss"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
)

// Seqlink's own attributes; docs/configuration.md describes them.
const (
	attributeResends   = attribute.Key("seqlink.dns.resend_count")
	attributeTruncated = attribute.Key("seqlink.dns.truncated")
	attributeCode      = attribute.Key("seqlink.dns.response_code")
)

// exchange is a query and its answer.
type exchange struct {
	protocol.Exchange
	id       uint16
	question dnsmessage.Question
	// key is that of a query over UDP, before it was made unmatched.
	key uint64
	// resends is how often the same datagram was sent again.
	resends int
	// answers are the addresses in the answer; truncated says that it is to be asked for over TCP.
	answers   []string
	truncated bool
	// code is the name of the answer's code.
	code string

	responded, ended bool
}

// answeredBy reports whether a message is the answer to the query. Names are compared as
// servers do, which may spell them in another way.
func (e *exchange) answeredBy(m *message) bool {
	if e.id != m.ID {
		return false
	}
	return m.without || e.question.Type == m.question.Type && e.question.Class == m.question.Class &&
		strings.EqualFold(e.question.Name.String(), m.question.Name.String())
}

// AddAttributes implements protocol.Details.
func (e *exchange) AddAttributes(a *protocol.Attributes) {
	a.AddString(semconv.DNSQuestionNameKey, nameText(e.question.Name))
	a.AddStrings(semconv.DNSAnswersKey, e.answers)
	transport := semconv.NetworkTransportTCP
	if e.Conn.Endpoint != nil {
		transport = semconv.NetworkTransportUDP
	}
	a.AddString(transport.Key, transport.Value.AsString())
	var ends protocol.Ends // a socket's own address may become known later
	server, peer := ends.Of(e.Conn, e.Side)
	a.AddServer(server.Address, int64(server.Port))
	a.AddPeer(&e.Exchange, peer)
	a.AddString(attributeCode, e.code)
	if e.resends > 0 {
		a.AddInt(attributeResends, int64(e.resends))
	}
	if e.truncated {
		a.AddBool(attributeTruncated, true)
	}
}

// session takes the exchanges of a flow or a connection through their phases.
type session struct {
	protocol *Protocol
	conn     *conn.Conn
	sink     protocol.Sink
	// open are the queries that wait for their answers, in the order of asking.
	open []*exchange
}

func (s *session) lose(r loss.Reason) { s.protocol.losses.Add(r, 1) }

// begin begins the exchange of a query. It returns nil where there is no room for it.
func (s *session) begin(m *message, e *exchange, first conn.Origin) *exchange {
	if len(s.open) >= maxOpen {
		s.lose(loss.PipelineFull)
		return nil
	}
	e.Conn = s.conn
	e.Connected, s.conn.Connected = s.conn.Connected, nil
	e.Asked, s.conn.Asked = s.conn.Asked, nil
	e.id, e.question = m.ID, m.question
	e.Name = "DNS " + typeText(m.question.Type)
	e.Request.First, e.Request.Last = first, first
	e.Thin(s.protocol.options.Thinner, false)
	if !e.Thinning.Out {
		e.Details = e
	}
	s.open = append(s.open, e)
	s.sink.Exchange(&e.Exchange, protocol.RequestBegan)
	return e
}

// read says that a query is there as a whole.
func (s *session) read(e *exchange, at conn.Origin) {
	e.Request.Complete = true
	e.Request.Last = protocol.NotBefore(at, e.Request.First.Time)
	s.sink.Exchange(&e.Exchange, protocol.RequestRead)
}

// find returns the query of one side that a message answers, nil where there is none.
func (s *session) find(side protocol.Side, m *message) *exchange {
	for _, e := range s.open {
		if e.Side == side && e.answeredBy(m) {
			return e
		}
	}
	return nil
}

// respond begins the answer.
func (s *session) respond(e *exchange, at conn.Origin) {
	e.responded = true
	e.Response.First = protocol.NotBefore(at, e.Request.First.Time)
	e.Response.Last = e.Response.First
	s.sink.Exchange(&e.Exchange, protocol.ResponseBegan)
}

// describe notes what an answer says, of which b was captured.
func (e *exchange) describe(m *message, b []byte) {
	if e.Thinning.Out {
		return
	}
	e.truncated = m.Truncated
	e.answers = addresses(b)
	e.code = codeText(m.RCode)
	// What a client asks in vain is no failure of the server's.
	e.Failed = m.RCode == dnsmessage.RCodeServerFailure || m.RCode != dnsmessage.RCodeSuccess && e.Side == protocol.Client
	if e.Failed {
		e.ErrorType = e.code
	}
}

// finish ends an exchange.
func (s *session) finish(e *exchange, at conn.Origin) {
	if e.ended {
		return
	}
	e.ended = true
	if i := slices.Index(s.open, e); i >= 0 {
		s.open = slices.Delete(s.open, i, i+1)
	}
	e.End = protocol.NotBefore(at, max(e.Request.Last.Time, e.Response.Last.Time))
	s.sink.Exchange(&e.Exchange, protocol.Ended)
}

// fail ends an exchange as one that is not answered.
func (s *session) fail(e *exchange, errorType, message string, at conn.Origin) {
	e.ErrorType, e.ErrorMessage, e.Failed = errorType, message, true
	s.finish(e, at)
}
