package goexe

import (
	"encoding/binary"
	"os"
	"regexp"
	"runtime"
	"strconv"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// TestOwnGoroutine follows the offsets in the memory of the test itself, in the
// way the kernel side does, and compares with what the runtime says.
func TestOwnGoroutine(t *testing.T) {
	where := readFile(t, "/proc/self/exe").Goroutine
	require.NotNil(t, where)
	memory, err := os.Open("/proc/self/mem")
	require.NoError(t, err)
	defer memory.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		goid, parent := stackIDs()
		g := word(t, memory, fsBase()+uint64(where.TLSOffset))
		assert.Equal(t, goid, word(t, memory, g+where.Goid))
		assert.Equal(t, parent, word(t, memory, g+where.ParentGoid))
	}()
	<-done
}

func fsBase() uint64 {
	const archGetFS = 0x1003 // ARCH_GET_FS in arch/x86/include/uapi/asm/prctl.h
	var base uint64
	_, _, _ = unix.RawSyscall(unix.SYS_ARCH_PRCTL, archGetFS, uintptr(unsafe.Pointer(&base)), 0)
	return base
}

func word(t *testing.T, memory *os.File, address uint64) uint64 {
	t.Helper()
	var data [8]byte
	_, err := memory.ReadAt(data[:], int64(address))
	assert.NoError(t, err)
	return binary.LittleEndian.Uint64(data[:])
}

var stackPattern = regexp.MustCompile(`(?s)^goroutine (\d+) .* in goroutine (\d+)\n`)

func stackIDs() (goid, parent uint64) {
	text := make([]byte, 1<<16)
	match := stackPattern.FindSubmatch(text[:runtime.Stack(text, false)])
	if match == nil {
		return 0, 0
	}
	goid, _ = strconv.ParseUint(string(match[1]), 10, 64)
	parent, _ = strconv.ParseUint(string(match[2]), 10, 64)
	return goid, parent
}
