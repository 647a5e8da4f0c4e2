package ebpfspanreceiver

import (
	"crypto/x509"
	"encoding/pem"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/loss"
)

// certificate writes a server's certificate and its key into a folder, for the folder's owner.
func certificate(t *testing.T, dir string) (cert, key string) {
	t.Helper()
	s := httptest.NewTLSServer(nil)
	defer s.Close()
	pair := s.TLS.Certificates[0]
	private, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	require.NoError(t, err)
	info, err := os.Stat(dir)
	require.NoError(t, err)
	owner := info.Sys().(*syscall.Stat_t)
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
		require.NoError(t, os.Chown(path, int(owner.Uid), int(owner.Gid)))
		return path
	}
	return write("server.crt", "CERTIFICATE", pair.Certificate[0]), write("server.key", "PRIVATE KEY", private)
}

// reports are what the log says of connections that cannot be read: the executable's name, what hides
// them, and the option.
func reports(logs *observer.ObservedLogs) (all []string) {
	for _, entry := range logs.FilterMessageSnippet("cannot be read, so").All() {
		m := entry.ContextMap()
		all = append(all, m["executable"].(string)+", "+m["protocol"].(string)+": "+m["hidden_by"].(string)+", "+m["option"].(string))
	}
	return all
}

// Connections of PostgreSQL that turn to TLS are counted, and each program is told of once, although each
// connection is a process of its own at both ends. What the same clients say in plaintext has spans.
func TestPostgreSQLUnderTLS(t *testing.T) {
	b := newBench(t)
	port, dir := b.postgresServer()
	certificate(t, filepath.Join(dir, "data"))
	t.Setenv("PGPASSWORD", "swordfish")
	t.Setenv("PGPORT", port)
	output, err := exec.Command("psql", "-h", "127.0.0.1", "-U", "shop", "-X", "-q", "postgres", "-c", "ALTER SYSTEM SET ssl = on", "-c", "SELECT pg_reload_conf()").CombinedOutput()
	require.NoError(t, err, string(output))
	core, logs := observer.New(zap.InfoLevel)
	b.logs = core
	b.prepare("shell", "bash", "-c", `set -e
		sql() { PGSSLMODE=$1 psql -h 127.0.0.1 -U shop -X -q postgres -c "$2"; }
		until sql require 'SELECT 1'; do sleep 0.1; done
		for i in 1 2 3; do sql require "SELECT 'hidden'"; done
		sql disable 'SELECT relname FROM pg_class LIMIT 1'`)
	r := b.trace(nil)
	assert.GreaterOrEqual(t, r.stats.losses.Get(loss.Encrypted), int64(2*4))
	assert.ElementsMatch(t, []string{
		"psql, postgresql: TLS, sslmode=disable", "postgres, postgresql: TLS, sslmode=disable",
	}, reports(logs))
	live := text(b.sink.AllTraces())
	assert.Contains(t, live, "SELECT pg_class")
	assert.NotContains(t, live, "hidden")
	b.pairs().assertLinked(t)
}

// The same with MariaDB, whose server is one process.
func TestMySQLUnderTLS(t *testing.T) {
	b := newBench(t)
	cert, key := certificate(t, t.TempDir())
	port, _ := b.mariadbServer("--ssl-cert="+cert, "--ssl-key="+key)
	t.Setenv("PORT", port)
	core, logs := observer.New(zap.InfoLevel)
	b.logs = core
	b.prepare("shell", "bash", "-c", `set -e
		sql() { mariadb --no-defaults -h 127.0.0.1 -P "$PORT" -u shop -pswordfish shop "$@"; }
		for i in 1 2 3; do sql --ssl -e "SELECT 'hidden'"; done
		sql --skip-ssl --compress -e "SELECT 'hidden'"
		sql --skip-ssl -e 'CREATE TABLE users (id int)'`)
	r := b.trace(nil)
	assert.EqualValues(t, 2*4, r.stats.losses.Get(loss.Encrypted))
	var want []string
	for _, program := range []string{"mariadb", "mariadbd"} {
		want = append(want, program+", mysql: TLS, ssl-mode=DISABLED; MariaDB: skip-ssl",
			program+", mysql: compression, compression-algorithms=uncompressed; MariaDB: skip-compress")
	}
	assert.ElementsMatch(t, want, reports(logs))
	live := text(b.sink.AllTraces())
	assert.Contains(t, live, "CREATE TABLE users")
	assert.NotContains(t, live, "hidden")
	b.pairs().assertLinked(t)
}
