package collector

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
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Options say what is run and where.
type Options struct {
	// Binary is the collector's path, absolute.
	Binary string
	// Dir is its working directory, into which its configuration and log go.
	Dir string
	// Config is its configuration, Environment what it gets beside the caller's.
	Config      string
	Environment []string
	// Ready tells when it is: the address (host:port) where it listens then, or a URL
	// that is answered with success then.
	Ready string
	// Metrics and Pprof are the addresses of its own metrics and of its profiles; empty
	// for none.
	Metrics, Pprof string
}

// Collector is a running collector.
type Collector struct {
	options Options
	cmd     *exec.Cmd
	// exited is closed when the process ended, with result.
	exited chan struct{}
	result error
}

// Start runs a collector and waits until it is ready. It ends with the caller.
func Start(options Options) (*Collector, error) {
	c := &Collector{options: options, exited: make(chan struct{})}
	config := filepath.Join(options.Dir, "config.yaml")
	if err := os.WriteFile(config, []byte(options.Config), 0o600); err != nil {
		return nil, err
	}
	log, err := os.OpenFile(c.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	c.cmd = exec.Command(options.Binary, "--config", config)
	c.cmd.Dir = options.Dir
	c.cmd.Stdout, c.cmd.Stderr = log, log
	c.cmd.Env = append(os.Environ(), options.Environment...)
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		c.result = c.cmd.Wait()
		close(c.exited)
	}()
	if err := c.waitReady(); err != nil {
		c.Kill()
		return nil, err
	}
	return c, nil
}

// FreeAddress returns a loopback address where nobody listens.
func FreeAddress() string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err) // no loopback
	}
	defer listener.Close()
	return listener.Addr().String()
}

// Telemetry is the configuration of a collector's own metrics at an address, in YAML's
// flow style, for the key service::telemetry.
func Telemetry(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		panic(err) // not an address
	}
	return fmt.Sprintf("{logs: {level: warn}, metrics: {level: normal, readers: [{pull: {exporter: {prometheus: "+
		"{host: %s, port: %s, without_type_suffix: true, without_units: true}}}}]}}", host, port)
}

func (c *Collector) logFile() string { return filepath.Join(c.options.Dir, "collector.log") }

func (c *Collector) waitReady() error {
	for range 1200 {
		select {
		case <-c.exited:
			log, _ := os.ReadFile(c.logFile())
			return fmt.Errorf("the collector ended: %w: %s", c.result, log)
		case <-time.After(50 * time.Millisecond):
		}
		if c.ready() {
			return nil
		}
	}
	return errors.New("the collector is not ready after 60 s")
}

func (c *Collector) ready() bool {
	if !strings.HasPrefix(c.options.Ready, "http://") {
		conn, err := net.DialTimeout("tcp", c.options.Ready, time.Second)
		return err == nil && conn.Close() == nil
	}
	response, err := scrapeClient.Get(c.options.Ready)
	return err == nil && response.Body.Close() == nil && response.StatusCode == http.StatusOK
}

// PID is the id of the collector's process.
func (c *Collector) PID() int { return c.cmd.Process.Pid }

// Stop ends the collector with a signal and waits for its end.
func (c *Collector) Stop(signal os.Signal) error {
	if err := c.cmd.Process.Signal(signal); err != nil {
		return err
	}
	select {
	case <-c.exited:
		return nil
	case <-time.After(60 * time.Second):
		c.Kill()
		return errors.New("the collector did not end within 60 s")
	}
}

// Kill ends the collector at once and waits for its end. It may be called again.
func (c *Collector) Kill() {
	_ = c.cmd.Process.Kill() // it may have ended
	<-c.exited
}

// clockTick is the unit of /proc/PID/stat's times (USER_HZ, 100 on Linux).
const clockTick = 10 * time.Millisecond

// CPU returns the CPU time that the collector has used.
func (c *Collector) CPU() (time.Duration, error) { return CPU(c.PID()) }

// CPU returns the CPU time that a process has used, to 10 ms.
func CPU(pid int) (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// Fields 14 and 15, counted behind the name in parentheses (proc(5)).
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	user, err1 := strconv.ParseInt(fields[11], 10, 64)
	system, err2 := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * clockTick, errors.Join(err1, err2)
}

// Memory is how much of a process is resident, in MiB: all, without pages of files, those
// alone, and the most that there was since its start.
type Memory struct{ All, Anonymous, File, Peak float64 }

// Memory returns what is resident of the collector.
func (c *Collector) Memory() (Memory, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.PID()))
	if err != nil {
		return Memory{}, err
	}
	return parseMemory(string(status))
}

// parseMemory reads the text of /proc/PID/status (proc(5)).
func parseMemory(status string) (m Memory, err error) {
	for name, to := range map[string]*float64{"VmRSS": &m.All, "RssAnon": &m.Anonymous, "RssFile": &m.File, "VmHWM": &m.Peak} {
		kib, _, _ := strings.Cut(FieldOf(status, name), " ")
		*to, err = strconv.ParseFloat(kib, 64)
		if err != nil {
			return m, fmt.Errorf("%s in /proc/PID/status: %w", name, err)
		}
		*to /= 1024
	}
	return m, nil
}

// FieldOf returns the value of the first line "name : value", as in /proc.
func FieldOf(text, name string) string {
	for line := range strings.Lines(text) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// Machine describes this machine: processors, kernel, Go.
func Machine() string {
	model := "unknown processor"
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		model = FieldOf(string(info), "model name")
	}
	kernel, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	return fmt.Sprintf("%d × %s, Linux %s, %s", runtime.NumCPU(), model, strings.TrimSpace(string(kernel)), runtime.Version())
}

// scrapeClient gives a collector that is short of CPU time to answer.
var scrapeClient = http.Client{Timeout: 30 * time.Second}

// Scrape returns the collector's own metrics.
func (c *Collector) Scrape() (Metrics, error) {
	response, err := scrapeClient.Get("http://" + c.options.Metrics + "/metrics")
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return ParseMetrics(string(body)), err
}

// Profile stores a CPU profile of some seconds.
func (c *Collector) Profile(ctx context.Context, path string, seconds int) error {
	url := fmt.Sprintf("http://%s/debug/pprof/profile?seconds=%d", c.options.Pprof, seconds)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
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

// DiskBytes returns the blocks that the files below a directory take.
func DiskBytes(dir string) (bytes int64) {
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
