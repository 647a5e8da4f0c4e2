package postgresql

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/conn"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/loss"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol/database"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol/database/sql"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol/protocoltest"
)

// msg encodes a message.
func msg(kind byte, body ...string) string {
	text := strings.Join(body, "")
	length := binary.BigEndian.AppendUint32(nil, uint32(len(text)+4))
	if kind == 0 {
		return string(length) + text
	}
	return string(kind) + string(length) + text
}

const z = "\x00"

func u16(n int) string { return string(binary.BigEndian.AppendUint16(nil, uint16(n))) }
func u32(n int) string { return string(binary.BigEndian.AppendUint32(nil, uint32(n))) }

func query(text string) string        { return msg('Q', text, z) }
func parse(name, text string) string  { return msg('P', name, z, text, z, u16(0)) }
func bind(portal, name string) string { return msg('B', portal, z, name, z, u16(0), u16(0), u16(0)) }
func describe(what string) string     { return msg('D', what, z) }
func execute(portal string) string    { return msg('E', portal, z, u32(0)) }
func done(tag string) string          { return msg('C', tag, z) }
func failure(code string) string {
	return msg('E', "SERROR", z, "C", code, z, "Mno secret", z, z)
}

var (
	sync     = msg('S')
	flush    = msg('H')
	ready0   = msg('Z', "I")
	parsed   = msg('1')
	bound    = msg('2')
	shut     = msg('3')
	rows     = msg('T', u16(1), "id", z, strings.Repeat(z, 18)) + row + row
	row      = msg('D', u16(1), u32(1), "7")
	nothing  = msg('n')
	login    = msg(0, u32(196608), "user", z, "me", z, "database", z, "shop", z, "application_name", z, "x", z, z)
	welcome  = msg('R', u32(0)) + msg('S', "server_version", z, "15", z) + msg('K', u32(1), u32(2)) + ready0
	ssl      = msg(0, u32(codeSSL))
	selected = rows + done("SELECT 2")
)

func newWire(t *testing.T, o Options, payload int, place uint64) *protocoltest.Wire {
	return protocoltest.New(t, func(losses *loss.Counts) protocol.Protocol { return New(o, losses) }, payload, place)
}

// dialogs are what is sent and received in turns, and what is wanted: a name,
// db.query.text, the status, db.operation.name and whether the answer was complete.
var dialogs = map[string]struct {
	dialog []string
	want   []string
}{
	"startup": {[]string{login, msg('R', u32(5), "salt"), msg('p', "md5secret", z), welcome}, []string{"startup||||true"}},
	"no encryption": {
		[]string{msg(0, u32(codeGSS)), "N", ssl, "N", login, welcome, query("SELECT 1"), selected + ready0},
		[]string{"startup||||true", "SELECT|SELECT ?||SELECT|true"},
	},
	"wrong password": {[]string{login, failure("28P01")}, []string{"startup||28P01||true"}},
	"simple": {
		[]string{login, welcome, query("SELECT * FROM users WHERE name = 'x'"), selected + ready0, query("UPDATE users SET a = 1"), done("UPDATE 3") + ready0},
		[]string{
			"startup||||true", "SELECT users|SELECT * FROM users WHERE name = ?||SELECT|true",
			"UPDATE users|UPDATE users SET a = ?||UPDATE|true",
		},
	},
	"several statements in one": {
		[]string{query("BEGIN; SELECT 1; COMMIT"), done("BEGIN") + selected + done("COMMIT") + ready0},
		[]string{"BEGIN SELECT COMMIT|BEGIN; SELECT ?; COMMIT|||true"},
	},
	"error": {[]string{query("SELECT nope"), msg('N', "Sx", z, z) + failure("42703") + ready0}, []string{"SELECT|SELECT nope|42703||true"}},
	"empty": {[]string{query("  ;"), msg('I') + ready0}, []string{"query|;|||true"}},
	"extended": {
		[]string{
			parse("", "SELECT * FROM t WHERE a = $1") + bind("", "") + describe("P") + execute("") + sync,
			parsed + bound + selected + ready0,
		},
		[]string{"SELECT t|SELECT * FROM t WHERE a = $1||SELECT|true"},
	},
	"prepared": {
		[]string{
			parse("s1", "INSERT INTO t VALUES ($1)") + describe("Ss1") + sync, parsed + msg('t', u16(0)) + nothing + ready0,
			bind("", "s1") + execute("") + sync, bound + done("INSERT 0 1") + ready0,
			msg('C', "Ss1", z) + sync, shut + ready0,
			bind("", "s1") + execute("") + sync, failure("26000") + ready0,
		},
		[]string{
			"PREPARE INSERT t|INSERT INTO t VALUES ($1)||PREPARE|true", "INSERT t|INSERT INTO t VALUES ($1)||INSERT|true",
			"CLOSE INSERT t|INSERT INTO t VALUES ($1)||CLOSE|true", "execute||26000||true",
		},
	},
	"prepared with flush": {
		[]string{
			parse("s", "SELECT 1") + describe("Ss") + flush, parsed + msg('t', u16(0)) + rows[:len(rows)-2*len(row)],
			bind("", "s") + execute("") + sync, bound + row + done("SELECT 1") + ready0,
		},
		[]string{"PREPARE SELECT|SELECT ?||PREPARE|true", "SELECT|SELECT ?||SELECT|true"},
	},
	"prepared before": {
		[]string{bind("", "old") + execute("") + sync, bound + row + done("SELECT 1") + ready0},
		[]string{"SELECT|||SELECT|true"},
	},
	"pipelined": {
		[]string{
			login, welcome,
			parse("", "SELECT a FROM t") + bind("", "") + execute("") + parse("", "DELETE FROM t") + bind("", "") + execute("") + sync,
			parsed + bound + row + done("SELECT 1") + parsed + bound + done("DELETE 1") + ready0,
		},
		[]string{"startup||||true", "SELECT t|SELECT a FROM t||SELECT|true", "DELETE t|DELETE FROM t||DELETE|true"},
	},
	"pipeline aborted": {
		[]string{
			login, welcome,
			parse("", "SELECT a FROM t") + bind("", "") + execute("") + bind("", "") + execute("") + sync +
				parse("", "SELECT b FROM t") + bind("", "") + execute("") + sync,
			failure("42P01") + ready0 + parsed + bound + done("SELECT 0") + ready0,
		},
		[]string{"startup||||true", "SELECT t|SELECT a FROM t|42P01||true", "SELECT t|SELECT a FROM t|||true", "SELECT t|SELECT b FROM t||SELECT|true"},
	},
	"portal in parts": {
		[]string{
			parse("", "SELECT a FROM t") + bind("p", "") + execute("p") + flush, parsed + bound + row + msg('s'),
			execute("p") + sync, row + done("SELECT 1") + ready0,
		},
		[]string{"SELECT t|SELECT a FROM t|||true", "SELECT t|SELECT a FROM t||SELECT|true"},
	},
	"sync alone": {
		[]string{sync + query("SELECT 1"), ready0 + selected + ready0},
		[]string{"SELECT|SELECT ?||SELECT|true"},
	},
	"copy in": {
		[]string{query("COPY t FROM STDIN"), msg('G', z, u16(1), u16(0)), msg('d', "1\n") + msg('d', "2\n") + msg('c'), done("COPY 2") + ready0, query("SELECT 1"), selected + ready0},
		[]string{"COPY t|COPY t FROM STDIN||COPY|true", "SELECT|SELECT ?||SELECT|true"},
	},
	"copy out": {
		[]string{query("COPY t TO STDOUT"), msg('H', z, u16(1), u16(0)) + msg('d', "1\n") + msg('c') + done("COPY 1") + ready0},
		[]string{"COPY t|COPY t TO STDOUT||COPY|true"},
	},
	"notification": {
		[]string{query("LISTEN news"), done("LISTEN") + ready0, "", msg('A', u32(1), "news", z, "secret", z), query("SELECT 1"), selected + ready0},
		[]string{"LISTEN|LISTEN news||LISTEN|true", "SELECT|SELECT ?||SELECT|true"},
	},
	"function call": {[]string{query("SELECT 1"), selected + ready0, msg('F', u32(1), u16(0), u16(0), u16(0)), msg('V', u32(-1)) + ready0}, []string{
		"SELECT|SELECT ?||SELECT|true", "function call||||true",
	}},
}

func outcome(e *protocol.Exchange) string {
	return fmt.Sprintf("%s|%s|%s|%s|%t", e.Name, protocoltest.Value(e, "db.query.text"), protocoltest.Value(e, "db.response.status_code"),
		protocoltest.Value(e, "db.operation.name"), e.Response.Complete)
}

func play(w *protocoltest.Wire, first conn.Direction, dialog []string) {
	for i, text := range dialog {
		w.Move((first+conn.Direction(i))%2, text)
	}
}

func TestDialogs(t *testing.T) {
	for name, tt := range dialogs {
		for _, size := range []int{0, 1, 2, 3, 11} {
			for side, first := range map[protocol.Side]conn.Direction{protocol.Client: conn.Sent, protocol.Server: conn.Received} {
				w := newWire(t, Options{}, protocoltest.Everything, 0)
				w.Size = size
				play(w, first, tt.dialog)
				var got []string
				places := map[uint64]bool{}
				for _, e := range w.Exchanges() {
					got = append(got, outcome(e))
					assert.Equal(t, side, e.Side)
					assert.True(t, e.Request.Complete)
					places[e.Place] = true
				}
				if size == 0 || strings.HasPrefix(tt.dialog[0], z) {
					assert.Equal(t, tt.want, got, "%s, %d bytes at once", name, size)
				} else {
					assert.Len(t, got, len(tt.want), name)
				}
				assert.Len(t, places, len(got), "each has a place of its own")
				assert.Empty(t, w.Lost(), name)
				w.Close(conn.EOF)
			}
		}
	}
}

// The place is that of the first message's first byte.
func TestPlaces(t *testing.T) {
	first := parse("", "SELECT a FROM t") + bind("", "") + execute("")
	second := bind("", "") + execute("")
	w := newWire(t, Options{}, protocoltest.Everything, 4096)
	w.Size = 9
	w.Received(first + second + sync + query("SELECT 1"))
	w.Size = 0
	w.Sent(parsed + bound + done("SELECT 0") + bound + done("SELECT 0") + ready0 + selected + ready0)
	got := w.Exchanges()
	require.Len(t, got, 3)
	place := uint64(4096)
	for i, text := range []string{first, second + sync, query("SELECT 1")} {
		assert.Equal(t, place, got[i].Place)
		assert.EqualValues(t, len(text), got[i].Request.Size)
		place += uint64(len(text))
	}
	assert.EqualValues(t, len(parsed+bound+done("SELECT 0")), got[0].Response.Size)
}

// reports are what parsers report.
type reports []database.Unreadable

func (r *reports) Unreadable(_ *conn.Conn, why database.Unreadable) { *r = append(*r, why) }

func TestEncryptedConnectionsAreGivenUp(t *testing.T) {
	for _, tt := range []struct {
		asked, answered string
		want            database.Unreadable
	}{
		{ssl, "S", database.Unreadable{Protocol: "postgresql", By: "TLS", Option: "sslmode=disable"}},
		{msg(0, u32(codeGSS)), "G", database.Unreadable{Protocol: "postgresql", By: "GSSAPI", Option: "gssencmode=disable"}},
	} {
		var reported reports
		w := newWire(t, Options{Reporter: &reported}, protocoltest.Everything, 0)
		w.Sent(tt.asked)
		w.Received(tt.answered)
		w.Sent("\x16\x03\x01" + query("SELECT 1"))
		w.Received("\x16\x03\x03" + ready0)
		w.Close(conn.EOF)
		assert.Empty(t, w.Sink.Exchanges)
		assert.Equal(t, map[string]int64{"encrypted": 1}, w.Lost())
		assert.Equal(t, reports{tt.want}, reported)
	}
}

func TestCancel(t *testing.T) {
	w := newWire(t, Options{}, protocoltest.Everything, 0)
	w.Sent(msg(0, u32(codeCancel), u32(1), u32(2)))
	w.Close(conn.EOF)
	e := w.Exchanges()[0]
	assert.Equal(t, "cancel", e.Name)
	assert.Empty(t, e.ErrorType)
}

func TestAttributes(t *testing.T) {
	w := newWire(t, Options{}, protocoltest.Everything, 0)
	play(w, conn.Sent, []string{login, welcome, query("SELECT secret FROM t WHERE a = 'secret'"), failure("57014") + ready0})
	e := w.Exchanges()[1]
	for key, want := range map[string]string{
		"db.system.name": "postgresql", "db.namespace": "shop", "db.query.summary": "SELECT t",
		"db.query.text": "SELECT secret FROM t WHERE a = ?", "db.response.status_code": "57014", "error.type": "",
		"server.address": "10.0.0.2", "server.port": "6379",
	} {
		assert.Equal(t, want, protocoltest.Value(e, key), key)
	}
	assert.Equal(t, "57014", e.ErrorType)
	assert.True(t, e.Failed)
	assert.Empty(t, e.ErrorMessage, "messages hold values")
}

func TestQuery(t *testing.T) {
	for mode, want := range map[sql.Query]string{
		sql.Redact: "SELECT ?", sql.Keep: "SELECT 'x' /* y */", sql.Drop: "",
	} {
		w := newWire(t, Options{Query: mode}, protocoltest.Everything, 0)
		play(w, conn.Sent, []string{query("SELECT 'x' /* y */"), selected + ready0})
		e := w.Exchanges()[0]
		assert.Equal(t, want, protocoltest.Value(e, "db.query.text"), mode)
		assert.Equal(t, "SELECT", e.Name)
	}
}

// The trace context that sqlcommenter writes becomes a context of the exchange.
func TestContextsInComments(t *testing.T) {
	w := newWire(t, Options{}, protocoltest.Everything, 0)
	text := "SELECT 1 /*route='%2Fx',traceparent='00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'*/"
	play(w, conn.Sent, []string{query(text), selected + ready0})
	contexts := w.Exchanges()[0].Contexts
	require.Len(t, contexts, 1)
	assert.Equal(t, "w3c", contexts[0].Propagator)
	assert.Equal(t, byte(0x0a), contexts[0].TraceID[0])
}

// What is longer than what is captured is counted, and the last bytes tell the ends.
func TestBeyondThePayload(t *testing.T) {
	long := "SELECT a FROM t WHERE b = '" + strings.Repeat("x", 500) + "'"
	for name, request := range map[string]string{
		"simple":   query(long),
		"extended": parse("", long) + bind("", "") + describe("P") + execute("") + sync,
	} {
		w := newWire(t, Options{}, 100, 0)
		w.Sent(login)
		w.Received(welcome)
		for range 3 {
			w.Sent(request)
			w.Received(rows + strings.Repeat(row, 100) + done("SELECT 102") + ready0)
		}
		got := w.Exchanges()
		require.Len(t, got, 4, name)
		for _, e := range got[1:] {
			assert.Equal(t, "SELECT t", e.Name, name)
			assert.Equal(t, "SELECT a FROM t WHERE b = ?...", protocoltest.Value(e, "db.query.text"))
			assert.True(t, e.Response.Complete, name)
		}
		assert.Equal(t, []string{"head_too_long"}, keys(w.Lost()), name)
	}
}

func keys(m map[string]int64) (all []string) {
	for k := range m {
		all = append(all, k)
	}
	return all
}

func TestCopyBeyondThePayload(t *testing.T) {
	w := newWire(t, Options{}, 64, 0)
	w.Sent(query("COPY t FROM STDIN"))
	w.Received(msg('G', z, u16(1), u16(0)))
	w.Size = 1000
	w.Sent(strings.Repeat(msg('d', strings.Repeat("x", 50)), 100) + msg('c'))
	w.Size = 0
	w.Received(done("COPY 100") + ready0)
	w.Sent(query("SELECT 1"))
	w.Received(selected + ready0)
	got := w.Exchanges()
	require.Len(t, got, 2)
	assert.True(t, got[1].Response.Complete)
}

// A request that ended in a gap may have been answered before anything came behind it: the next answer
// is not taken for its.
func TestRequestsThatEndInAGap(t *testing.T) {
	w := newWire(t, Options{}, protocoltest.Everything, 0)
	play(w, conn.Sent, []string{login, welcome})
	lost := query("SELECT a FROM lost")
	w.Sent(lost[:12])
	w.Lose(conn.Sent, len(lost)-12)
	w.Received(selected + ready0)
	for range 2 {
		w.Sent(query("SELECT b FROM t"))
		w.Received(selected + ready0)
	}
	got := w.Exchanges()
	require.Len(t, got, 3)
	for _, e := range got[1:] {
		assert.Equal(t, "SELECT t", e.Name)
		assert.EqualValues(t, len(selected+ready0), e.Response.Size)
	}
	assert.True(t, got[2].Response.Complete)
	assert.Equal(t, map[string]int64{"stream_gap": 1}, w.Lost())
}

func TestEnds(t *testing.T) {
	w := newWire(t, Options{}, protocoltest.Everything, 0)
	w.Sent(query("SELECT pg_sleep(10)"))
	w.Close(conn.Reset)
	assert.Equal(t, protocol.ConnectionReset, w.Exchanges()[0].ErrorType)
	w = newWire(t, Options{}, protocoltest.Everything, 0)
	w.Sent(query("SELECT pg_sleep(10)"))
	w.Received(failure("57P01"))
	w.Close(conn.EOF)
	assert.Equal(t, "57P01", w.Exchanges()[0].ErrorType)
}

func TestHostileBytes(t *testing.T) {
	for _, text := range []string{"\xff\xff\xff\xff\xff\xff", "Q\x00\x00\x00\x01", "P\x7f\xff\xff\xff", "x\x00\x00\x00\x04", "\x00\x00\x00\x04"} {
		w := newWire(t, Options{}, protocoltest.Everything, 0)
		w.Sent(query("SELECT 1"))
		w.Received(selected + ready0)
		w.Sent(text)
		w.Received(failure("08P01"))
		assert.NotEmpty(t, w.Lost(), "%q", text)
		w.Sent(query("SELECT 2"))
		w.Received(selected + ready0)
		assert.Len(t, w.Exchanges(), 2, "%q", text)
		w.Close(conn.EOF)
	}
}

func TestClassify(t *testing.T) {
	for text, want := range map[string]protocol.Verdict{
		login:                                   protocol.Yes,
		ssl:                                     protocol.Yes,
		ssl[:5]:                                 protocol.Maybe,
		query("SELECT 1"):                       protocol.Yes,
		query("SELECT 1")[:4]:                   protocol.Maybe,
		query("SELECT 1")[:12]:                  protocol.Yes,
		parse("s", "SELECT 1") + bind("", "s"):  protocol.Yes,
		bind("", "s") + execute("") + sync:      protocol.Yes,
		bind("", "s"):                           protocol.Maybe,
		"B@":                                    protocol.No,
		"B@\x00\x00\x000":                       protocol.No,
		bind("", "s") + "\x01":                  protocol.No,
		"POST / HTTP/1.1\r\n":                   protocol.No,
		"PING\r\n":                              protocol.No,
		"*1\r\n$4\r\nPING\r\n":                  protocol.No,
		"Q\x00\x00\x00\x09\x01\x02\x03\x04\x05": protocol.No,
		"\x00\x00\x00\x08\x00\x00\x00\x00":      protocol.No,
		"\x00\x01\x02\x03":                      protocol.No,
		selected + ready0:                       protocol.No,
		"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03": protocol.No,
	} {
		assert.Equal(t, want, classify([]byte(text)), "%q", text)
	}
}
