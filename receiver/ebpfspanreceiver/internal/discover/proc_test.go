package discover

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// fakeProc is a /proc in a temporary folder.
type fakeProc struct {
	Proc
	t *testing.T
}

func newFakeProc(t *testing.T) fakeProc {
	return fakeProc{Proc: Proc{Root: t.TempDir()}, t: t}
}

// fakeProcess is what a process of a fakeProc shows.
type fakeProcess struct {
	parent  uint32
	comm    string
	exe     string
	env     []string
	cgroup  string
	started uint64
	flags   uint64
}

// put makes a process, or replaces it.
func (p fakeProc) put(pid uint32, f fakeProcess) {
	p.remove(pid)
	require.NoError(p.t, os.MkdirAll(p.Path(pid, ""), 0o755))
	stat := strings.Join([]string{
		strconv.Itoa(int(pid)), "(" + f.comm + ")", "S", strconv.Itoa(int(f.parent)), "1 1 0 -1", strconv.FormatUint(f.flags, 10),
		"0 0 0 0 0 0 0 0 20 0 1 0", strconv.FormatUint(f.started, 10), "0 0 0\n",
	}, " ")
	p.write(pid, "stat", stat)
	p.write(pid, "environ", strings.Join(f.env, "\x00")+"\x00")
	p.write(pid, "cgroup", f.cgroup)
	if f.exe != "" {
		require.NoError(p.t, os.Symlink(f.exe, p.Path(pid, "exe")))
	}
}

func (p fakeProc) write(pid uint32, name, content string) {
	require.NoError(p.t, os.WriteFile(p.Path(pid, name), []byte(content), 0o644))
}

func (p fakeProc) remove(pid uint32) {
	require.NoError(p.t, os.RemoveAll(p.Path(pid, "")))
}

func (p fakeProc) setSelf(pid uint32) {
	require.NoError(p.t, os.Symlink(strconv.Itoa(int(pid)), filepath.Join(p.Root, "self")))
}

func TestProcRead(t *testing.T) {
	id := strings.Repeat("0f", 32)
	proc := newFakeProc(t)
	proc.put(7, fakeProcess{
		parent: 1, comm: "a (b) c", exe: "/usr/bin/orders (deleted)", env: []string{"A=1", "B=x=y"},
		cgroup: "0::/docker/" + id + "\n", started: 4711,
	})
	facts, err := proc.Read(7)
	require.NoError(t, err)
	assert.Equal(t, &Facts{
		PID: 7, Parent: 1, Started: 4711, Comm: "a (b) c", Executable: "orders", Path: "/usr/bin/orders",
		Env: map[string]string{"A": "1", "B": "x=y"}, Cgroups: []string{"/docker/" + id}, ContainerID: id,
	}, facts)
}

func TestProcReadKernelThread(t *testing.T) {
	proc := newFakeProc(t)
	proc.put(9, fakeProcess{parent: 2, comm: "kworker/0:1", flags: 0x04208060, cgroup: "0::/\n"})
	facts, err := proc.Read(9)
	require.NoError(t, err)
	assert.True(t, facts.KernelThread)
	assert.Empty(t, facts.Executable)
}

func TestProcReadVanished(t *testing.T) {
	proc := newFakeProc(t)
	_, err := proc.Read(7)
	require.ErrorIs(t, err, fs.ErrNotExist)

	for _, file := range []string{"stat", "environ", "cgroup"} {
		proc.put(7, fakeProcess{comm: "x", exe: "/bin/x"})
		require.NoError(t, os.Remove(proc.Path(7, file)))
		_, err := proc.Read(7)
		require.ErrorIs(t, err, fs.ErrNotExist, file)
	}
}

func TestProcReadMalformed(t *testing.T) {
	proc := newFakeProc(t)
	for _, stat := range []string{"", "7 x S 1", "7 (x) S 1 2", "7 (x) S p 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 5 0"} {
		proc.put(7, fakeProcess{comm: "x"})
		proc.write(7, "stat", stat)
		_, err := proc.Read(7)
		require.ErrorContains(t, err, "stat of process 7", stat)
	}
}

func TestProcOwn(t *testing.T) {
	proc := newFakeProc(t)
	proc.setSelf(100)
	proc.put(1, fakeProcess{comm: "init"})
	proc.put(100, fakeProcess{parent: 1, comm: "otelcol"})
	proc.put(101, fakeProcess{parent: 100, comm: "sh"})
	proc.put(102, fakeProcess{parent: 101, comm: "sleep"})
	proc.put(200, fakeProcess{parent: 1, comm: "orders"})
	proc.put(300, fakeProcess{parent: 301, comm: "loop"})
	proc.put(301, fakeProcess{parent: 300, comm: "loop"})
	own := map[uint32]bool{}
	for _, pid := range []uint32{1, 100, 101, 102, 200, 300} {
		facts, err := proc.Read(pid)
		require.NoError(t, err)
		own[pid] = facts.Own
	}
	assert.Equal(t, map[uint32]bool{1: false, 100: true, 101: true, 102: true, 200: false, 300: false}, own)
}

func TestProcProcesses(t *testing.T) {
	proc := newFakeProc(t)
	proc.put(20, fakeProcess{})
	proc.put(3, fakeProcess{})
	require.NoError(t, os.Mkdir(filepath.Join(proc.Root, "sys"), 0o755))
	pids, err := proc.Processes()
	require.NoError(t, err)
	assert.Equal(t, []uint32{3, 20}, pids)

	_, err = Proc{Root: filepath.Join(proc.Root, "none")}.Processes()
	require.ErrorIs(t, err, fs.ErrNotExist)
}

func TestProcReal(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("no /proc here")
	}
	command := exec.Command("sleep", "60")
	command.Env = []string{"SEQLINK_SERVICE=sleeper"}
	require.NoError(t, command.Start())
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	})
	pid := uint32(command.Process.Pid)
	// The kernel lets Start return a moment before it has set the new environment up.
	require.Eventually(t, func() bool {
		facts, err := Proc{}.Read(pid)
		return err == nil && len(facts.Env) > 0
	}, 10*time.Second, time.Millisecond)
	facts, err := Proc{}.Read(pid)
	require.NoError(t, err)
	assert.EqualValues(t, os.Getpid(), facts.Parent)
	assert.Equal(t, map[string]string{"SEQLINK_SERVICE": "sleeper"}, facts.Env)
	assert.NotZero(t, facts.Started)
	assert.True(t, facts.Own, "a child of this process, which stands for the collector")
	assert.False(t, facts.KernelThread)
	assert.EqualValues(t, os.Getpid(), Proc{}.Self())
}

func TestParseEnviron(t *testing.T) {
	tests := map[string]struct {
		content string
		want    map[string]string
	}{
		"empty":                    {"", map[string]string{}},
		"two":                      {"A=1\x00B=2\x00", map[string]string{"A": "1", "B": "2"}},
		"no end":                   {"A=1\x00B=2", map[string]string{"A": "1", "B": "2"}},
		"first counts":             {"A=1\x00A=2\x00", map[string]string{"A": "1"}},
		"empty value, no '='":      {"A=\x00B\x00=C\x00", map[string]string{"A": ""}},
		"overwritten with a title": {"ocess /usr/sbin/nginx\x00\x00\x00\x00\x00", map[string]string{}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, test.want, parseEnviron([]byte(test.content)))
		})
	}
}

func TestEnvironIsBounded(t *testing.T) {
	proc := newFakeProc(t)
	long := strings.Repeat("x", 1<<10)
	var env []string
	for i := range 200 {
		env = append(env, "V"+strconv.Itoa(i)+"="+long)
	}
	proc.put(7, fakeProcess{comm: "x", env: env})
	facts, err := proc.Read(7)
	require.NoError(t, err)
	// 127 strings of about 1,030 bytes fit whole.
	assert.Equal(t, 127, len(facts.Env))
	for name, value := range facts.Env {
		assert.True(t, value == long, "%s is cut to %d bytes", name, len(value))
	}
}

func FuzzParseEnviron(f *testing.F) {
	f.Add([]byte("A=1\x00B=2\x00\x00=\x00C"))
	f.Fuzz(func(t *testing.T, content []byte) {
		for name, value := range parseEnviron(content) {
			assert.NotEmpty(t, name)
			assert.True(t, bytes.Contains(content, []byte(name+"="+value)))
		}
	})
}
