package mysql

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

// encode encodes a packet.
func encode(number int, body ...string) string {
	text := strings.Join(body, "")
	return u24(len(text)) + string([]byte{byte(number)}) + text
}

// packets encodes several, which are numbered from one on.
func packets(bodies ...string) (text string) {
	for i, b := range bodies {
		text += encode(i+1, b)
	}
	return text
}

const z = "\x00"

func u16(n int) string { return string(binary.LittleEndian.AppendUint16(nil, uint16(n))) }
func u24(n int) string { return u32(n)[:3] }
func u32(n int) string { return string(binary.LittleEndian.AppendUint32(nil, uint32(n))) }

func command(c byte, body ...string) string {
	return encode(0, string([]byte{c}), strings.Join(body, ""))
}
func query(text string) string   { return command(comQuery, text) }
func prepare(text string) string { return command(comPrepare, text) }
func execute(n int) string {
	return command(comExecute, u32(n), z, u32(1))
}
func shut(n int) string { return command(comCloseStatement, u32(n)) }

func greeting(version string) string {
	return encode(0, "\x0a", version, z, u32(7), "saltsalt", z, u16(0xffff), "\x08", u16(2), u16(0xffff), "\x15", strings.Repeat(z, 10), "saltsaltsalt", z, "mysql_native_password", z)
}

func login(capabilities int) string {
	return encode(1, u32(capabilities), u32(1<<24), "\x08", strings.Repeat(z, 23), "me", z, "\x04", "hash", "shop", z, "mysql_native_password", z)
}

func ok(status int) string        { return z + z + z + u16(status) + u16(0) }
func okEnd() string               { return "\xfe" + z + z + u16(2) + u16(0) }
func eof(status int) string       { return "\xfe" + u16(0) + u16(status) }
func failure(code int) string     { return "\xff" + u16(code) + "#42000no secret" }
func prepared(n, c, p int) string { return z + u32(n) + u16(c) + u16(p) + z + u16(0) }
func row(values ...string) string {
	var b strings.Builder
	for _, v := range values {
		b.WriteString(string(rune(len(v))) + v)
	}
	return b.String()
}

const (
	oldEOF = capabilityProtocol41 | capabilitySecureConnection | capabilityConnectWithDB
	newEOF = oldEOF | capabilityDeprecateEOF
	column = "\x03def\x04shop\x01t\x01t\x02id\x02id\x0c\x3f\x00\x0b\x00\x00\x00\x03\x00\x00\x00\x00\x00"
)

var (
	mariadb  = greeting("5.5.5-10.11.19-MariaDB-0+deb12u1")
	selected = packets("\x01", column, eof(2), row("7"), row("8"), eof(2))
	chosen   = packets("\x01", column, row("7"), row("8"), okEnd())
	none     = packets("\x01", column, eof(2), eof(2))
	nobody   = packets("\x01", column, okEnd())
	done     = packets(ok(2))
	welcome  = encode(2, ok(2))
)

func newWire(t *testing.T, o Options, payload int, place uint64) *protocoltest.Wire {
	return protocoltest.New(t, func(losses *loss.Counts) protocol.Protocol { return New(o, losses) }, payload, place)
}

// dialogs are what is moved in turns, the first one by the server where it is a greeting, and what is
// wanted: a name, db.query.text, the status, db.namespace and whether the answer was complete.
var dialogs = map[string]struct {
	dialog []string
	want   []string
}{
	"login":          {[]string{mariadb, login(oldEOF), welcome}, []string{"login|||shop|true"}},
	"wrong password": {[]string{mariadb, login(oldEOF), encode(2, failure(1045))}, []string{"login||1045|shop|true"}},
	"login in steps": {
		[]string{greeting("8.4.0"), login(newEOF), encode(2, "\xfecaching_sha2_password", z, "salt"), encode(3, "hash"), encode(4, "\x01\x03") + encode(5, ok(2)), query("SELECT 1"), chosen},
		[]string{"login|||shop|true", "SELECT|SELECT ?||shop|true"},
	},
	"queries": {
		[]string{mariadb, login(oldEOF), welcome, query("SELECT * FROM users WHERE name = \"x\""), selected, query("UPDATE users SET a = 1"), done, query("SELECT 2"), none},
		[]string{"login|||shop|true", "SELECT users|SELECT * FROM users WHERE name = ?||shop|true", "UPDATE users|UPDATE users SET a = ?||shop|true", "SELECT|SELECT ?||shop|true"},
	},
	"queries without EOF packets": {
		[]string{mariadb, login(newEOF), welcome, query("SELECT 1"), chosen, query("SELECT 2"), nobody, query("SELECT 3"), chosen},
		[]string{"login|||shop|true", "SELECT|SELECT ?||shop|true", "SELECT|SELECT ?||shop|true", "SELECT|SELECT ?||shop|true"},
	},
	"older connection": {
		[]string{query("SELECT 1"), selected, query("SELECT 2"), done}, []string{"SELECT|SELECT ?|||true", "SELECT|SELECT ?|||true"},
	},
	"attributes of queries": {[]string{command(comQuery, z, "\x01", "SELECT 1"), chosen}, []string{"SELECT|SELECT ?|||true"}},
	"error": {
		[]string{query("SELECT nope"), packets(failure(1054)), query("SELECT a FROM t"), packets("\x01", column, eof(2), row("7"), failure(1317))},
		[]string{"SELECT|SELECT nope|1054||true", "SELECT t|SELECT a FROM t|1317||true"},
	},
	"several results": {
		[]string{query("CALL both()"), packets("\x01", column, eof(10), row("7"), eof(10), "\x01", column, eof(10), row("8"), eof(10), ok(2)), query("SELECT 1"), selected},
		[]string{"CALL both|CALL both()|||true", "SELECT|SELECT ?|||true"},
	},
	"several statements": {
		[]string{query("UPDATE a SET b = 1; UPDATE a SET b = 2"), packets(ok(10), ok(2))},
		[]string{"UPDATE a UPDATE a|UPDATE a SET b = ?; UPDATE a SET b = ?|||true"},
	},
	"prepared": {
		[]string{
			mariadb, login(oldEOF), welcome, prepare("SELECT a FROM t WHERE b = ?"), packets(prepared(5, 1, 1), column, eof(2), column, eof(2)),
			execute(5), selected, shut(5) + prepare("UPDATE t SET a = ?"), packets(prepared(6, 0, 1), column, eof(2)), execute(6), done, execute(5), packets(failure(1243)),
		},
		[]string{
			"login|||shop|true", "PREPARE SELECT t|SELECT a FROM t WHERE b = ?||shop|true", "SELECT t|SELECT a FROM t WHERE b = ?||shop|true",
			"PREPARE UPDATE t|UPDATE t SET a = ?||shop|true", "UPDATE t|UPDATE t SET a = ?||shop|true", "EXECUTE||1243|shop|true",
		},
	},
	"prepared without EOF packets": {
		[]string{
			mariadb, login(newEOF), welcome, prepare("SELECT a FROM t WHERE b = ?") + execute(5), packets(prepared(5, 1, 1), column, column) + chosen,
			prepare("BEGIN"), packets(prepared(6, 0, 0)), execute(6), done,
		},
		[]string{
			"login|||shop|true", "PREPARE SELECT t|SELECT a FROM t WHERE b = ?||shop|true", "EXECUTE|||shop|true",
			"PREPARE BEGIN|BEGIN||shop|true", "BEGIN|BEGIN||shop|true",
		},
	},
	"prepared before": {[]string{execute(3), selected}, []string{"EXECUTE||||true"}},
	"prepared on an older connection": {
		[]string{prepare("SELECT ?"), packets(prepared(5, 1, 1), column, eof(2), column, eof(2)), execute(5), selected, prepare("SELECT ?"), packets(prepared(6, 1, 1), column, column), execute(6), chosen},
		[]string{"PREPARE SELECT|SELECT ?|||true", "SELECT|SELECT ?|||true", "PREPARE SELECT|SELECT ?|||true", "SELECT|SELECT ?|||true"},
	},
	"cursor": {
		[]string{prepare("SELECT a FROM t"), packets(prepared(5, 1, 0), column, eof(2)), command(comExecute, u32(5), "\x01", u32(1)), packets("\x01", column, eof(66)), command(comFetch, u32(5), u32(10)), packets(row("7"), row("8"), eof(130))},
		[]string{"PREPARE SELECT t|SELECT a FROM t|||true", "SELECT t|SELECT a FROM t|||true", "SELECT t|SELECT a FROM t|||true"},
	},
	"definitions that the client has": {
		[]string{execute(5), packets("\x01\x00", row("7"), okEnd()), query("SELECT 1"), packets("\x01\x01", column, row("7"), okEnd())},
		[]string{"EXECUTE||||true", "SELECT|SELECT ?|||true"},
	},
	"databases": {
		[]string{mariadb, login(oldEOF), welcome, command(comInitDB, "other"), done, query("use `third`"), done, query("SELECT 1"), selected, query("USE nope"), packets(failure(1049)), command(comPing), done},
		[]string{"login|||shop|true", "USE|||shop|true", "use|use `third`||other|true", "SELECT|SELECT ?||third|true", "USE|USE nope|1049|third|true", "PING|||third|true"},
	},
	"a file": {
		[]string{query("LOAD DATA LOCAL INFILE 'x' INTO TABLE t"), packets("\xfbx"), encode(2, "1\n2\n") + encode(3), encode(4, ok(2)), query("SELECT 1"), selected},
		[]string{"LOAD t|LOAD DATA LOCAL INFILE ? INTO TABLE t|||true", "SELECT|SELECT ?|||true"},
	},
	"a file of many packets": {
		[]string{query("LOAD DATA LOCAL INFILE 'x' INTO TABLE t"), packets("\xfbx"), content(2, 600), encode(603, ok(2)), query("SELECT 1"), selected},
		[]string{"LOAD t|LOAD DATA LOCAL INFILE ? INTO TABLE t|||true", "SELECT|SELECT ?|||true"},
	},
	"a file that is refused": {
		[]string{query("LOAD DATA LOCAL INFILE 'x' INTO TABLE t"), packets("\xfbx"), encode(2), encode(3, failure(1148)), query("SELECT 1"), selected},
		[]string{"LOAD t|LOAD DATA LOCAL INFILE ? INTO TABLE t|1148||true", "SELECT|SELECT ?|||true"},
	},
	"executed as it was prepared": {
		[]string{prepare("SELECT a FROM t") + execute(0xffffffff), packets(prepared(5, 1, 0), column, eof(2)) + selected, execute(5), selected},
		[]string{"PREPARE SELECT t|SELECT a FROM t|||true", "SELECT t|SELECT a FROM t|||true", "SELECT t|SELECT a FROM t|||true"},
	},
	"prepared without definitions": {
		[]string{mariadb, login(newEOF), welcome, prepare("SELECT a FROM t WHERE b = ?"), packets(prepared(5, 2, 3) + z), execute(5), packets("\x01\x00", row("7"), okEnd())},
		[]string{"login|||shop|true", "PREPARE SELECT t|SELECT a FROM t WHERE b = ?||shop|true", "SELECT t|SELECT a FROM t WHERE b = ?||shop|true"},
	},
	"pipelined": {
		[]string{mariadb, login(oldEOF), welcome, query("SELECT a FROM t") + query("DELETE FROM t"), selected + done},
		[]string{"login|||shop|true", "SELECT t|SELECT a FROM t||shop|true", "DELETE t|DELETE FROM t||shop|true"},
	},
	"another user": {
		[]string{query("SELECT 1"), selected, command(comChangeUser, "you", z, "\x04", "hash", "third", z), done, query("SELECT 1"), selected},
		[]string{"SELECT|SELECT ?|||true", "CHANGE USER||||true", "SELECT|SELECT ?||third|true"},
	},
	"another user is refused": {
		[]string{mariadb, login(oldEOF), welcome, command(comChangeUser, "you", z, "\x04", "hash", "third", z), packets(failure(1045)), query("SELECT 1"), selected},
		[]string{"login|||shop|true", "CHANGE USER||1045|shop|true", "SELECT|SELECT ?||shop|true"},
	},
	"progress": {
		[]string{query("ALTER TABLE t ADD b int"), packets("\xff\xff\xff\x01\x01\x02\x00\x00\x00\x04copy", ok(2))},
		[]string{"ALTER TABLE t|ALTER TABLE t ADD b int|||true"},
	},
	"quit":       {[]string{query("SELECT 1"), selected, command(comQuit)}, []string{"SELECT|SELECT ?|||true"}},
	"statistics": {[]string{query("SELECT 1"), selected, command(comStatistics), packets("Uptime: 1")}, []string{"SELECT|SELECT ?|||true", "STATISTICS||||true"}},
	"long data": {
		[]string{prepare("INSERT INTO t VALUES (?)"), packets(prepared(5, 0, 1), column, eof(2)), command(comSendLongData, u32(5), u16(0), "data") + execute(5), done},
		[]string{"PREPARE INSERT t|INSERT INTO t VALUES (?)|||true", "INSERT t|INSERT INTO t VALUES (?)|||true"},
	},
}

func outcome(e *protocol.Exchange) string {
	return fmt.Sprintf("%s|%s|%s|%s|%t", e.Name, protocoltest.Value(e, "db.query.text"), protocoltest.Value(e, "db.response.status_code"),
		protocoltest.Value(e, "db.namespace"), e.Response.Complete)
}

// play moves a dialog's parts in turns, so that a side's requests go in a direction.
func play(w *protocoltest.Wire, requests conn.Direction, dialog []string) {
	d := requests
	if classify([]byte(dialog[0])) == protocol.Yes && dialog[0][headerSize] == protocolVersion {
		d = d.Opposite()
	}
	for _, text := range dialog {
		w.Move(d, text)
		d = d.Opposite()
	}
}

func TestDialogs(t *testing.T) {
	for name, tt := range dialogs {
		for _, size := range []int{0, 1, 2, 4, 11} {
			for side, requests := range map[protocol.Side]conn.Direction{protocol.Client: conn.Sent, protocol.Server: conn.Received} {
				w := newWire(t, Options{}, protocoltest.Everything, 0)
				w.Size = size
				play(w, requests, tt.dialog)
				var got []string
				places := map[uint64]bool{}
				for _, e := range w.Exchanges() {
					got = append(got, outcome(e))
					assert.Equal(t, side, e.Side, name)
					assert.True(t, e.Request.Complete)
					places[e.Place] = true
				}
				assert.Equal(t, tt.want, got, "%s, %d bytes at once", name, size)
				assert.Len(t, places, len(got), "each has a place of its own")
				assert.Empty(t, w.Lost(), name)
				w.Close(conn.EOF)
			}
		}
	}
}

func TestNamespaceOf(t *testing.T) {
	for name, tt := range map[string]struct {
		capabilities int
		text, want   string
	}{
		"length of a byte":       {oldEOF, "me" + z + "\x04hashshop" + z + "plugin" + z, "shop"},
		"no password":            {oldEOF, "me" + z + z + "shop" + z, "shop"},
		"length of three bytes":  {oldEOF | capabilityAuthLenenc, "me" + z + "\xfc\x04\x00hashshop" + z, "shop"},
		"text":                   {capabilityConnectWithDB, "me" + z + "hash" + z + "shop" + z, "shop"},
		"none":                   {capabilitySecureConnection, "me" + z + "\x04hashplugin" + z, ""},
		"proof cut":              {oldEOF, "me" + z + "\x14hash", ""},
		"long proof cut":         {oldEOF | capabilityAuthLenenc, "me" + z + "\xfe\xff\xff\xff\xff\xff\xff\xff\xffhash", ""},
		"its length cut":         {oldEOF | capabilityAuthLenenc, "me" + z + "\xfc", ""},
		"user cut":               {oldEOF, "me", ""},
		"nothing behind":         {oldEOF, "me" + z, ""},
		"name cut":               {oldEOF, "me" + z + "\x04hashsho", ""},
		"text that does not end": {capabilityConnectWithDB, "me" + z + "hash", ""},
	} {
		assert.Equal(t, tt.want, namespaceOf([]byte(tt.text), uint32(tt.capabilities)), name)
	}
}

func TestPlaces(t *testing.T) {
	first, second := prepare("SELECT a FROM t"), execute(1)
	w := newWire(t, Options{}, protocoltest.Everything, 4096)
	w.Size = 9
	w.Received(first + second)
	w.Size = 0
	w.Sent(packets(prepared(1, 1, 0), column, eof(2)) + selected)
	got := w.Exchanges()
	require.Len(t, got, 2)
	assert.EqualValues(t, 4096, got[0].Place)
	assert.EqualValues(t, 4096+len(first), got[1].Place)
	assert.EqualValues(t, len(second), got[1].Request.Size)
	assert.EqualValues(t, len(selected), got[1].Response.Size)
}

func TestAttributes(t *testing.T) {
	for version, system := range map[string]string{"8.4.0": "mysql", "11.4.2-MariaDB": "mariadb"} {
		w := newWire(t, Options{}, protocoltest.Everything, 0)
		play(w, conn.Sent, []string{greeting(version), login(oldEOF), welcome, query("SELECT secret FROM t WHERE a = 'secret'"), packets(failure(1317))})
		e := w.Exchanges()[1]
		for key, want := range map[string]string{
			"db.system.name": system, "db.namespace": "shop", "db.query.summary": "SELECT t", "db.operation.name": "",
			"db.query.text": "SELECT secret FROM t WHERE a = ?", "db.response.status_code": "1317", "error.type": "",
			"server.address": "10.0.0.2", "server.port": "6379",
		} {
			assert.Equal(t, want, protocoltest.Value(e, key), key)
		}
		assert.Equal(t, "1317", e.ErrorType)
		assert.True(t, e.Failed)
		assert.Empty(t, e.ErrorMessage, "messages hold values")
	}
}

func TestQuery(t *testing.T) {
	for mode, want := range map[sql.Query]string{
		sql.Redact: "SELECT ?", sql.Keep: "SELECT 'x' /* y */", sql.Drop: "",
	} {
		w := newWire(t, Options{Query: mode}, protocoltest.Everything, 0)
		play(w, conn.Sent, []string{query("SELECT 'x' /* y */"), selected})
		assert.Equal(t, want, protocoltest.Value(w.Exchanges()[0], "db.query.text"), mode)
	}
}

func TestUnreadableConnectionsAreGivenUp(t *testing.T) {
	tls := encode(1, u32(oldEOF|capabilitySSL), u32(1<<24), "\x08", strings.Repeat(z, 23))
	for name, dialog := range map[string][]string{
		"TLS":         {mariadb, tls + "\x16\x03\x01" + query("SELECT 1"), "\x16\x03\x03" + done},
		"compression": {mariadb, login(oldEOF | capabilityCompress), welcome, "\x05\x00\x00\x00\x00\x00\x00" + query("SELECT 1"), done},
	} {
		w := newWire(t, Options{}, protocoltest.Everything, 0)
		play(w, conn.Sent, dialog)
		w.Close(conn.EOF)
		for _, e := range w.Sink.Exchanges {
			assert.Equal(t, "login", e.Name, name)
		}
		assert.Equal(t, map[string]int64{"encrypted": 1}, w.Lost(), name)
	}
}

func TestReplicationIsGivenUp(t *testing.T) {
	w := newWire(t, Options{}, protocoltest.Everything, 0)
	play(w, conn.Sent, []string{mariadb, login(oldEOF), welcome, command(comBinlogDump, u32(4), u16(0), u32(1)), strings.Repeat(packets("event"), 5)})
	w.Close(conn.EOF)
	assert.Len(t, w.Exchanges(), 1)
}

// content is a file's in n packets of a line each, which are numbered from first on, and an empty one.
func content(first, n int) (text string) {
	for i := range n {
		text += encode(first+i, "\t1\n")
	}
	return text + encode(first+n)
}

// A row of several packets may begin with the byte that ends rows, as longer ones begin with the length of a text of 16 MiB.
func TestRowsOfSeveralPackets(t *testing.T) {
	long := "\xfe" + u32(1<<24) + u32(0) + strings.Repeat("x", 1<<24)
	for _, rest := range []string{long[maxLength:], long[maxLength:] + "\x01y"} {
		for _, payload := range []int{protocoltest.Everything, 100} {
			w := newWire(t, Options{}, payload, 0)
			w.Sent(query("SELECT a FROM t"))
			w.Received(packets("\x01", column, eof(2)) + encode(4, long[:maxLength]))
			w.Size = 4
			w.Received(encode(5, rest))
			w.Size = 0
			assert.Equal(t, 1, w.Sink.Open(), "more rows may come")
			w.Received(encode(6, row("8")) + encode(7, eof(2)))
			assert.True(t, w.Exchanges()[0].Response.Complete)
		}
	}
}

// Whose the answers are is known again once a turn of commands begins while nobody waits, also with one
// that has no answer.
func TestTurnsThatBeginWithoutAnAnswer(t *testing.T) {
	w := newWire(t, Options{}, protocoltest.Everything, 0)
	w.Sent(query("SELECT 1"))
	w.Received(selected)
	w.Lose(conn.Sent, 20)
	w.Received(done)
	w.Sent(shut(1) + query("SELECT 1") + query("SELECT 2"))
	w.Received(selected + selected)
	for _, e := range w.Exchanges() {
		assert.True(t, e.Response.Complete)
	}
}

// Of rows beyond what is captured the last bytes tell the end.
func TestBeyondThePayload(t *testing.T) {
	long := "SELECT a FROM t WHERE b = '" + strings.Repeat("x", 500) + "'"
	rows := make([]string, 0, 120)
	for range 120 {
		rows = append(rows, row("some text"))
	}
	for name, answer := range map[string]string{
		"EOF": packets(append(append([]string{"\x01", column, eof(2)}, rows...), eof(2))...),
		"OK":  packets(append(append([]string{"\x01", column}, rows...), okEnd())...),
	} {
		for _, size := range []int{0, 300} {
			w := newWire(t, Options{}, 200, 0)
			play(w, conn.Sent, []string{mariadb, login(oldEOF), welcome})
			w.Size = size
			for range 3 {
				w.Sent(query(long))
				w.Received(answer)
			}
			got := w.Exchanges()
			require.Len(t, got, 4, name)
			for _, e := range got[1:] {
				assert.Equal(t, "SELECT t", e.Name, name)
				assert.True(t, e.Response.Complete, name)
				assert.True(t, strings.HasSuffix(protocoltest.Value(e, "db.query.text"), "..."))
			}
		}
	}
}

// An answer whose end cannot be seen ends with the next command, or with a pause.
func TestEndsThatAreNotSeen(t *testing.T) {
	answer := packets("\x01", column, eof(2), row(strings.Repeat("x", 90)), row(strings.Repeat("y", 90)), okEnd()+"\x05about")
	w := newWire(t, Options{}, 100, 0)
	w.Sent(query("SELECT a FROM t"))
	w.Received(answer)
	w.Sent(query("SELECT b FROM t"))
	require.Len(t, w.Sink.Exchanges, 2)
	assert.Equal(t, 1, w.Sink.Open())
	w.Received(answer)
	w.Parser.Tick(w.Clock + 2e9)
	got := w.Exchanges()
	assert.Empty(t, got[0].ErrorType)
	assert.Empty(t, got[1].ErrorType)
	assert.Equal(t, map[string]int64{"head_too_long": 2, "stream_gap": 1}, w.Lost())
	w.Sent(query("SELECT c FROM t"))
	w.Received(selected)
	got = w.Exchanges()
	assert.True(t, got[2].Response.Complete)
}

// What was missed is counted, and the next command is found again.
func TestGaps(t *testing.T) {
	for name, gap := range map[string]func(w *protocoltest.Wire){
		"a command":         func(w *protocoltest.Wire) { w.Lose(conn.Sent, 20); w.Received(selected) },
		"half of a command": func(w *protocoltest.Wire) { w.Sent(query("SELECT 1")[:6]); w.Lose(conn.Sent, 9); w.Received(selected) },
		"an answer":         func(w *protocoltest.Wire) { w.Sent(query("SELECT 1")); w.Lose(conn.Received, len(selected)) },
		"an answer's begin": func(w *protocoltest.Wire) {
			w.Sent(query("SELECT 1"))
			w.Lose(conn.Received, 7)
			w.Received(selected[7:])
		},
		"an answer's end": func(w *protocoltest.Wire) {
			w.Sent(query("SELECT 1"))
			w.Received(selected[:50])
			w.Lose(conn.Received, len(selected)-50)
		},
	} {
		w := newWire(t, Options{}, protocoltest.Everything, 0)
		play(w, conn.Sent, []string{mariadb, login(oldEOF), welcome})
		gap(w)
		for range 3 {
			w.Sent(query("SELECT a FROM t"))
			w.Received(selected)
		}
		w.Close(conn.EOF)
		got := w.Exchanges()
		last := got[len(got)-1]
		assert.Equal(t, "SELECT t", last.Name, name)
		assert.True(t, last.Response.Complete, name)
		assert.Empty(t, last.ErrorType, name)
	}
}

func TestEnds(t *testing.T) {
	for name, tt := range map[string]struct {
		received bool
		cause    conn.Cause
		want     string
	}{
		"server closes":   {false, conn.EOF, protocol.ConnectionClosed},
		"client resets":   {true, conn.Reset, protocol.ClientDisconnected},
		"client is reset": {false, conn.Reset, protocol.ConnectionReset},
	} {
		w := newWire(t, Options{}, protocoltest.Everything, 0)
		d := conn.Sent
		if tt.received {
			d = conn.Received
		}
		w.Move(d, query("SELECT 1"))
		w.Close(tt.cause)
		assert.Equal(t, tt.want, w.Exchanges()[0].ErrorType, name)
	}
}

func TestTooManyCommands(t *testing.T) {
	w := newWire(t, Options{}, protocoltest.Everything, 0)
	w.Sent(strings.Repeat(query("DO 1"), database.MaxOpen+5))
	w.Received(strings.Repeat(done, database.MaxOpen+5))
	w.Close(conn.EOF)
	assert.Len(t, w.Exchanges(), database.MaxOpen)
	assert.EqualValues(t, 5, w.Lost()["pipeline_full"])
}

func TestClassify(t *testing.T) {
	for text, want := range map[string]protocol.Verdict{
		mariadb:                                protocol.Yes,
		mariadb[:20]:                           protocol.Maybe,
		login(oldEOF):                          protocol.Yes,
		login(oldEOF)[:4]:                      protocol.Maybe,
		login(capabilitySSL):                   protocol.No,
		query("SELECT 1"):                      protocol.Yes,
		query("SELECT 1")[:4]:                  protocol.Maybe,
		query("SELECT 1")[:6]:                  protocol.Maybe,
		query("SELECT 1") + query("DO 1"):      protocol.Yes,
		query("SELECT 1") + "more":             protocol.No,
		prepare("SELECT ?"):                    protocol.Yes,
		execute(1):                             protocol.Yes,
		execute(1)[:9]:                         protocol.Maybe,
		command(comPing):                       protocol.No,
		selected:                               protocol.No,
		done:                                   protocol.No,
		"POST / HTTP/1.1\r\n":                  protocol.No,
		"*1\r\n$4\r\nPING\r\n":                 protocol.No,
		"\x00\x00\x12\x04\x00\x00\x00\x00\x00": protocol.No,
		"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03": protocol.No,
		"\x00\x00\x00\x08\x00\x03\x00\x00":         protocol.No,
	} {
		assert.Equal(t, want, classify([]byte(text)), "%q", text)
	}
}
