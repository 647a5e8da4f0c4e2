package ebpfspanreceiver

import (
	"bytes"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer/consumertest"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/loss"
)

// postgresTool returns the path of one of the server's programs, which Debian keeps out of PATH.
func postgresTool(t *testing.T, name string) string {
	t.Helper()
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	require.NotEmpty(t, found, "install what has %s: make test-needs does", name)
	return found[len(found)-1]
}

// postgresServer starts a real one, and returns its port and the folder of its socket. It
// refuses to run as root.
func (b *bench) postgresServer() (port, dir string) {
	b.t.Helper()
	account, err := user.Lookup("postgres")
	require.NoError(b.t, err, "install postgresql: make test-needs does")
	uid, err := strconv.Atoi(account.Uid)
	require.NoError(b.t, err)
	gid, err := strconv.Atoi(account.Gid)
	require.NoError(b.t, err)
	dir, err = os.MkdirTemp("", "seqlink-postgres-")
	require.NoError(b.t, err)
	b.t.Cleanup(func() { _ = os.RemoveAll(dir) })
	require.NoError(b.t, os.Chmod(dir, 0o755))
	password := filepath.Join(dir, "password")
	require.NoError(b.t, os.WriteFile(password, []byte("swordfish\n"), 0o644))
	require.NoError(b.t, os.Chown(dir, uid, gid))
	data := filepath.Join(dir, "data")
	initdb := exec.Command(postgresTool(b.t, "initdb"), "-D", data, "-U", "shop", "-A", "scram-sha-256", "--pwfile", password, "--no-sync")
	initdb.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	initdb.Dir = dir
	output, err := initdb.CombinedOutput()
	require.NoError(b.t, err, string(output))
	port = freePort(b.t)
	b.start("postgres", "setpriv", "--reuid", account.Uid, "--regid", account.Gid, "--clear-groups",
		postgresTool(b.t, "postgres"), "-D", data, "-p", port, "-h", "127.0.0.1", "-k", dir, "-F", "-c", "autovacuum=off")
	b.t.Cleanup(func() { awaitEnd(b.t, filepath.Join(data, "postmaster.pid")) })
	awaitListening(b.t, port)
	return port, dir
}

// awaitEnd waits until a server has removed its file, after it was asked to end.
func awaitEnd(t *testing.T, path string) {
	t.Helper()
	if text, err := os.ReadFile(path); err == nil {
		pid, _, _ := bytes.Cut(text, []byte("\n"))
		if n, err := strconv.Atoi(string(pid)); err == nil {
			_ = syscall.Kill(n, syscall.SIGINT)
		}
	}
	assert.Eventually(t, func() bool {
		_, err := os.Stat(path)
		return err != nil
	}, 30*time.Second, 20*time.Millisecond)
}

// Real clients and a real server: each statement is one span at both ends, linked by where
// it was written alone.
func TestPostgreSQLBothEnds(t *testing.T) {
	const script = `\set id random(1, 1000)
SELECT abalance FROM pgbench_accounts WHERE aid = :id;
UPDATE pgbench_accounts SET abalance = abalance + 1 WHERE aid = :id;
`
	b := newBench(t)
	port, dir := b.postgresServer()
	t.Setenv("PGPASSWORD", "swordfish")
	prepare := exec.Command("pgbench", "-h", "127.0.0.1", "-p", port, "-U", "shop", "-i", "-q", "postgres")
	output, err := prepare.CombinedOutput()
	require.NoError(t, err, string(output))
	server := b.servers
	for _, tt := range []struct {
		name, mode, host, before, after string
		statements                      int
	}{
		{"simple", "simple", "127.0.0.1", "", "", 2},
		{"extended", "extended", "127.0.0.1", "", "", 2},
		{"prepared", "prepared", "127.0.0.1", "", "", 2},
		{"pipelined", "extended", "127.0.0.1", "\\startpipeline\n", "\\endpipeline\n", 2},
		{"Unix socket", "extended", dir, "", "", 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t)
			b.servers = server
			path := filepath.Join(t.TempDir(), "script.sql")
			require.NoError(t, os.WriteFile(path, []byte(tt.before+script+tt.after), 0o600))
			const clients, transactions = 4, 25
			b.prepare("bench", "pgbench", "-h", tt.host, "-p", port, "-U", "shop", "-n", "-M", tt.mode, "-f", path,
				"-c", strconv.Itoa(clients), "-t", strconv.Itoa(transactions), "postgres")
			r := b.trace(nil)
			p := b.pairs()
			assert.GreaterOrEqual(t, len(p.clients), clients*transactions*tt.statements)
			p.assertLinked(t)
			for _, reason := range []loss.Reason{loss.StreamGap, loss.MalformedMessage, loss.HeadTooLong} {
				assert.Zero(t, r.stats.losses.Get(reason), reason)
			}
			live := text(b.sink.AllTraces())
			assert.Contains(t, live, "SELECT pgbench_accounts")
			assert.Contains(t, live, "UPDATE pgbench_accounts")
			assert.NotContains(t, dump(t, &b.sink), "swordfish")
		})
	}
}

// What a session does and says, at both ends; its recording gives the same again.
func TestPostgreSQLSession(t *testing.T) {
	b := newBench(t)
	t.Setenv("PGPASSWORD", "swordfish")
	port, _ := b.postgresServer()
	t.Setenv("PGPORT", port)
	recording := recordingOf(t, "postgresql")
	b.prepare("shell", "bash", "-c", `
		sql() { psql -h 127.0.0.1 -U shop -X -q postgres "$@"; }
		sql -c 'CREATE TABLE users (id int PRIMARY KEY, name text)' -c "INSERT INTO users VALUES (1, 'alice')"
		printf '2\tbob\n3\tcarol\n' | sql -c 'COPY users FROM STDIN'
		sql -c 'COPY users TO STDOUT'
		sql -c "SELECT * FROM users WHERE name = 'alice'; SELECT nope FROM users"
		sql -c 'SELECT repeat(name, 5000) FROM users' >/dev/null
		PGPASSWORD=wrong sql -c 'SELECT 1'
		timeout -s INT 5 psql -h 127.0.0.1 -U shop -X postgres -c 'SELECT pg_sleep(20)'
		true`)
	r := b.trace(func(c *Config) { c.Record, c.RecordPayload = recording, true })
	assert.Zero(t, r.stats.losses.Get(loss.StreamGap))
	assert.Zero(t, r.stats.losses.Get(loss.MalformedMessage))
	b.pairs().assertLinked(t)
	live := text(b.sink.AllTraces())
	for _, want := range []string{
		"startup - ", "INSERT users INSERT INTO users VALUES (?, ?)", "COPY users", "42703", "28P01", "cancel", "57014",
		"SELECT users SELECT users SELECT * FROM users WHERE name = ?; SELECT nope FROM users",
	} {
		assert.Contains(t, live, want)
	}
	assert.NotContains(t, dump(t, &b.sink), "alice")
	var again consumertest.TracesSink
	replay(t, recording, &again)
	assert.Equal(t, live, text(again.AllTraces()))
}
