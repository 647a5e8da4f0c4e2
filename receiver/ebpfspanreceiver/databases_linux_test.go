package ebpfspanreceiver

import (
	"crypto/rand"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/receiver/receivertest"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/loss"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/metadata"
)

// bench are real programs at both ends of a database's connections, and a receiver that
// traces them. They are orphans, because a receiver never sees its own children.
type bench struct {
	t *testing.T
	// servers are their ids, because some overwrite their environment. Clients and what they
	// start have the variable marker.
	servers []int64
	marker  string
	sink    consumertest.TracesSink
	// dir takes the client's output; the client runs once its input has a line.
	dir   string
	input io.Writer
	// logs takes what the receiver has to say; nil leaves it out.
	logs zapcore.Core
}

func newBench(t *testing.T) *bench {
	return &bench{t: t, marker: "SEQLINK_TEST_" + rand.Text(), dir: t.TempDir()}
}

// start starts a server, which ends with the test. What is not installed fails the test.
func (b *bench) start(service, program string, args ...string) {
	b.t.Helper()
	path, err := exec.LookPath(program)
	require.NoError(b.t, err, "install what has %s: make test-needs does", program)
	pid, _ := orphan(b.t, "SEQLINK_SERVICE="+service, append([]string{path}, args...)...)
	b.servers = append(b.servers, pid)
	b.t.Cleanup(func() {
		// SIGINT ends PostgreSQL at once, but a shell's background processes may ignore it.
		_ = syscall.Kill(int(pid), syscall.SIGINT)
		_ = syscall.Kill(int(pid), syscall.SIGTERM)
	})
}

// prepare has a program wait, so that nothing of it is missed.
func (b *bench) prepare(service, program string, args ...string) {
	b.t.Helper()
	_, b.input = orphan(b.t, "SEQLINK_SERVICE="+service, append([]string{
		"env", b.marker + "=1", "sh", "-c", `cd "$1"; shift; read _; "$@" >output 2>&1; echo $? >status.part; mv status.part status`, "sh", b.dir, program,
	}, args...)...)
}

// run lets the prepared program run to its end.
func (b *bench) run() {
	b.t.Helper()
	_, err := io.WriteString(b.input, "\n")
	require.NoError(b.t, err)
	var status []byte
	assert.Eventually(b.t, func() bool {
		status, err = os.ReadFile(filepath.Join(b.dir, "status"))
		return err == nil
	}, time.Minute, 10*time.Millisecond)
	output, err := os.ReadFile(filepath.Join(b.dir, "output"))
	assert.NoError(b.t, err)
	assert.Equal(b.t, "0\n", string(status), string(output))
}

// trace lets the program run to its end under a receiver.
func (b *bench) trace(mutate func(*Config)) *spanReceiver {
	b.t.Helper()
	config := createDefaultConfig().(*Config)
	config.Processes.PIDs, config.Processes.Env = b.servers, []string{b.marker}
	if mutate != nil {
		mutate(config)
	}
	require.NoError(b.t, config.Validate())
	settings := receivertest.NewNopSettings(metadata.Type)
	if b.logs != nil {
		settings.Logger = zap.New(b.logs)
	}
	r, err := newSpanReceiver(config, settings, &b.sink)
	require.NoError(b.t, err)
	require.NoError(b.t, r.Start(b.t.Context(), componenttest.NewNopHost()))
	b.run()
	awaitRead(b.t, r)
	require.NoError(b.t, r.Shutdown(b.t.Context()))
	return r
}

// awaitRead waits until the receiver has read what the kernel saw: within a poll of its buffer, or
// later where the machine has other work.
func awaitRead(t *testing.T, r *spanReceiver) {
	t.Helper()
	read := int64(-1)
	require.Eventually(t, func() bool {
		before := read
		read = r.stats.events.Load()
		return read == before
	}, time.Minute, 200*time.Millisecond)
}

// redisServer starts a real one, and returns its port.
func (b *bench) redisServer(args ...string) (port string) {
	b.t.Helper()
	port = freePort(b.t)
	b.start("redis", "redis-server", append([]string{
		"--bind", "127.0.0.1", "--port", port, "--save", "", "--appendonly", "no", "--loglevel", "warning",
	}, args...)...)
	awaitListening(b.t, port)
	return port
}

// pairs are the spans of both ends.
type pairs struct {
	clients, servers map[pcommon.SpanID]ptrace.Span
}

func (b *bench) pairs() pairs {
	p := pairs{make(map[pcommon.SpanID]ptrace.Span), make(map[pcommon.SpanID]ptrace.Span)}
	for _, batch := range b.sink.AllTraces() {
		for _, r := range batch.ResourceSpans().All() {
			for _, s := range r.ScopeSpans().At(0).Spans().All() {
				if s.Kind() == ptrace.SpanKindClient {
					p.clients[s.SpanID()] = s
				} else {
					p.servers[s.ParentSpanID()] = s
				}
			}
		}
	}
	return p
}

// assertLinked checks that each end's spans are the other's, and tell the same. What a client
// does not wait for when it ends, the server need not have read.
func (p pairs) assertLinked(t *testing.T) {
	t.Helper()
	assert.NotEmpty(t, p.clients)
	left := 0
	for id, client := range p.clients {
		server, ok := p.servers[id]
		if !ok && valueOf(client, "error.type") != "" && valueOf(client, "db.response.status_code") == "" {
			left++
			continue
		}
		if !assert.True(t, ok, "%s %s has no other end", client.Name(), valueOf(client, "db.query.text")) {
			continue
		}
		for _, key := range []string{"db.system.name", "db.query.text", "db.namespace", "db.response.status_code", "server.address", "server.port"} {
			assert.Equal(t, valueOf(client, key), valueOf(server, key), key)
		}
		assert.Equal(t, client.Name(), server.Name())
	}
	assert.Equal(t, len(p.clients)-left, len(p.servers))
	assert.LessOrEqual(t, left, len(p.clients)/100)
}

// Real clients and a real server, one command after another and many at once: each command
// is one span at both ends, linked by where it was written alone.
func TestRedisBothEnds(t *testing.T) {
	for _, tt := range []struct {
		name     string
		pipeline string
		mutate   func(*Config)
	}{
		{"one at a time", "1", nil},
		{"pipelined", "8", nil},
		{"a small payload", "4", func(c *Config) { c.PayloadSize = 512 }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t)
			port := b.redisServer()
			b.prepare("bench", "redis-benchmark", "-h", "127.0.0.1", "-p", port, "-q",
				"-c", "8", "-n", "800", "-P", tt.pipeline, "-r", "100000", "-d", "20", "-t", "set,get,lpush,lrange_100")
			r := b.trace(tt.mutate)
			p := b.pairs()
			assert.GreaterOrEqual(t, len(p.clients), 3*800)
			p.assertLinked(t)
			if tt.pipeline == "1" && tt.mutate == nil {
				assert.Zero(t, r.stats.losses.Get(loss.StreamGap))
			}
		})
	}
}

// Pipelines of more bytes than are captured of a turn: the kernel side is asked for all of
// them, and then commands are seen at both ends.
func TestRedisLongPipelines(t *testing.T) {
	const n = 51_200
	b := newBench(t)
	port := b.redisServer()
	b.prepare("bench", "redis-benchmark", "-h", "127.0.0.1", "-p", port, "-q",
		"-c", "4", "-n", strconv.Itoa(n), "-P", "64", "-r", "100000", "-d", "20", "-t", "set")
	r := b.trace(func(c *Config) { c.RingBufferSize = 64 << 20 })
	assert.Positive(t, r.stats.losses.Get(loss.HeadTooLong), "at first a part is lost")
	p := b.pairs()
	both := 0
	for id := range p.clients {
		if _, ok := p.servers[id]; ok {
			both++
		}
	}
	assert.Greater(t, both, n/3)
}

// What a session does and says, at both ends; its recording gives the same again.
func TestRedisSession(t *testing.T) {
	b := newBench(t)
	recording := recordingOf(t, "redis")
	port := b.redisServer("--requirepass", "swordfish")
	b.prepare("shell", "bash", "-c", `set -e
		cli() { redis-cli -p "$1" --no-auth-warning -a swordfish "${@:2}"; }
		cli $0 set user:1 alice
		cli $0 -3 hset user:2 name bob
		cli $0 incr user:1 || true
		printf 'MULTI\nSET a 1\nGET a\nEXEC\nSELECT 3\nGET a\nBLPOP nothing 1\n' | cli $0
		(echo 'SUBSCRIBE news'; sleep 1) | timeout 3 redis-cli -p $0 --no-auth-warning -a swordfish & sleep 0.5
		cli $0 publish news hello
		wait
		exec 3<>/dev/tcp/127.0.0.1/$0; printf 'PING\r\n' >&3; read -r _ <&3; printf 'AUTH wrong\r\nAUTH swordfish\r\nget a\r\nQUIT\r\n' >&3; cat <&3`, port)
	r := b.trace(func(c *Config) { c.Record, c.RecordPayload = recording, true })
	assert.Zero(t, r.stats.losses.Get(loss.StreamGap))
	assert.Zero(t, r.stats.losses.Get(loss.MalformedMessage))
	b.pairs().assertLinked(t)
	live := text(b.sink.AllTraces())
	assert.NotContains(t, dump(t, &b.sink), "swordfish")
	assert.NotContains(t, dump(t, &b.sink), "alice")
	for _, want := range []string{"set user:1 ?", "SUBSCRIBE ?", "EXEC", "BLPOP nothing ?", "WRONGPASS"} {
		assert.Contains(t, live, want)
	}
	var again consumertest.TracesSink
	replay(t, recording, &again)
	assert.Equal(t, live, text(again.AllTraces()))
}

// recordingOf is where a session is recorded: with -update it is one of those that are replayed
// where the kernel cannot be watched.
func recordingOf(t *testing.T, name string) string {
	t.Helper()
	name += ".jsonl.gz"
	if !*update {
		return filepath.Join(t.TempDir(), name)
	}
	path := filepath.Join("testdata", name)
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return path
}
