package ebpfspanreceiver

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer/consumertest"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/loss"
)

// mariadbServer starts a real one with a user "shop", and returns its port and its socket.
func (b *bench) mariadbServer(args ...string) (port, socket string) {
	b.t.Helper()
	install, err := exec.LookPath("mariadb-install-db")
	require.NoError(b.t, err, "install mariadb-server-core: make test-needs does")
	dir, err := os.MkdirTemp("", "seqlink-mariadb-")
	require.NoError(b.t, err)
	b.t.Cleanup(func() { _ = os.RemoveAll(dir) })
	data, socket := filepath.Join(dir, "data"), filepath.Join(dir, "socket")
	output, err := exec.Command(install, "--no-defaults", "--datadir="+data, "--user=root", "--skip-test-db",
		"--auth-root-authentication-method=normal", "--innodb-log-file-size=4M").CombinedOutput()
	require.NoError(b.t, err, string(output))
	first := filepath.Join(dir, "first.sql")
	require.NoError(b.t, os.WriteFile(first, []byte("CREATE DATABASE shop;\nCREATE USER shop@localhost IDENTIFIED BY 'swordfish';\nGRANT ALL ON shop.* TO shop@localhost;\n"), 0o600))
	port = freePort(b.t)
	b.t.Cleanup(func() { awaitEnd(b.t, filepath.Join(dir, "pid")) }) // once it was told to end
	b.start("mariadb", "/usr/sbin/mariadbd", append([]string{
		"--no-defaults", "--datadir=" + data, "--user=root", "--bind-address=127.0.0.1", "--port=" + port,
		"--socket=" + socket, "--init-file=" + first, "--pid-file=" + filepath.Join(dir, "pid"), "--innodb-log-file-size=4M", "--innodb-flush-log-at-trx-commit=0",
	}, args...)...)
	awaitListening(b.t, port)
	return port, socket
}

// Real clients in threads and a real server: each statement is one span at both ends, linked by where
// it was written alone.
func TestMySQLBothEnds(t *testing.T) {
	const script = `
import sys, threading
import pymysql

def work(number):
    where = {"unix_socket": sys.argv[2]} if len(sys.argv) > 2 else {"host": "127.0.0.1", "port": int(sys.argv[1])}
    db = pymysql.connect(user="shop", password="swordfish", database="shop", autocommit=True, **where)
    with db.cursor() as cursor:
        for n in range(25):
            cursor.execute("SELECT name FROM users WHERE id = %s", (n,))
            cursor.fetchall()
            cursor.execute("UPDATE users SET name = 'alice' WHERE id = %s", (n,))
    db.close()

threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
for t in threads:
    t.start()
for t in threads:
    t.join()
`
	b := newBench(t)
	port, socket := b.mariadbServer()
	mariadb(t, port, "CREATE TABLE users (id int PRIMARY KEY, name text); INSERT INTO users VALUES (1, 'bob'), (2, 'carol')")
	server := b.servers
	path := filepath.Join(t.TempDir(), "client.py")
	require.NoError(t, os.WriteFile(path, []byte(script), 0o600))
	for name, args := range map[string][]string{"TCP": {path, port}, "Unix socket": {path, port, socket}} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.servers = server
			b.prepare("threads", "/usr/bin/python3", args...)
			r := b.trace(nil)
			p := b.pairs()
			assert.GreaterOrEqual(t, len(p.clients), 4*(1+25*2))
			p.assertLinked(t)
			for _, reason := range []loss.Reason{loss.StreamGap, loss.MalformedMessage, loss.HeadTooLong, loss.ProtocolUnknown} {
				assert.Zero(t, r.stats.losses.Get(reason), reason)
			}
			live := text(b.sink.AllTraces())
			for _, want := range []string{"login", "SELECT users", "UPDATE users SET name = ? WHERE id = ?"} {
				assert.Contains(t, live, want)
			}
			assert.NotContains(t, dump(t, &b.sink), "alice")
		})
	}
}

// mariadb runs statements that are not traced.
func mariadb(t *testing.T, port, statements string) {
	t.Helper()
	output, err := exec.Command("mariadb", "--no-defaults", "-h", "127.0.0.1", "-P", port, "-u", "shop", "-pswordfish", "-e", statements, "shop").CombinedOutput()
	require.NoError(t, err, string(output))
}

// What a session does and says, at both ends; its recording gives the same again.
func TestMySQLSession(t *testing.T) {
	b := newBench(t)
	port, _ := b.mariadbServer()
	t.Setenv("PORT", port)
	recording := recordingOf(t, "mysql")
	b.prepare("shell", "bash", "-c", `
		sql() { mariadb --no-defaults -h 127.0.0.1 -P "$PORT" -u shop "$@"; }
		sql -pswordfish shop -e "CREATE TABLE users (id int PRIMARY KEY, name text); INSERT INTO users VALUES (1, 'alice'), (2, 'bob'); SELECT * FROM users WHERE name = 'alice'"
		printf '3\tcarol\n' >file; sql -pswordfish --local-infile shop -e "LOAD DATA LOCAL INFILE 'file' INTO TABLE users"
		sql -pswordfish -e "USE shop; SELECT nope FROM users"
		sql -pswordfish shop -e 'SELECT repeat(name, 5000), seq FROM users, seq_1_to_50' >/dev/null
		sql -pswordfish shop -e "PREPARE s FROM 'SELECT name FROM users WHERE id = ?'; SET @a = 1; EXECUTE s USING @a"
		sql -pwrong shop -e 'SELECT 1'
		timeout -s KILL 0.5 mariadb --no-defaults -h 127.0.0.1 -P "$PORT" -u shop -pswordfish -e 'SELECT sleep(2)'
		sleep 2`)
	r := b.trace(func(c *Config) { c.Record, c.RecordPayload = recording, true })
	assert.Zero(t, r.stats.losses.Get(loss.StreamGap))
	assert.Zero(t, r.stats.losses.Get(loss.MalformedMessage))
	b.pairs().assertLinked(t)
	live := text(b.sink.AllTraces())
	for _, want := range []string{
		"login", "INSERT users INSERT INTO users VALUES (?, ?), (?, ?)", "LOAD users", "1054", "1045", "process_exited",
		"SELECT users SELECT * FROM users WHERE name = ?", "USE",
	} {
		assert.Contains(t, live, want)
	}
	assert.NotContains(t, dump(t, &b.sink), "alice")
	var again consumertest.TracesSink
	replay(t, recording, &again)
	assert.Equal(t, live, text(again.AllTraces()))
}
