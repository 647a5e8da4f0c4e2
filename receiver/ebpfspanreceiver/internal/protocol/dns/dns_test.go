package dns

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/dns/dnsmessage"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/conn"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/loss"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol/protocoltest"
)

// query is one with an id.
func query(id uint16, name string, t dnsmessage.Type) string {
	m := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: id, RecursionDesired: true},
		Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName(name), Type: t, Class: dnsmessage.ClassINET}},
	}
	b, err := m.Pack()
	if err != nil {
		panic(err)
	}
	return string(b)
}

// reply answers a query with addresses, or with a code.
func reply(q string, code dnsmessage.RCode, addresses ...string) string {
	var m dnsmessage.Message
	if err := m.Unpack([]byte(q)); err != nil {
		panic(err)
	}
	m.Response, m.RecursionAvailable, m.RCode = true, true, code
	for _, a := range addresses {
		h := dnsmessage.ResourceHeader{Name: m.Questions[0].Name, Class: dnsmessage.ClassINET, TTL: 60}
		if ip := netip.MustParseAddr(a); ip.Is4() {
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: h, Body: &dnsmessage.AResource{A: ip.As4()}})
		} else {
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: h, Body: &dnsmessage.AAAAResource{AAAA: ip.As16()}})
		}
	}
	b, err := m.Pack()
	if err != nil {
		panic(err)
	}
	return string(b)
}

// truncated sets the bit that says so.
func truncated(m string) string { return m[:2] + string([]byte{m[2] | 2}) + m[3:] }

// talk is a flow between a client and a server, as one end sees it.
type talk struct {
	*protocoltest.Sink
	t        *testing.T
	flow     *flow
	protocol *Protocol
	losses   *loss.Counts
	clock    int64
	payload  int
}

func newTalk(t *testing.T, p *Protocol, losses *loss.Counts, local, remote string) *talk {
	c := &conn.Conn{
		Socket: 7, Endpoint: &conn.Endpoint{Socket: 7}, Shared: true,
		Local: netip.MustParseAddrPort(local), Remote: netip.MustParseAddrPort(remote),
	}
	s := protocoltest.NewSink()
	return &talk{Sink: s, t: t, protocol: p, losses: losses, flow: p.NewFlow(c, s).(*flow), clock: 1e9, payload: 1024}
}

// newClient is a client's end.
func newClient(t *testing.T) *talk {
	losses := &loss.Counts{}
	return newTalk(t, New(Options{}, losses), losses, "10.0.0.1:40000", "10.0.0.2:53")
}

// datagram moves one, whose bytes nobody may keep.
func (k *talk) datagram(d conn.Direction, text string) {
	k.clock += protocoltest.Step
	data := []byte(text)
	data = data[:min(len(data), k.payload)]
	k.flow.Datagram(&conn.Datagram{
		Conn: k.flow.conn, Direction: d, Size: uint64(len(text)), Data: data, Origin: conn.Origin{Time: k.clock},
	})
	for i := range data {
		data[i] = 'X'
	}
}

func (k *talk) error(d conn.Direction, errno int32) {
	k.clock += protocoltest.Step
	k.flow.Datagram(&conn.Datagram{Conn: k.flow.conn, Direction: d, Errno: errno, Origin: conn.Origin{Time: k.clock}})
}

// close ends the flow after a time, and returns what was found.
func (k *talk) close(cause conn.Cause, after int64) []string {
	k.clock += after
	k.flow.End(cause, conn.Origin{Time: k.clock})
	return k.described()
}

func (k *talk) described() (all []string) {
	require.Zero(k.t, k.Open(), "exchanges without an end")
	k.Check(k.t)
	for _, e := range k.Exchanges {
		line := fmt.Sprintf("%s %s", e.Name, protocoltest.Value(e, "dns.question.name"))
		for _, key := range []string{"dns.answers", "seqlink.dns.response_code", "seqlink.dns.resend_count", "seqlink.dns.truncated"} {
			if v := protocoltest.Value(e, key); v != "" {
				line += " " + v
			}
		}
		if e.ErrorType != "" {
			line += " " + e.ErrorType
		}
		all = append(all, line)
	}
	return all
}

func TestFlow(t *testing.T) {
	a, aaaa := query(1, "www.example.org.", dnsmessage.TypeA), query(2, "www.example.org.", dnsmessage.TypeAAAA)
	const s, r = conn.Sent, conn.Received
	for name, tt := range map[string]struct {
		talk func(k *talk)
		want []string
	}{
		"a question and its answer": {
			func(k *talk) { k.datagram(s, a); k.datagram(r, reply(a, 0, "10.1.2.3", "10.1.2.4")) },
			[]string{"DNS A www.example.org 10.1.2.3,10.1.2.4 NOERROR"},
		},
		"two, answered in the other order": {
			func(k *talk) {
				k.datagram(s, a)
				k.datagram(s, aaaa)
				k.datagram(r, reply(aaaa, 0, "fd00::1"))
				k.datagram(r, reply(a, 3))
			},
			[]string{"DNS A www.example.org NXDOMAIN NXDOMAIN", "DNS AAAA www.example.org fd00::1 NOERROR"},
		},
		"a server's end": {
			func(k *talk) { k.datagram(r, a); k.datagram(s, reply(a, 3)) },
			[]string{"DNS A www.example.org NXDOMAIN"},
		},
		"a server that fails": {
			func(k *talk) { k.datagram(r, a); k.datagram(s, reply(a, 2)) },
			[]string{"DNS A www.example.org SERVFAIL SERVFAIL"},
		},
		"asked again": {
			func(k *talk) {
				k.datagram(s, a)
				k.datagram(s, a)
				k.datagram(r, reply(a, 0, "10.1.2.3"))
				k.datagram(r, reply(a, 0, "10.1.2.3"))
			},
			[]string{"DNS A www.example.org 10.1.2.3 NOERROR 1"},
		},
		"the answer does not fit": {
			func(k *talk) { k.datagram(s, a); k.datagram(r, truncated(reply(a, 0))) },
			[]string{"DNS A www.example.org NOERROR true"},
		},
		"an answer in another spelling": {
			func(k *talk) {
				k.datagram(s, query(5, "wWw.eXample.org.", dnsmessage.TypeA))
				k.datagram(r, reply(query(5, "www.example.org.", dnsmessage.TypeA), 0))
			},
			[]string{"DNS A wWw.eXample.org NOERROR"},
		},
		"an answer without the question": {
			func(k *talk) { k.datagram(s, a); k.datagram(r, "\x00\x01\x80\x01\x00\x00\x00\x00\x00\x00\x00\x00") },
			[]string{"DNS A www.example.org FORMERR FORMERR"},
		},
		"an answer to another question": {
			func(k *talk) { k.datagram(s, a); k.datagram(r, reply(query(1, "b.", dnsmessage.TypeA), 0)) },
			[]string{"DNS A www.example.org connection_closed"},
		},
		"nobody there": {
			func(k *talk) { k.datagram(s, a); k.error(r, errnoRefused) },
			[]string{"DNS A www.example.org connection_refused"},
		},
		"not to be sent": {
			func(k *talk) { k.datagram(s, a); k.error(s, 101) },
			[]string{"DNS A www.example.org socket_error"},
		},
		"other bytes": {
			func(k *talk) { k.datagram(s, "hello"); k.datagram(r, strings.Repeat("x", 50)) },
			nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			k := newClient(t)
			tt.talk(k)
			assert.Equal(t, tt.want, k.close(conn.Closed, 0))
			lost := int64(0)
			if tt.want == nil {
				lost = 2
			}
			assert.Equal(t, lost, k.losses.Get(loss.MalformedMessage))
		})
	}
}

// Who waits for an answer is told after a time that none came, or when its socket is closed.
func TestTimeout(t *testing.T) {
	a := query(1, "a.", dnsmessage.TypeA)
	k := newClient(t)
	k.datagram(conn.Sent, a)
	k.datagram(conn.Sent, query(2, "b.", dnsmessage.TypeA))
	sent := k.clock
	k.flow.Tick(sent + timeout/2)
	k.clock += timeout / 2
	k.datagram(conn.Sent, a) // it has time anew
	again := k.clock
	k.flow.Tick(sent + timeout)
	require.Equal(t, 1, k.Open())
	require.False(t, k.flow.Idle())
	k.flow.Tick(again + timeout)
	require.True(t, k.flow.Idle())
	assert.Equal(t, []string{"DNS A a 1 timeout", "DNS A b timeout"}, k.described())
	assert.Equal(t, again+timeout, k.Exchanges[0].End.Time)
	assert.Equal(t, sent+timeout, k.Exchanges[1].End.Time)

	for cause, want := range map[conn.Cause]string{
		conn.Closed: errorTimeout, conn.Exited: protocol.ProcessExited, conn.Forgotten: protocol.CaptureEnded,
	} {
		k := newClient(t)
		k.datagram(conn.Sent, a)
		k.close(cause, patience)
		assert.Equal(t, want, k.Exchanges[0].ErrorType)
	}
}

// Both ends name a query alike, whatever its addresses are translated to; one that may be taken
// for an earlier one is named at each end by itself.
func TestKey(t *testing.T) {
	a := query(1, "a.", dnsmessage.TypeA)
	losses := &loss.Counts{}
	here, there := New(Options{}, losses), New(Options{}, losses)
	keys := func(local, remote, q string) (client, server uint64) {
		k := newTalk(t, here, losses, local, "10.96.0.10:53")
		k.datagram(conn.Sent, q)
		k.datagram(conn.Received, reply(q, 0))
		s := newTalk(t, there, losses, "[::]:5300", remote)
		s.datagram(conn.Received, q)
		s.datagram(conn.Sent, reply(q, 0))
		return k.Exchanges[0].Key(), s.Exchanges[0].Key()
	}
	client, server := keys("10.0.0.1:40000", "192.0.2.1:40000", a)
	assert.Equal(t, client, server)
	seen := map[uint64]bool{client: true}
	for _, other := range []struct{ local, q string }{
		{"10.0.0.1:40001", a},
		{"10.0.0.1:40000", query(2, "a.", dnsmessage.TypeA)},
		{"10.0.0.1:40000", query(1, "A.", dnsmessage.TypeA)},
		{"10.0.0.1:40000", query(1, "a.", dnsmessage.TypeAAAA)},
	} {
		client, server := keys(other.local, other.local, other.q)
		assert.Equal(t, client, server)
		assert.False(t, seen[client])
		seen[client] = true
	}
	client, server = keys("10.0.0.3:40000", "10.0.0.3:40000", a) // by chance
	assert.NotEqual(t, client, server)
	assert.False(t, seen[client] || seen[server])

	later := 3 * recentFor
	here.recent[protocol.Client].use(1, later)
	here.recent[protocol.Client].use(2, 2*later)
	there.recent[protocol.Server].use(1, later)
	there.recent[protocol.Server].use(2, 2*later)
	client, server = keys("10.0.0.3:40000", "10.0.0.3:40000", a)
	assert.Equal(t, client, server, "long ago does not count")
}

// One datagram that is received twice makes two spans with one parent.
func TestReception(t *testing.T) {
	a := query(1, "a.", dnsmessage.TypeA)
	var keys, receptions []uint64
	for range 2 {
		losses := &loss.Counts{}
		s := newTalk(t, New(Options{}, losses), losses, "[::]:53", "10.0.0.1:40000")
		s.clock += int64(len(keys))
		s.datagram(conn.Received, a)
		keys = append(keys, s.Exchanges[0].Key())
		receptions = append(receptions, s.Exchanges[0].Reception())
	}
	assert.Equal(t, keys[0], keys[1])
	assert.NotEqual(t, receptions[0], receptions[1])
}

// The question must be captured, more need not be.
func TestShortPayload(t *testing.T) {
	q := query(1, "www.example.org.", dnsmessage.TypeA)
	var all []string
	for i := range 40 {
		all = append(all, fmt.Sprintf("10.0.0.%d", i))
	}
	k := newClient(t)
	k.payload = len(q)
	k.datagram(conn.Sent, q)
	k.datagram(conn.Received, reply(q, 0, all...))
	assert.Equal(t, []string{"DNS A www.example.org NOERROR"}, k.close(conn.Closed, 0))

	k = newClient(t)
	k.payload = len(q) - 1
	k.datagram(conn.Sent, q)
	assert.Empty(t, k.close(conn.Closed, 0))
	assert.EqualValues(t, 1, k.losses.Get(loss.HeadTooLong))
}

func TestTooManyQueries(t *testing.T) {
	k := newClient(t)
	for i := range maxOpen + 10 {
		k.datagram(conn.Sent, query(uint16(i), "a.", dnsmessage.TypeA))
	}
	assert.EqualValues(t, 10, k.losses.Get(loss.PipelineFull))
	assert.Len(t, k.close(conn.Exited, 0), maxOpen)
}

// framed puts a message's length in front of it.
func framed(m string) string {
	return string(binary.BigEndian.AppendUint16(nil, uint16(len(m)))) + m
}

func newWire(t *testing.T, payload int) *protocoltest.Wire {
	return protocoltest.New(t, func(l *loss.Counts) protocol.Protocol { return New(Options{}, l) }, payload, 100)
}

// dialogs are connections: what the client sends and what it receives, in turns.
var dialogs = map[string]struct {
	dialog []string
	want   []string
}{
	"one": {
		[]string{framed(query(1, "a.test.", dnsmessage.TypeA)), framed(reply(query(1, "a.test.", dnsmessage.TypeA), 0, "10.1.2.3"))},
		[]string{"DNS A 100 10.1.2.3"},
	},
	"one after the other": {
		[]string{
			framed(query(1, "a.test.", dnsmessage.TypeA)), framed(reply(query(1, "a.test.", dnsmessage.TypeA), 0)),
			framed(query(2, "b.test.", dnsmessage.TypeTXT)), framed(reply(query(2, "b.test.", dnsmessage.TypeTXT), 3)),
		},
		[]string{"DNS A 100", "DNS TXT 126 NXDOMAIN"},
	},
	"two at once, answered in the other order": {
		[]string{
			framed(query(1, "a.test.", dnsmessage.TypeA)) + framed(query(2, "b.test.", 65)),
			framed(reply(query(2, "b.test.", 65), 0)) + framed(reply(query(1, "a.test.", dnsmessage.TypeA), 0, "10.1.2.3")),
		},
		[]string{"DNS A 100 10.1.2.3", "DNS HTTPS 126"},
	},
}

// However the bytes come, the same exchanges are found.
func TestStream(t *testing.T) {
	for name, tt := range dialogs {
		for _, size := range []int{0, 1, 2, 3, 30} {
			t.Run(fmt.Sprintf("%s by %d", name, size), func(t *testing.T) {
				w := newWire(t, protocoltest.Everything)
				w.Size = size
				for i, text := range tt.dialog {
					w.Move(conn.Direction(i%2), text)
				}
				w.Close(conn.Closed)
				var got []string
				for _, e := range w.Exchanges() {
					got = append(got, strings.TrimSpace(fmt.Sprintf("%s %d %s%s", e.Name, e.Place, protocoltest.Value(e, "dns.answers"), e.ErrorType)))
					assert.True(t, e.Request.Complete && e.Response.Complete)
					assert.Equal(t, "tcp", protocoltest.Value(e, "network.transport"))
				}
				assert.Equal(t, tt.want, got)
				assert.Empty(t, w.Lost())
			})
		}
	}
}

// A long answer is followed by its length, and what is behind it is found.
func TestStreamOfLongAnswers(t *testing.T) {
	var all []string
	for i := range 200 {
		all = append(all, fmt.Sprintf("10.0.0.%d", i))
	}
	w := newWire(t, 1024)
	for i := range uint16(3) {
		q := query(i, "a.test.", dnsmessage.TypeA)
		w.Sent(framed(q))
		w.Received(framed(reply(q, 0, all...)))
	}
	w.Close(conn.Closed)
	require.Len(t, w.Exchanges(), 3)
	for _, e := range w.Exchanges() {
		assert.True(t, e.Response.Complete)
		assert.Equal(t, maxAnswers, 1+strings.Count(protocoltest.Value(e, "dns.answers"), ","))
	}
	assert.Empty(t, w.Lost())
}

func TestStreamWithGaps(t *testing.T) {
	q := func(i uint16) string { return query(i, "a.test.", dnsmessage.TypeA) }
	w := newWire(t, protocoltest.Everything)
	w.Sent(framed(q(1)))
	w.Lose(conn.Received, 100)
	w.Received(framed(reply(q(1), 0)))
	w.Sent(framed(q(2)))
	w.Received(framed(reply(q(2), 0)))
	w.Received("\x00\x01")
	w.Sent(framed(q(3)))
	w.Close(conn.Reset)
	require.Len(t, w.Exchanges(), 3)
	assert.True(t, w.Exchanges()[0].Response.Complete, "it begins anew with a turn")
	assert.True(t, w.Exchanges()[1].Response.Complete)
	assert.Equal(t, protocol.ConnectionReset, w.Exchanges()[2].ErrorType)
	assert.Equal(t, map[string]int64{"malformed_message": 1}, w.Lost())
}

// Nothing else is taken for DNS, whatever its port.
func TestClassify(t *testing.T) {
	q := query(0x1234, "www.example.org.", dnsmessage.TypeA)
	with := func(at int, b byte) string { return q[:at] + string([]byte{b}) + q[at+1:] }
	edns := func() string {
		m := dnsmessage.Message{}
		require.NoError(t, m.Unpack([]byte(q)))
		var h dnsmessage.ResourceHeader
		require.NoError(t, h.SetEDNS0(1232, 0, true))
		m.Additionals = []dnsmessage.Resource{{Header: h, Body: &dnsmessage.OPTResource{Options: []dnsmessage.Option{{Code: 10, Data: []byte("12345678")}}}}}
		b, err := m.Pack()
		require.NoError(t, err)
		return string(b)
	}()
	quic := string([]byte{0xc3, 0, 0, 0, 1, 8}) + strings.Repeat("\x17\x99\xa0", 400)
	for name, tt := range map[string]struct {
		text string
		want bool
	}{
		"a query":                {q, true},
		"with EDNS":              {edns, true},
		"an answer":              {reply(q, 0, "10.1.2.3"), true},
		"a failure":              {reply(q, 2), true},
		"more behind it":         {q + "x", false},
		"less":                   {q[:len(q)-1], false},
		"a header":               {q[:12], false},
		"another operation":      {with(2, 0x29), false},
		"the bit that is zero":   {with(3, 0x40), false},
		"a code in a query":      {with(3, 3), false},
		"two questions":          {with(5, 2), false},
		"an answer in a query":   {with(7, 1), false},
		"a class that is none":   {with(len(q)-1, 9), false},
		"of multicast DNS":       {with(len(q)-2, 0x80), false},
		"a name with a zero":     {with(14, 0), false},
		"a name with bytes":      {with(14, 0xf0), false},
		"a pointer in the name":  {with(12, 0xc0), false},
		"records that are none":  {reply(q, 0, "10.1.2.3")[:40], false},
		"nothing":                {"", false},
		"QUIC":                   {quic, false},
		"SNMP":                   {"0&\x02\x01\x01\x04\x06public\xa1\x19\x02\x04\x15", false},
		"statsd":                 {"requests:1|c|#service:a", false},
		"NTP":                    {"\x23" + strings.Repeat("\x00", 47), false},
		"zeros":                  {strings.Repeat("\x00", 64), false},
		"RTP":                    {"\x80\x60\x12\x34\x00\x00\x00\x01" + strings.Repeat("\x55", 160), false},
		"a STUN binding request": {"\x00\x01\x00\x00\x21\x12\xa4\x42abcdefghijkl", false},
	} {
		c := &conn.Conn{Local: netip.MustParseAddrPort("0.0.0.0:40000"), Remote: netip.MustParseAddrPort("10.0.0.2:1234")}
		p := New(Options{}, &loss.Counts{})
		assert.Equal(t, tt.want, p.ClassifyDatagram(&conn.Datagram{Conn: c, Data: []byte(tt.text), Size: uint64(len(tt.text))}), name)
		wanted := protocol.No
		if tt.want {
			wanted = protocol.Yes
		}
		assert.Equal(t, wanted, p.Classify([]byte(framed(tt.text))), name)
		c.Remote = netip.MustParseAddrPort("224.0.0.251:5353")
		assert.False(t, p.ClassifyDatagram(&conn.Datagram{Conn: c, Data: []byte(tt.text), Size: uint64(len(tt.text))}), name)
	}
}

func TestClassifyWaits(t *testing.T) {
	b := []byte(framed(query(1, "a.test.", dnsmessage.TypeA)))
	p := New(Options{}, &loss.Counts{})
	for n := range len(b) {
		assert.Equal(t, protocol.Maybe, p.Classify(b[:n]), n)
	}
	assert.Equal(t, protocol.Yes, p.Classify(b))
	assert.Equal(t, protocol.Yes, p.Classify(append(b, b...)))
}

func TestNameText(t *testing.T) {
	for name, want := range map[string]string{
		".": ".", "a.": "a", "a.b.": "a.b", "\x01\tä\".": `\001\t\195\164\"`,
	} {
		assert.Equal(t, want, nameText(dnsmessage.MustNewName(name)))
	}
}

func TestTypes(t *testing.T) {
	names := []string{}
	for _, v := range []dnsmessage.Type{1, 28, 12, 16, 33, 65, 4711} {
		names = append(names, typeText(v))
	}
	assert.Equal(t, []string{"A", "AAAA", "PTR", "TXT", "SRV", "HTTPS", "OTHER"}, names)
	assert.Equal(t, "RCODE15", codeText(15))
}

// FuzzFlow plays arbitrary datagrams in both directions.
func FuzzFlow(f *testing.F) {
	q := query(1, "www.example.org.", dnsmessage.TypeA)
	f.Add([]byte(q), []byte(reply(q, 0, "10.1.2.3")), []byte{0, 17, 1}, uint16(1024))
	f.Add([]byte(q), []byte(reply(q, 3)), []byte{1, 0, 16, 48, 0}, uint16(20))
	f.Fuzz(func(t *testing.T, first, second, script []byte, payload uint16) {
		k := newClient(t)
		k.payload = int(payload)
		texts := []string{string(first), string(second)}
		for _, op := range script {
			switch d := conn.Direction(op & 1); op >> 5 {
			case 0:
				k.datagram(d, texts[op>>4&1])
			case 1:
				k.error(d, int32(op))
			case 2:
				k.flow.Tick(k.clock + int64(op)*1e8)
			default:
				k.clock += int64(op) * 1e6
			}
			require.Len(t, k.flow.open, k.Open())
		}
		k.close(conn.Cause(1+len(script)%5), 0)
	})
}

// FuzzStream plays arbitrary bytes, cut and captured in arbitrary ways.
func FuzzStream(f *testing.F) {
	for _, tt := range dialogs {
		var both [2]string
		var script []byte
		for i, text := range tt.dialog {
			both[i%2] += text
			script = append(script, byte(i%2), byte(min(len(text), 127)))
		}
		f.Add([]byte(both[0]), []byte(both[1]), script, uint16(1024))
		f.Add([]byte(both[0]), []byte(both[1]), script, uint16(20))
	}
	f.Fuzz(func(t *testing.T, first, second, script []byte, payload uint16) {
		w := newWire(t, int(payload))
		texts := [2][]byte{first, second}
		p := w.Parser.(*parser)
		for i := 0; i+1 < len(script); i += 2 {
			w.Instruct(script[i], int(script[i+1]), &texts)
			w.Check()
			require.Len(t, p.open, w.Sink.Open())
			for d := range p.streams {
				require.LessOrEqual(t, len(p.streams[d].kept), maxKept)
			}
		}
		w.Close(conn.Cause(1 + len(script)%5))
	})
}

func FuzzClassify(f *testing.F) {
	protocoltest.FuzzVerdicts(f, New(Options{}, nil).Classify, framed(query(1, "a.test.", dnsmessage.TypeA)))
}
