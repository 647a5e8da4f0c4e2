package crash

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const defaultBinary = "../../bin/otelcol-seqlink"

func collectorBinary(t *testing.T) string {
	t.Helper()
	path := os.Getenv("SEQLINK_BIN")
	if path == "" {
		path = defaultBinary
	}
	path, err := filepath.Abs(path)
	require.NoError(t, err)
	_, err = os.Stat(path)
	require.NoError(t, err, "no collector to test: run `make build` first, or set SEQLINK_BIN to its path")
	return path
}

const collectorConfig = `
receivers:
  otlp: {protocols: {grpc: {endpoint: %q}}}
processors:
  seqlink: {db_path: %q, window: %v}
exporters:
  otlp_grpc:
    endpoint: %q
    compression: none
    tls: {insecure: true}
    sending_queue: {enabled: false}
    retry_on_failure: {enabled: false}
service:
  telemetry:
    logs: {level: warn}
    metrics: {readers: [{pull: {exporter: {prometheus: {host: 127.0.0.1, port: %d}}}}]}
  pipelines:
    traces: {receivers: [otlp], processors: [seqlink], exporters: [otlp_grpc]}
`

// collector is the built binary on one store, which can be killed and started again.
type collector struct {
	t                *testing.T
	config, log      string
	endpoint, metric string
	cmd              *exec.Cmd
	exited           chan error
}

// newCollector describes a collector that takes OTLP and hands over to sink.
func newCollector(t *testing.T, db, sink string, window time.Duration) *collector {
	c := &collector{t: t, endpoint: freeAddress(t), metric: freeAddress(t)}
	_, port, err := net.SplitHostPort(c.metric)
	require.NoError(t, err)
	var number int
	_, err = fmt.Sscan(port, &number)
	require.NoError(t, err)
	dir := t.TempDir()
	c.config, c.log = filepath.Join(dir, "config.yaml"), filepath.Join(dir, "log")
	text := fmt.Sprintf(collectorConfig, c.endpoint, db, window, sink, number)
	require.NoError(t, os.WriteFile(c.config, []byte(text), 0o600))
	t.Cleanup(c.kill)
	return c
}

func freeAddress(t *testing.T) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	return listener.Addr().String()
}

// launch starts the collector without waiting for it.
func (c *collector) launch() {
	c.t.Helper()
	log, err := os.OpenFile(c.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	require.NoError(c.t, err)
	defer log.Close()
	c.cmd = exec.Command(collectorBinary(c.t), "--config", c.config)
	c.cmd.Stdout, c.cmd.Stderr = log, log
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	require.NoError(c.t, c.cmd.Start())
	exited := make(chan error, 1)
	c.exited = exited
	cmd := c.cmd
	go func() { exited <- cmd.Wait() }()
}

// start starts the collector and waits until it takes spans.
func (c *collector) start() {
	c.t.Helper()
	c.launch()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); {
		select {
		case err := <-c.exited:
			c.cmd = nil
			require.FailNow(c.t, "the collector ended", "%v\n%s", err, c.output())
		case <-time.After(20 * time.Millisecond):
		}
		if conn, err := net.DialTimeout("tcp", c.endpoint, time.Second); err == nil {
			require.NoError(c.t, conn.Close())
			return
		}
	}
	require.FailNow(c.t, "the collector does not listen", c.output())
}

// refuses starts the collector and returns what it says as it gives up.
func (c *collector) refuses() string {
	c.t.Helper()
	c.launch()
	select {
	case err := <-c.exited:
		c.cmd = nil
		require.Error(c.t, err)
	case <-time.After(time.Minute):
		require.FailNow(c.t, "the collector runs", c.output())
	}
	return c.output()
}

// kill ends the collector with SIGKILL.
func (c *collector) kill() { c.end(syscall.SIGKILL) }

// stop ends the collector politely.
func (c *collector) stop() { c.end(syscall.SIGTERM) }

func (c *collector) end(signal syscall.Signal) {
	if c.cmd == nil {
		return
	}
	require.NoError(c.t, c.cmd.Process.Signal(signal))
	select {
	case <-c.exited:
	case <-time.After(time.Minute):
		_ = c.cmd.Process.Kill()
		require.FailNow(c.t, "the collector does not end", c.output())
	}
	c.cmd = nil
}

// running tells whether the collector has not ended by itself.
func (c *collector) running() bool {
	select {
	case err := <-c.exited:
		c.exited <- err
		return false
	default:
		return true
	}
}

func (c *collector) output() string {
	text, err := os.ReadFile(c.log)
	require.NoError(c.t, err)
	return string(text)
}

// counter returns the sum of one of the linker's own metrics.
func (c *collector) counter(name string) (sum float64) {
	c.t.Helper()
	for line := range strings.Lines(fetch(c.t, "http://"+c.metric+"/metrics")) {
		if key, value, ok := strings.Cut(line, " "); ok && strings.HasPrefix(key, "otelcol_processor_seqlink_"+name) {
			var n float64
			_, err := fmt.Sscan(value, &n)
			require.NoError(c.t, err)
			sum += n
		}
	}
	return sum
}
