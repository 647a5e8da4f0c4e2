package redis

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/conn"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/loss"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol/protocoltest"
)

// command encodes a command.
func encode(words ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "*%d\r\n", len(words))
	for _, w := range words {
		fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(w), w)
	}
	return b.String()
}

func encodeLine(line string) string { return encode(strings.Fields(line)...) }

func bulk(text string) string { return fmt.Sprintf("$%d\r\n%s\r\n", len(text), text) }

func newWire(t *testing.T, o Options, payload int, place uint64) *protocoltest.Wire {
	return protocoltest.New(t, func(losses *loss.Counts) protocol.Protocol { return New(o, losses) }, payload, place)
}

// dialog is what is sent and received in turns.
type dialog []string

// dialogs are exchanges with what they are to become: a name, db.query.text, the status
// and whether the answer was complete.
var dialogs = map[string]struct {
	dialog dialog
	want   []string
}{
	"one": {dialog{encodeLine("GET user:7"), bulk("x")}, []string{"GET|GET user:7||true"}},
	"case is kept": {
		dialog{encodeLine("get user:7"), "$-1\r\n"},
		[]string{"get|get user:7||true"},
	},
	"values are hidden": {
		dialog{
			encode("SET", "a key", "secret", "EX", "10") + encodeLine("MSET a 1 b 2") + encodeLine("HSET h f v"),
			"+OK\r\n+OK\r\n:1\r\n",
		},
		[]string{`SET|SET "a key" ? ? ?||true`, "MSET|MSET a ? b ?||true", "HSET|HSET h ? ?||true"},
	},
	"keys before a timeout": {dialog{encodeLine("BLPOP a b 5"), "*2\r\n" + bulk("a") + bulk("v")}, []string{"BLPOP|BLPOP a b ?||true"}},
	"pipelined": {
		dialog{encodeLine("INCR a") + encodeLine("INCR b") + encodeLine("INCR c"), ":1\r\n:2\r\n:3\r\n"},
		[]string{"INCR|INCR a||true", "INCR|INCR b||true", "INCR|INCR c||true"},
	},
	"transaction": {
		dialog{
			encodeLine("MULTI") + encodeLine("SET k v") + encodeLine("GET k") + encodeLine("EXEC"),
			"+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n+OK\r\n" + bulk("v"),
		},
		[]string{"MULTI|MULTI||true", "SET|SET k ?||true", "GET|GET k||true", "EXEC|EXEC||true"},
	},
	"nested answers": {
		dialog{
			encodeLine("XRANGE s - +") + encodeLine("GET a"),
			"*2\r\n*2\r\n$3\r\n1-1\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n*-1\r\n" + bulk("\r\n+OK\r\n"),
		},
		[]string{"XRANGE|XRANGE s ? ?||true", "GET|GET a||true"},
	},
	"RESP3": {
		dialog{
			encodeLine("HELLO 3 AUTH me secret"), "%2\r\n+server\r\n+redis\r\n+proto\r\n:3\r\n",
			encodeLine("HGETALL h") + encodeLine("GET n") + encodeLine("ZSCORE z m") + encodeLine("GET big"),
			"|1\r\n+ttl\r\n:10\r\n%1\r\n$1\r\nf\r\n$1\r\nv\r\n_\r\n,1.5\r\n=7\r\ntxt:abc\r\n",
		},
		[]string{
			"HELLO|HELLO ? ? ? ?||true", "HGETALL|HGETALL h||true", "GET|GET n||true", "ZSCORE|ZSCORE z ?||true",
			"GET|GET big||true",
		},
	},
	"errors": {
		dialog{
			encodeLine("INCR a") + encodeLine("GET b") + encodeLine("GET c") + encodeLine("FOO bar"),
			"-WRONGTYPE not a number\r\n-MOVED 3999 127.0.0.1:6381\r\n!9\r\nLOADING x\r\n-ERR unknown command\r\n",
		},
		[]string{
			"INCR|INCR a|WRONGTYPE|true", "GET|GET b|MOVED|true", "GET|GET c|LOADING|true", "FOO|FOO ?|ERR|true",
		},
	},
	"credentials": {
		dialog{encodeLine("AUTH secret") + encodeLine("CONFIG SET requirepass secret") + encodeLine("ACL SETUSER u >secret"), "+OK\r\n+OK\r\n+OK\r\n"},
		[]string{"AUTH|AUTH ?||true", "CONFIG SET|CONFIG SET ? ?||true", "ACL SETUSER|ACL SETUSER ? ?||true"},
	},
	"another database": {
		dialog{encodeLine("SELECT 3"), "+OK\r\n", encodeLine("GET a"), "$-1\r\n", encodeLine("SELECT 99"), "-ERR out of range\r\n", encodeLine("RESET"), "+RESET\r\n", encodeLine("PING"), "+PONG\r\n"},
		[]string{"SELECT|SELECT ?||true", "GET|GET a||true", "SELECT|SELECT ?|ERR|true", "RESET|RESET||true", "PING|PING||true"},
	},
	"subscribed": {
		dialog{
			encodeLine("SUBSCRIBE a b"),
			"*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n*3\r\n$9\r\nsubscribe\r\n$1\r\nb\r\n:2\r\n" +
				"*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$5\r\nhello\r\n",
			encodeLine("PING"),
			"*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$5\r\nhello\r\n*2\r\n$4\r\npong\r\n$0\r\n\r\n",
		},
		[]string{"SUBSCRIBE|SUBSCRIBE ? ?||true", "PING|PING||true"},
	},
	"pushes": {
		dialog{
			encodeLine("GET a") + encodeLine("SUBSCRIBE c"),
			">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\na\r\n$1\r\n1\r\n>3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n",
		},
		[]string{"GET|GET a||true", "SUBSCRIBE|SUBSCRIBE ?||true"},
	},
	"monitor": {
		dialog{encodeLine("MONITOR"), "+OK\r\n", "", "+1339518083.107412 [0 127.0.0.1:60866] \"keys\" \"*\"\r\n"},
		[]string{"MONITOR|MONITOR||true"},
	},
	"no answers": {
		dialog{
			encodeLine("CLIENT REPLY SKIP") + encodeLine("SET a 1") + encodeLine("GET a"), bulk("1"),
			encodeLine("CLIENT REPLY OFF") + encodeLine("SET a 2") + encodeLine("CLIENT REPLY ON") + encodeLine("GET a"), "+OK\r\n" + bulk("2"),
		},
		[]string{
			"CLIENT REPLY|CLIENT REPLY ?||false", "SET|SET a ?||false", "GET|GET a||true",
			"CLIENT REPLY|CLIENT REPLY ?||false", "SET|SET a ?||false", "CLIENT REPLY|CLIENT REPLY ?||true", "GET|GET a||true",
		},
	},
	"inline": {
		dialog{encodeLine("PING"), "+PONG\r\n", "get a\r\n\r\nset a 1\r\n", "$-1\r\n+OK\r\n"},
		[]string{"PING|PING||true", "get|get a||true", "set|set a ?||true"},
	},
}

// outcome is what is wanted of an exchange.
func outcome(e *protocol.Exchange) string {
	return fmt.Sprintf("%s|%s|%s|%t", e.Name, protocoltest.Value(e, "db.query.text"),
		protocoltest.Value(e, "db.response.status_code"), e.Response.Complete)
}

func (d dialog) play(w *protocoltest.Wire, first conn.Direction) {
	for i, text := range d {
		w.Move((first+conn.Direction(i))%2, text)
	}
}

func TestDialogs(t *testing.T) {
	for name, tt := range dialogs {
		for _, size := range []int{0, 1, 2, 3, 7} {
			for side, first := range map[protocol.Side]conn.Direction{protocol.Client: conn.Sent, protocol.Server: conn.Received} {
				w := newWire(t, Options{}, protocoltest.Everything, 0)
				w.Size = size
				tt.dialog.play(w, first)
				var got []string
				places := map[uint64]bool{}
				for _, e := range w.Exchanges() {
					got = append(got, outcome(e))
					assert.Equal(t, side, e.Side)
					assert.True(t, e.Request.Complete)
					places[e.Place] = true
				}
				assert.Equal(t, tt.want, got, "%s, %d bytes at once", name, size)
				assert.Len(t, places, len(got), "each command has a place of its own")
				assert.Empty(t, w.Lost(), name)
				w.Close(conn.EOF)
			}
		}
	}
}

// The place is that of a command's first byte, at both ends, however the bytes are cut.
func TestPlacesArePipelinedCommandsOwn(t *testing.T) {
	first, second := encodeLine("SET a 1"), encodeLine("GET a")
	w := newWire(t, Options{}, protocoltest.Everything, 4096)
	w.Size = 5
	w.Received(first + second)
	w.Sent("+OK\r\n" + bulk("1"))
	got := w.Exchanges()
	require.Len(t, got, 2)
	assert.Equal(t, uint64(4096), got[0].Place)
	assert.Equal(t, uint64(4096+len(first)), got[1].Place)
	assert.EqualValues(t, len(first), got[0].Request.Size)
	assert.EqualValues(t, len(bulk("1")), got[1].Response.Size)
}

func TestPhases(t *testing.T) {
	w := newWire(t, Options{}, protocoltest.Everything, 0)
	get := encodeLine("GET a")
	w.Sent(get[:9])
	assert.Empty(t, w.Sink.Log, "its name is not known yet")
	w.Sent(get[9:])
	w.Received("$10\r\n01234")
	w.Sent(get)
	w.Received("56789\r\n")
	w.Received("$-1\r\n")
	second := len(get)
	assert.Equal(t, []string{
		"began 0", "read 0", "answered 0",
		fmt.Sprintf("began %d", second), fmt.Sprintf("read %d", second), "ended 0",
		fmt.Sprintf("answered %d", second), fmt.Sprintf("ended %d", second),
	}, w.Sink.Log)
	e := w.Sink.Exchanges[0]
	assert.EqualValues(t, 1*protocoltest.Step, e.Request.First.Time)
	assert.EqualValues(t, 2*protocoltest.Step, e.Request.Last.Time)
	assert.EqualValues(t, 3*protocoltest.Step, e.Response.First.Time)
	assert.EqualValues(t, 5*protocoltest.Step, e.End.Time)
}

func TestDatabasesAreSelected(t *testing.T) {
	w := newWire(t, Options{}, protocoltest.Everything, 0)
	for _, d := range []string{"GET a", "SELECT 3", "GET a", "SELECT 99", "GET a", "RESET", "GET a"} {
		w.Sent(encodeLine(d))
		w.Received(map[bool]string{true: "-ERR out of range\r\n", false: "+OK\r\n"}[d == "SELECT 99"])
	}
	var got []string
	for _, e := range w.Exchanges() {
		got = append(got, protocoltest.Value(e, "db.namespace"))
	}
	assert.Equal(t, []string{"0", "0", "3", "3", "3", "3", "0"}, got)
}

func TestAttributes(t *testing.T) {
	w := newWire(t, Options{}, protocoltest.Everything, 0)
	w.Received(encodeLine("INCR a"))
	w.Sent("-ERR value is not an integer\r\n")
	e := w.Exchanges()[0]
	for key, want := range map[string]string{
		"db.system.name": "redis", "db.operation.name": "INCR", "db.namespace": "0", "db.query.text": "INCR a",
		"db.response.status_code": "ERR", "server.address": "10.0.0.1", "server.port": "50000",
		"network.peer.address": "10.0.0.2", "network.peer.port": "6379", "client.address": "10.0.0.2",
	} {
		assert.Equal(t, want, protocoltest.Value(e, key), key)
	}
	assert.Equal(t, "ERR", e.ErrorType)
	assert.True(t, e.Failed)
}

func TestQuery(t *testing.T) {
	for query, want := range map[Query][3]string{
		QueryRedact:     {"SET key ?", "AUTH ?", "EVAL ? ? ?"},
		QueryRedactKeys: {"SET ? ?", "AUTH ?", "EVAL ? ? ?"},
		QueryKeep:       {"SET key value", "AUTH ?", "EVAL script 1 key"},
		QueryDrop:       {"", "", ""},
	} {
		w := newWire(t, Options{Query: query}, protocoltest.Everything, 0)
		w.Sent(encodeLine("SET key value") + encodeLine("AUTH secret") + encodeLine("EVAL script 1 key"))
		w.Received("+OK\r\n+OK\r\n_\r\n")
		for i, e := range w.Exchanges() {
			assert.Equal(t, want[i], protocoltest.Value(e, "db.query.text"), query)
		}
	}
}

func TestLongCommandsAreCut(t *testing.T) {
	words := []string{"DEL"}
	for i := range 200 {
		words = append(words, fmt.Sprintf("%s%03d", strings.Repeat("k", 100), i))
	}
	w := newWire(t, Options{}, protocoltest.Everything, 0)
	w.Sent(encode(words...) + encode("GET", strings.Repeat("k", 1000)))
	w.Received(":200\r\n$-1\r\n")
	got := w.Exchanges()
	text := protocoltest.Value(got[0], "db.query.text")
	assert.Less(t, len(text), maxText+2*maxArgument)
	assert.True(t, strings.HasSuffix(text, " ..."), text)
	assert.Equal(t, "GET "+strings.Repeat("k", maxArgument)+"...", protocoltest.Value(got[1], "db.query.text"))
}

// A long value is counted, not read.
func TestValuesBeyondThePayload(t *testing.T) {
	w := newWire(t, Options{}, 64, 0)
	big := strings.Repeat("v", 10_000)
	for range 3 {
		w.Sent(encode("SET", "k", big))
		w.Received("+OK\r\n")
		w.Sent(encodeLine("GET k"))
		w.Size = 4096
		w.Received(bulk(big))
		w.Size = 0
	}
	for _, e := range w.Exchanges() {
		assert.True(t, e.Response.Complete)
	}
	assert.Len(t, w.Sink.Exchanges, 6)
	assert.Empty(t, w.Lost())
}

// Of a long answer whose elements were not captured, the last bytes tell the end.
func TestAnswersBeyondThePayload(t *testing.T) {
	w := newWire(t, Options{}, 64, 0)
	for range 3 {
		w.Sent(encodeLine("LRANGE l 0 -1"))
		w.Received("*100\r\n" + strings.Repeat("$3\r\nabc\r\n", 100))
	}
	for _, e := range w.Exchanges() {
		assert.True(t, e.Response.Complete)
		assert.EqualValues(t, 906, e.Response.Size)
	}
	assert.Len(t, w.Sink.Exchanges, 3)
	assert.Equal(t, map[string]int64{"head_too_long": 3}, w.Lost())
}

// Where more was written at once than is captured, the rest is lost, and the next turn is not.
func TestPipelinesBeyondThePayload(t *testing.T) {
	w := newWire(t, Options{}, 64, 0)
	w.Sent(strings.Repeat(encodeLine("INCR abc"), 10))
	w.Received(strings.Repeat(":1\r\n", 10))
	seen := len(w.Sink.Exchanges)
	assert.Equal(t, 3, seen)
	w.Sent(encodeLine("GET a"))
	w.Received("$-1\r\n")
	w.Sent(encodeLine("GET b"))
	w.Received("$-1\r\n")
	got := w.Exchanges()
	require.Len(t, got, seen+2)
	assert.True(t, got[seen+1].Response.Complete)
	assert.Equal(t, "GET b", protocoltest.Value(got[seen+1], "db.query.text"))
	assert.NotEmpty(t, w.Lost())
}

// A connection that was busy before the start: answers to what was not seen are nobody's.
func TestOlderConnection(t *testing.T) {
	w := newWire(t, Options{}, protocoltest.Everything, 1<<40)
	w.Sent(encodeLine("GET a"))
	w.Received("$1\r\n1\r\n$1\r\n2\r\n$1\r\n3\r\n")
	w.Sent(encodeLine("GET b"))
	w.Received("$1\r\n1\r\n")
	w.Sent(encodeLine("GET c"))
	w.Received("$1\r\n1\r\n")
	got := w.Exchanges()
	require.Len(t, got, 3)
	assert.False(t, got[0].Response.Complete, "whose answer it is was not known")
	assert.True(t, got[1].Response.Complete)
	assert.True(t, got[2].Response.Complete)
	assert.Empty(t, protocoltest.Value(got[2], "db.namespace"), "it is not known")
	assert.Empty(t, w.Lost())
}

func TestEnds(t *testing.T) {
	for name, tt := range map[string]struct {
		server bool
		cause  conn.Cause
		want   string
	}{
		"client closes":  {false, conn.Closed, protocol.ConnectionClosed},
		"client resets":  {false, conn.Reset, protocol.ConnectionReset},
		"process exits":  {false, conn.Exited, protocol.ProcessExited},
		"agent ends":     {false, conn.Forgotten, protocol.CaptureEnded},
		"client is gone": {true, conn.Reset, protocol.ClientDisconnected},
	} {
		w := newWire(t, Options{}, protocoltest.Everything, 0)
		d := conn.Sent
		if tt.server {
			d = conn.Received
		}
		w.Move(d, encodeLine("BLPOP a 0")+encodeLine("GET a"))
		w.Close(tt.cause)
		got := w.Exchanges()
		require.Len(t, got, 2, name)
		for _, e := range got {
			assert.Equal(t, tt.want, e.ErrorType, name)
			assert.False(t, e.Response.Complete)
		}
	}
}

func TestTooManyOpenRequests(t *testing.T) {
	w := newWire(t, Options{}, protocoltest.Everything, 0)
	const n = 1100
	w.Sent(strings.Repeat(encodeLine("INCR a"), n))
	w.Received(strings.Repeat(":1\r\n", n))
	w.Sent(encodeLine("GET a"))
	w.Received("$-1\r\n")
	got := w.Exchanges()
	assert.Len(t, got, 1025)
	assert.Equal(t, "GET", got[1024].Name)
	assert.Equal(t, map[string]int64{"pipeline_full": 76}, w.Lost())
}

func TestHostileBytes(t *testing.T) {
	for _, text := range []string{
		"*99999999999999\r\n", "*2\r\n$-1\r\n", "*1\r\n$3\r\n\x00\x01\x02\r\n", "*-1\r\n", "*1\r\n*1\r\n$4\r\nPING\r\n", "*1\r\n:5\r\n",
	} {
		w := newWire(t, Options{}, protocoltest.Everything, 0)
		w.Sent(encodeLine("GET a"))
		w.Received("$-1\r\n")
		w.Sent(text)
		w.Received("-ERR Protocol error\r\n")
		assert.NotEmpty(t, w.Lost(), text)
		w.Sent(encodeLine("GET b"))
		w.Received("$-1\r\n")
		assert.Len(t, w.Exchanges(), 2, text)
		w.Close(conn.EOF)
	}
}

func TestClassify(t *testing.T) {
	r := New(Options{}, nil)
	for text, want := range map[string]protocol.Verdict{
		encodeLine("GET a"):                protocol.Yes,
		"*2\r\n$3\r\nget\r\n$100\r\n":      protocol.Yes,
		"*":                                protocol.Maybe,
		"*2\r\n$3\r\nge":                   protocol.Maybe,
		"*1\r\n$3\r\nGET\r":                protocol.Maybe,
		"+PONG\r\n":                        protocol.Yes,
		"+P":                               protocol.Maybe,
		"+OK\r\n":                          protocol.No,
		"*3\r\n$7\r\nmessage\r\n$1\r\n":    protocol.No,
		"*1\r\n:1\r\n":                     protocol.No,
		"PING\r\n":                         protocol.No,
		"GET / HTTP/1.1\r\n":               protocol.No,
		"get key\r\n":                      protocol.No,
		"*0\r\n":                           protocol.No,
		"*1\r\n$99999999\r\n":              protocol.No,
		"-WRONGTYPE Operation against\r\n": protocol.Yes,
	} {
		assert.Equal(t, want, r.Classify([]byte(text)), "%q", text)
	}
}
