package identity

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Unix sockets have no sequence numbers, but both ends are here.
func TestUnixSockets(t *testing.T) {
	t.Parallel()
	for name, x := range map[string]exchange{
		"new connections":   {},
		"older connections": {before: batch{First: 1, Requests: 500, Body: 12345, Response: 54321}},
		"large bodies":      {batch: batch{First: 1000, Requests: 200, Body: 1 << 20, Response: 1 << 20}},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "server.sock")
			x.server, x.client = serverOptions{Network: "unix", Listen: path}, fewClients
			if x.batch.Requests == 0 {
				x.batch = few
			}
			spans, _, _ := x.run(t)
			assert.Equal(t, []string{path}, peers(spans, true))
			assert.Equal(t, []string{""}, peers(spans, false), "the client's end has no path")
			for _, s := range spans {
				require.Equal(t, "unix", s.Transport)
			}
		})
	}
	t.Run("abstract", func(t *testing.T) {
		name := "@" + marker()
		spans, _, _ := exchange{
			server: serverOptions{Network: "unix", Listen: name}, client: fewClients, batch: few,
		}.run(t)
		assert.Equal(t, []string{name}, peers(spans, true))
	})
}

// One end alone is watched at first, then both: their counters agree again.
func TestUnixSocketWatchedLater(t *testing.T) {
	t.Parallel()
	needRoot(t)
	for _, first := range []string{"client", "server"} {
		t.Run(first, func(t *testing.T) { scenario(t, nil, "unix_later_"+first, 50) })
	}
}

// What one process holds of TCP, it holds of Unix sockets.
func TestUnixDescriptors(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"unix_pair", "unix_early", "unix_duplicates", "unix_passed", "unix_forked", "unix_half_closed"} {
		t.Run(name, func(t *testing.T) { scenario(t, nil, name, 40) })
	}
}

const nginxConfig = `
daemon off;
worker_processes 1;
pid %[1]s/nginx.pid;
error_log %[1]s/error.log;
events {}
http {
	access_log off;
	%[3]s
	upstream application { server unix:%[1]s/gunicorn.sock; %[4]s }
	server {
		listen 127.0.0.1:%[2]d;
		location / {
			proxy_pass http://application;
			proxy_http_version 1.1;
			proxy_set_header Connection "";
		}
	}
}
`

// nginx calls gunicorn through a Unix socket: the links are as exact as over TCP, with a
// connection for each request and with kept ones.
func TestNginxToGunicorn(t *testing.T) {
	needRoot(t)
	t.Parallel()
	for name, tt := range map[string]struct{ worker, upstream string }{
		"connection each": {"sync", ""},
		"kept":            {"gthread", "keepalive 8;"},
	} {
		t.Run(name, func(t *testing.T) { nginxToGunicorn(t, tt.worker, tt.upstream) })
	}
}

func nginxToGunicorn(t *testing.T, worker, upstream string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "seqlink-identity-")
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, os.RemoveAll(dir)) })
	require.NoError(t, os.Chmod(dir, 0o755))
	socket := filepath.Join(dir, "gunicorn.sock")
	gunicorn := service(t, "/usr/bin/gunicorn", "--bind", "unix:"+socket, "--workers", "2", "--worker-class", worker,
		"--threads", "4", "--worker-tmp-dir", dir, "--chdir", mustAbs(t, "testdata"), "--log-level", "error", "application:application")
	port := freePort(t)
	config := filepath.Join(dir, "nginx.conf")
	require.NoError(t, os.WriteFile(config, fmt.Appendf(nil, nginxConfig, dir, port, temporaryPaths(dir), upstream), 0o600))
	nginx := service(t, "/usr/sbin/nginx", "-p", dir, "-c", config, "-e", filepath.Join(dir, "error.log"))
	url := fmt.Sprintf("http://127.0.0.1:%d/", port)
	require.Eventually(t, func() bool { return get(url+"0") == nil }, 20*time.Second, 20*time.Millisecond, "nginx and gunicorn do not answer")

	a := startAgent(t, agentOptions{PIDs: append(family(t, nginx, 1), family(t, gunicorn, 2)...)})
	const first, requests = 1000, 200
	for n := range requests {
		require.NoError(t, get(url+strconv.Itoa(first+n)))
	}
	a.await(3 * requests)
	spans, losses := a.finish()
	// nginx's own server spans have the parent of a client that is not traced.
	var within []seen
	for _, s := range spans {
		if s.Transport == "unix" {
			within = append(within, s)
		}
	}
	got := compare(within, first, requests)
	t.Log(got)
	assert.Equal(t, outcome{requests: requests, matched: requests, clients: requests, servers: requests}, got)
	assert.Equal(t, []string{socket}, peers(within, true))
	assert.Len(t, spans, 3*requests)
	for reason, n := range losses {
		assert.Zero(t, n, "losses: %s", reason)
	}
}

func get(url string) error {
	answer, err := http.Get(url)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, answer.Status)
	}
	return nil
}

// temporaryPaths keeps nginx's working files in the test's folder.
func temporaryPaths(dir string) string {
	var paths strings.Builder
	for _, name := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		fmt.Fprintf(&paths, "%s_temp_path %s/%s;\n", name, dir, name)
	}
	return paths.String()
}

// service starts a program that is ended by its process id.
func service(t *testing.T, command ...string) *exec.Cmd {
	t.Helper()
	require.FileExists(t, command[0], "install "+filepath.Base(command[0]))
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	cmd.SysProcAttr = ending()
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		assert.NoError(t, cmd.Process.Signal(os.Interrupt))
		_ = cmd.Wait()
	})
	return cmd
}

// ending has a service end with the test.
func ending() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM} }

func freePort(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}

func mustAbs(t *testing.T, path string) string {
	t.Helper()
	path, err := filepath.Abs(path)
	require.NoError(t, err)
	return path
}

// family returns a program and its children once it has so many: a server may answer before
// it has forked its last worker.
func family(t *testing.T, cmd *exec.Cmd, children int) (pids []int64) {
	t.Helper()
	pid := cmd.Process.Pid
	require.Eventually(t, func() bool {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
		require.NoError(t, err)
		pids = []int64{int64(pid)}
		for field := range strings.FieldsSeq(string(text)) {
			child, err := strconv.ParseInt(field, 10, 64)
			require.NoError(t, err)
			pids = append(pids, child)
		}
		return len(pids) == 1+children
	}, 20*time.Second, 20*time.Millisecond, "%s does not start %d workers", cmd.Path, children)
	return pids
}
