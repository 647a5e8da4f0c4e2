package pyasyncio

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// interpreters are Debian's Python, and those of pyenv where there are any.
func interpreters(t *testing.T) []string {
	home, err := os.UserHomeDir()
	require.NoError(t, err)
	found, err := filepath.Glob(filepath.Join(home, ".pyenv/versions/3.*/bin/python3"))
	require.NoError(t, err)
	return slices.Insert(found, 0, "/usr/bin/python3")
}

// running says, from within a task, where it and the dict of tasks are.
const running = `
import asyncio, sys
async def main():
    tasks = sys.modules["_asyncio"]._current_tasks
    print(id(tasks), id(tasks[asyncio.get_running_loop()]), flush=True)
    sys.stdin.read()
asyncio.run(main())
`

func minorVersion(t *testing.T, python string) (minor int) {
	version, err := exec.Command(python, "-c", "import sys; print(sys.version_info[1])").Output()
	require.NoError(t, err)
	_, err = fmt.Sscan(string(version), &minor)
	require.NoError(t, err)
	return minor
}

func TestFindInRealInterpreters(t *testing.T) {
	for _, path := range interpreters(t) {
		minor := minorVersion(t, path)
		if minor < 8 {
			continue
		}
		t.Run(strings.TrimPrefix(path, "/"), func(t *testing.T) {
			cmd := exec.Command(path, "-c", running)
			cmd.Stderr = os.Stderr
			in, err := cmd.StdinPipe()
			require.NoError(t, err)
			out, err := cmd.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, cmd.Start())
			defer func() {
				_ = in.Close()
				_ = cmd.Wait()
			}()
			line, err := bufio.NewReader(out).ReadString('\n')
			require.NoError(t, err)
			var dict, task uint64
			_, err = fmt.Sscan(line, &dict, &task)
			require.NoError(t, err)
			folder := fmt.Sprintf("/proc/%d", cmd.Process.Pid)
			found, err := Find(folder)
			if versions[minor].closure == 0 {
				assert.ErrorIs(t, err, ErrUnsupported)
				return
			}
			require.NoError(t, err)
			memory, err := os.Open(folder + "/mem")
			require.NoError(t, err)
			defer memory.Close()
			var pointer [8]byte
			_, err = memory.ReadAt(pointer[:], int64(found.CurrentTasks))
			require.NoError(t, err)
			assert.Equal(t, dict, binary.LittleEndian.Uint64(pointer[:]))
			assert.Equal(t, minor < 11, found.OldDicts)
			assert.NotZero(t, found.WakeupType)
			assert.NotZero(t, found.FunctionType)
			assert.NotZero(t, found.TupleType)
		})
	}
}

func TestFindWithoutAsyncio(t *testing.T) {
	cmd := exec.Command("/usr/bin/python3", "-c", "import sys; print(flush=True); sys.stdin.read()")
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	_, err = io.ReadFull(out, make([]byte, 1))
	require.NoError(t, err)
	_, err = Find(fmt.Sprintf("/proc/%d", cmd.Process.Pid))
	require.ErrorIs(t, err, ErrNotLoaded)
	require.NoError(t, in.Close())
	require.NoError(t, cmd.Wait())
	_, err = Find(fmt.Sprintf("/proc/%d", cmd.Process.Pid))
	assert.ErrorIs(t, err, os.ErrNotExist)
}
