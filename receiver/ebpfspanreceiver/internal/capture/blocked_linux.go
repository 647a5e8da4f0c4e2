package capture

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unsafe"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/seqlink/seqlink/bpf"
)

// blockedCall is a system call that a thread waits in, as /proc/PID/task/TID/syscall
// shows it: number and arguments (Documentation/filesystems/proc.rst).
type blockedCall struct {
	number uint64
	args   [6]uint64
}

// parseSyscall reads a syscall file; ok is false where the thread runs, or waits
// outside a system call.
func parseSyscall(text []byte) (c blockedCall, ok bool) {
	fields := strings.Fields(string(text))
	if len(fields) < 7 {
		return c, false
	}
	var err error
	if c.number, err = strconv.ParseUint(fields[0], 10, 64); err != nil {
		return c, false
	}
	for i := range c.args {
		if c.args[i], err = strconv.ParseUint(strings.TrimPrefix(fields[1+i], "0x"), 16, 64); err != nil {
			return c, false
		}
	}
	return c, true
}

// adopt tells the kernel side of the receives that the process's threads wait in
// since before it was traced: their entry was not seen, so without this their exit
// would be overlooked.
func (k *Kernel) adopt(pid uint32) {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/syscall", pid))
	if err != nil {
		return
	}
	for _, file := range files {
		tid, err := strconv.ParseUint(filepath.Base(filepath.Dir(file)), 10, 32)
		if err != nil {
			continue
		}
		k.adoptThread(uint64(pid)<<32|tid, file)
	}
}

// adoptThread leaves a record that the thread's own next entry replaces. The file is
// read again afterwards: where the thread went on meanwhile the record may be stale.
func (k *Kernel) adoptThread(id uint64, file string) {
	before, err := os.ReadFile(file)
	if err != nil {
		return // the thread has ended, or its system call may not be seen
	}
	blocked, ok := parseSyscall(before)
	if !ok {
		return
	}
	record, ok := k.receiveRecord(id, blocked)
	if !ok || k.programs.calls.Update(id, record, ebpf.UpdateNoExist) != nil {
		return
	}
	if after, err := os.ReadFile(file); err == nil && bytes.Equal(before, after) {
		return
	}
	var left bpf.TCPCall
	if k.programs.calls.Lookup(id, &left) == nil && left.Sk == 0 && left.Action == actionReceive {
		_ = k.programs.calls.Delete(id)
	}
}

// actionReceive is ACTION_RECEIVE of enum action in bpf/include/thread.h.
const actionReceive = 2

// receiveRecord describes a blocked receive to the kernel side; ok is false where
// it is none.
func (k *Kernel) receiveRecord(id uint64, c blockedCall) (record bpf.TCPCall, ok bool) {
	record.Fd, record.Action, record.Go = int32(c.args[0]), actionReceive, 1
	buffers := &record.Buffers
	switch c.number {
	case unix.SYS_RECVFROM:
		if c.args[3]&unix.MSG_PEEK != 0 {
			return record, false
		}
		buffers.Addr, buffers.Len, record.Peer = c.args[1], c.args[2], c.args[4]
	case unix.SYS_READ:
		buffers.Addr, buffers.Len = c.args[1], c.args[2]
	case unix.SYS_READV:
		buffers.Addr, buffers.Count = c.args[1], uint32(c.args[2])
	case unix.SYS_RECVMSG:
		m, err := messageHeader(uint32(id), c.args[1])
		if err != nil || c.args[2]&unix.MSG_PEEK != 0 {
			return record, false
		}
		buffers.Addr, buffers.Count = uint64(uintptr(unsafe.Pointer(m.Iov))), uint32(m.Iovlen)
		record.Peer = uint64(uintptr(unsafe.Pointer(m.Name)))
	default:
		return record, false
	}
	return record, true
}

// messageHeader reads a struct msghdr in a thread's memory. Its pointers are that thread's.
func messageHeader(tid uint32, address uint64) (m unix.Msghdr, err error) {
	size := int(unsafe.Sizeof(m))
	local := []unix.Iovec{{Base: (*byte)(unsafe.Pointer(&m)), Len: uint64(size)}}
	remote := []unix.RemoteIovec{{Base: uintptr(address), Len: size}}
	n, err := unix.ProcessVMReadv(int(tid), local, remote, 0)
	if err != nil {
		return m, err
	}
	if n != size || m.Iov == nil {
		return m, errors.New("no message header there")
	}
	return m, nil
}
