package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// processor is what stands between receiver and exporter; empty for nothing.
type processor struct {
	name, config string
	// holds is how long it holds a span.
	holds time.Duration
}

// collector is a running collector.
type collector struct {
	endpoint, metrics, pprof string
	cmd                      *exec.Cmd
	dir                      string
	// exited is closed when the process ended, with result.
	exited chan struct{}
	result error
}

const configTemplate = `
receivers:
  otlp:
    protocols:
      grpc: {endpoint: %q, max_recv_msg_size_mib: 64}
%s
exporters:
  otlp_grpc:
    endpoint: %q
    compression: none
    tls: {insecure: true}
    sending_queue: %s
    retry_on_failure: {enabled: false}
extensions:
  pprof: {endpoint: %q}
service:
  extensions: [pprof]
  telemetry:
    logs: {level: warn}
    metrics:
      level: normal
      readers: [{pull: {exporter: {prometheus: {host: 127.0.0.1, port: %s, without_type_suffix: true, without_units: true}}}}]
  pipelines:
    traces: {receivers: [otlp], processors: [%s], exporters: [otlp_grpc]}
`

// startCollector runs the binary with a processor, in dir, and waits until it listens.
func startCollector(binary, dir, sink string, p processor, environment []string) (*collector, error) {
	c := &collector{endpoint: freeAddress(), metrics: freeAddress(), pprof: freeAddress(), dir: dir, exited: make(chan struct{})}
	processors := ""
	if p.name != "" {
		processors = fmt.Sprintf("processors:\n  %s:\n%s", p.name, p.config)
	}
	_, port, err := net.SplitHostPort(c.metrics)
	if err != nil {
		return nil, err
	}
	config := filepath.Join(dir, "config.yaml")
	text := fmt.Sprintf(configTemplate, c.endpoint, processors, sink, p.sendingQueue(), c.pprof, port, p.name)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return nil, err
	}
	log, err := os.OpenFile(filepath.Join(dir, "collector.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	c.cmd = exec.Command(binary, "--config", config)
	c.cmd.Dir = dir
	c.cmd.Stdout, c.cmd.Stderr = log, log
	c.cmd.Env = append(os.Environ(), environment...)
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		c.result = c.cmd.Wait()
		close(c.exited)
	}()
	if err := c.waitReady(); err != nil {
		c.kill()
		return nil, err
	}
	return c, nil
}

func freeAddress() string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err) // no loopback
	}
	defer listener.Close()
	return listener.Addr().String()
}

func (c *collector) waitReady() error {
	for range 1200 {
		select {
		case <-c.exited:
			log, _ := os.ReadFile(filepath.Join(c.dir, "collector.log"))
			return fmt.Errorf("the collector ended: %w: %s", c.result, log)
		case <-time.After(50 * time.Millisecond):
		}
		conn, err := net.DialTimeout("tcp", c.endpoint, time.Second)
		if err == nil {
			return conn.Close()
		}
	}
	return errors.New("the collector does not listen after 60 s")
}

// stop ends the collector with a signal and waits for its end.
func (c *collector) stop(signal os.Signal) error {
	if err := c.cmd.Process.Signal(signal); err != nil {
		return err
	}
	select {
	case <-c.exited:
		return nil
	case <-time.After(60 * time.Second):
		c.kill()
		return errors.New("the collector did not end within 60 s")
	}
}

// kill ends the collector at once and waits for its end. It may be called again.
func (c *collector) kill() {
	_ = c.cmd.Process.Kill() // it may have ended
	<-c.exited
}

// clockTick is the unit of /proc/PID/stat's times (USER_HZ, 100 on Linux).
const clockTick = 10 * time.Millisecond

// cpu returns the CPU time that the collector has used.
func (c *collector) cpu() (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", c.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	// Fields 14 and 15, counted behind the name in parentheses (proc(5)).
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	user, err1 := strconv.ParseInt(fields[11], 10, 64)
	system, err2 := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * clockTick, errors.Join(err1, err2)
}

// memory is how much of a process is resident, in MiB: all, without pages of files, those
// alone, and the most that there was since its start.
type memory struct{ all, anonymous, file, peak float64 }

// memory returns what is resident of the collector.
func (c *collector) memory() (memory, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.cmd.Process.Pid))
	if err != nil {
		return memory{}, err
	}
	return parseMemory(string(status))
}

// parseMemory reads the text of /proc/PID/status (proc(5)).
func parseMemory(status string) (m memory, err error) {
	for name, to := range map[string]*float64{"VmRSS": &m.all, "RssAnon": &m.anonymous, "RssFile": &m.file, "VmHWM": &m.peak} {
		kib, _, _ := strings.Cut(fieldOf(status, name), " ")
		*to, err = strconv.ParseFloat(kib, 64)
		if err != nil {
			return m, fmt.Errorf("%s in /proc/PID/status: %w", name, err)
		}
		*to /= 1024
	}
	return m, nil
}

// scrapeClient gives a collector that is short of CPU time to answer.
var scrapeClient = http.Client{Timeout: 30 * time.Second}

// scrape returns the collector's own metrics.
func (c *collector) scrape() (metrics, error) {
	response, err := scrapeClient.Get("http://" + c.metrics + "/metrics")
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return parseMetrics(string(body)), err
}

// profile stores a CPU profile of some seconds.
func (c *collector) profile(ctx context.Context, path string, seconds int) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://%s/debug/pprof/profile?seconds=%d", c.pprof, seconds), nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = io.Copy(file, response.Body)
	return err
}

// diskBytes returns the blocks that the files below a directory take.
func diskBytes(dir string) (bytes int64) {
	_ = filepath.WalkDir(dir, func(_ string, e os.DirEntry, err error) error {
		if err != nil {
			return nil //nolint:nilerr // files come and go
		}
		if info, err := e.Info(); err == nil {
			bytes += info.Sys().(*syscall.Stat_t).Blocks * 512
		}
		return nil
	})
	return bytes
}
