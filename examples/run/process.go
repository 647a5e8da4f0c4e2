// Package run starts the example services, the collector and load for them, for the
// demo and for the end-to-end tests. Whatever it starts it ends, by process id.
package run

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// grace is how long a process may take to end when asked to.
const grace = time.Minute

// Command says what to start.
type Command struct {
	// Name is used in messages and for the log's file name.
	Name string
	// Path is the executable, Args its arguments.
	Path string
	Args []string
	// Env is added to this process's environment.
	Env []string
	// Dir takes the log, and is the working directory.
	Dir string
	// Stdout takes the standard output instead of the log.
	Stdout io.Writer
}

// Process is a started Command.
type Process struct {
	name string
	cmd  *exec.Cmd
	log  string
	done chan struct{}
	err  error
}

// Start starts a process, in a process group of its own so that a Ctrl-C in the
// terminal reaches only this program, which then ends the others in order.
func (c Command) Start() (*Process, error) {
	log := filepath.Join(c.Dir, c.Name+".log")
	output, err := os.Create(log)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", c.Name, err)
	}
	defer output.Close()
	cmd := exec.Command(c.Path, c.Args...)
	cmd.Dir = c.Dir
	cmd.Env = append(os.Environ(), c.Env...)
	cmd.Stdout, cmd.Stderr = output, output
	if c.Stdout != nil {
		cmd.Stdout = c.Stdout
	}
	cmd.SysProcAttr = attributes()
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", c.Name, err)
	}
	p := &Process{name: c.Name, cmd: cmd, log: log, done: make(chan struct{})}
	go p.wait()
	return p, nil
}

func (p *Process) wait() {
	p.err = p.cmd.Wait()
	close(p.done)
}

// PID returns the process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Ended is closed when the process has ended.
func (p *Process) Ended() <-chan struct{} { return p.done }

// Stop asks the process to end, and kills it and the group it leads where it does
// not. The error tells of an end that was not in good order.
func (p *Process) Stop() error {
	select {
	case <-p.done:
		return p.failure("ended early")
	default:
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop %s: %w", p.name, err)
	}
	select {
	case <-p.done:
		return nil
	case <-time.After(grace):
	}
	_ = syscall.Kill(-p.PID(), syscall.SIGKILL)
	<-p.done
	return p.failure(fmt.Sprintf("did not end within %s of SIGTERM", grace))
}

func (p *Process) failure(what string) error {
	return fmt.Errorf("%s %s (%v); its log ends:\n%s", p.name, what, p.err, p.LogTail()) //nolint:errorlint // nil where it ended well
}

// LogTail returns the last lines of the process's log.
func (p *Process) LogTail() string {
	const lines = 15
	text, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
