package identity

import (
	"bufio"
	"crypto/rand"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// needRoot skips a test that cannot trace for lack of privilege. On a machine that is
// meant to run it that is a failure.
func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() == 0 {
		return
	}
	if os.Getenv("CI") != "" {
		t.Fatal("these tests trace the kernel they run on: run them as root")
	}
	t.Skip("these tests trace the kernel they run on: run them as root")
}

// process is a program that a test started. It ends with its standard input, so that
// none outlives the test, however that ends.
type process struct {
	t   *testing.T
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// self is this test binary in a role.
func self(role string, options any) []string {
	encoded, err := json.Marshal(options)
	if err != nil {
		panic(err)
	}
	return []string{"env", roleVariable + "=" + role, optionsVariable + "=" + string(encoded), os.Args[0]}
}

// start starts a program in a network namespace, nil for the test's own.
func start(t *testing.T, in *namespace, env []string, command ...string) *process {
	t.Helper()
	command = append(in.enter(), command...)
	p := &process{t: t, cmd: exec.Command(command[0], command[1:]...)}
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stderr = os.Stderr
	var err error
	p.in, err = p.cmd.StdinPipe()
	require.NoError(t, err)
	out, err := p.cmd.StdoutPipe()
	require.NoError(t, err)
	p.out = bufio.NewReaderSize(out, 64<<10)
	require.NoError(t, p.cmd.Start())
	t.Cleanup(p.stop)
	return p
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// ask sends a line to the program and returns its answer, a line as well.
func (p *process) ask(line string) string {
	p.t.Helper()
	p.tell(line)
	return p.answer()
}

func (p *process) tell(line string) {
	p.t.Helper()
	_, err := io.WriteString(p.in, line+"\n")
	require.NoError(p.t, err)
}

func (p *process) answer() string {
	p.t.Helper()
	answer, err := p.out.ReadString('\n')
	require.NoError(p.t, err, "the program ended early")
	return answer[:len(answer)-1]
}

func (p *process) stop() {
	_ = p.in.Close()
	_, _ = io.Copy(io.Discard, p.out)
	assert.NoError(p.t, p.cmd.Wait())
}

// marker is a variable that only the programs of one test have in their environment.
func marker() string { return "SEQLINK_IDENTITY_" + rand.Text() }

// counter returns a figure of the TCP stack in the namespace of p.
func (p *process) counter(protocol, name string) int {
	p.t.Helper()
	text, err := os.ReadFile("/proc/" + strconv.Itoa(p.pid()) + "/net/" + protocol)
	require.NoError(p.t, err)
	value, ok := counter(string(text), name)
	require.True(p.t, ok, name)
	return value
}
