package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/seqlink/seqlink/test/internal/collector"
)

// serverNames are the servers that can be measured, in order.
var serverNames = []string{"nginx", "redis", "go", "node"}

// server is a running server.
type server struct {
	name, address string
	cmd           *exec.Cmd
	dir           string
	// http tells whether its requests become spans.
	http bool
	// pinned says that it and its load have a CPU each.
	pinned bool
}

const nginxConfig = `
worker_processes 1;
daemon off;
pid %[1]s/nginx.pid;
error_log %[1]s/error.log;
events { worker_connections 1024; }
http {
  access_log off;
  keepalive_requests 1000000000;
  client_body_temp_path %[1]s/body;
  proxy_temp_path %[1]s/proxy;
  fastcgi_temp_path %[1]s/fastcgi;
  uwsgi_temp_path %[1]s/uwsgi;
  scgi_temp_path %[1]s/scgi;
  server {
    listen %[2]s;
    location / { return 200 "hello world\n"; }
  }
}
`

// startServer runs a server on a free port of loopback and waits until it listens.
func startServer(name string, pinned bool) (s *server, err error) {
	s = &server{name: name, address: collector.FreeAddress(), http: name != "redis", pinned: pinned}
	if s.dir, err = os.MkdirTemp("", "seqlink-overhead-"); err != nil {
		return nil, err
	}
	if s.cmd, err = s.command(); err == nil {
		err = s.start()
	}
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(s.dir))
	}
	return s, nil
}

func (s *server) command() (*exec.Cmd, error) {
	_, port, err := net.SplitHostPort(s.address)
	if err != nil {
		return nil, err
	}
	switch s.name {
	case "nginx":
		config := filepath.Join(s.dir, "nginx.conf")
		err := os.WriteFile(config, fmt.Appendf(nil, nginxConfig, s.dir, s.address), 0o600)
		return exec.Command("/usr/sbin/nginx", "-c", config), err
	case "redis":
		return exec.Command("redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "", "--dir", s.dir), nil
	case "go":
		binary := filepath.Join(s.dir, "hello")
		if out, err := exec.Command("go", "build", "-o", binary, "./test/overhead/hello").CombinedOutput(); err != nil {
			return nil, fmt.Errorf("build the Go server (run from the repository's root): %w: %s", err, out)
		}
		return exec.Command(binary, s.address), nil
	default:
		return exec.Command("node", "test/overhead/hello/server.js", port), nil
	}
}

func (s *server) start() error {
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := s.startCommand(s.cmd, serverCPU); err != nil {
		return err
	}
	for range 100 {
		conn, err := net.DialTimeout("tcp", s.address, time.Second)
		if err == nil {
			return conn.Close()
		}
		time.Sleep(50 * time.Millisecond)
	}
	return errors.Join(fmt.Errorf("%s does not listen after 5 s", s.name), s.stop())
}

// stop ends the server and removes its files.
func (s *server) stop() error {
	err := s.cmd.Process.Signal(syscall.SIGTERM)
	_ = s.cmd.Wait() // it ends by the signal
	return errors.Join(err, os.RemoveAll(s.dir))
}

// pids are the server's processes: the one that was started and its children.
func (s *server) pids() []int {
	all := []int{s.cmd.Process.Pid}
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", all[0], all[0]))
	if err != nil {
		return all // a kernel without CONFIG_PROC_CHILDREN
	}
	for pid := range strings.FieldsSeq(string(children)) {
		if n, err := strconv.Atoi(pid); err == nil {
			all = append(all, n)
		}
	}
	return all
}

// cpu is the CPU time that the server has used.
func (s *server) cpu() (total time.Duration, err error) {
	for _, pid := range s.pids() {
		used, err := runTime(pid)
		if err != nil {
			return 0, err
		}
		total += used
	}
	return total, nil
}

// runTime is how long a process's threads have run, by the scheduler's clock: the ticks
// of /proc/PID/stat miss threads that sleep before the next tick.
func runTime(pid int) (total time.Duration, err error) {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil {
		return 0, err
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
			continue // the thread has ended
		}
		if err != nil {
			return 0, err
		}
		running, _, _ := strings.Cut(string(text), " ")
		nanoseconds, err := strconv.ParseInt(running, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", file, err)
		}
		total += time.Duration(nanoseconds)
	}
	return total, nil
}
