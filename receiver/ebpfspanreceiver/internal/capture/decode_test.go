package capture

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seqlink/seqlink/bpf"
)

// The Go offsets must be those that the C compiler chose, as BTF tells them.
func TestLayoutMatchesKernelSide(t *testing.T) {
	var c bpf.TCPEvent
	for name, pair := range map[string][2]uintptr{
		"time":             {offTime, unsafe.Offsetof(c.Time)},
		"pid":              {offPID, unsafe.Offsetof(c.Pid)},
		"tid":              {offTID, unsafe.Offsetof(c.Tid)},
		"goroutine":        {offGoroutine, unsafe.Offsetof(c.Goroutine)},
		"parent_goroutine": {offParentGoroutine, unsafe.Offsetof(c.ParentGoroutine)},
		"socket":           {offSocket, unsafe.Offsetof(c.Socket)},
		"offset":           {offOffset, unsafe.Offsetof(c.Offset)},
		"size":             {offSize, unsafe.Offsetof(c.Size)},
		"error":            {offError, unsafe.Offsetof(c.Error)},
		"first_sent":       {offFirstSent, unsafe.Offsetof(c.FirstSent)},
		"first_received":   {offFirstReceived, unsafe.Offsetof(c.FirstReceived)},
		"number":           {offNumber, unsafe.Offsetof(c.Number)},
		"data_len":         {offDataLen, unsafe.Offsetof(c.DataLen)},
		"local_port":       {offLocalPort, unsafe.Offsetof(c.LocalPort)},
		"remote_port":      {offRemotePort, unsafe.Offsetof(c.RemotePort)},
		"kind":             {offKind, unsafe.Offsetof(c.Kind)},
		"family":           {offFamily, unsafe.Offsetof(c.Family)},
		"identified":       {offIdentified, unsafe.Offsetof(c.Identified)},
		"tail_len":         {offTailLen, unsafe.Offsetof(c.TailLen)},
		"flags":            {offFlags, unsafe.Offsetof(c.Flags)},
		"hidden":           {offHidden, unsafe.Offsetof(c.Hidden)},
		"tail":             {offTail, unsafe.Offsetof(c.Tail)},
		"local_addr":       {offLocalAddr, unsafe.Offsetof(c.LocalAddr)},
		"remote_addr":      {offRemoteAddr, unsafe.Offsetof(c.RemoteAddr)},
		"sizeof":           {headerSize, unsafe.Sizeof(c)},
	} {
		assert.Equal(t, pair[1], pair[0], name)
	}
}

func TestWakeLayoutMatchesKernelSide(t *testing.T) {
	var c bpf.WakeWake
	for name, pair := range map[string][2]uintptr{
		"time":                   {offTime, unsafe.Offsetof(c.Time)},
		"pid":                    {offPID, unsafe.Offsetof(c.Pid)},
		"tid":                    {offTID, unsafe.Offsetof(c.Tid)},
		"goroutine":              {offGoroutine, unsafe.Offsetof(c.Goroutine)},
		"parent_goroutine":       {offParentGoroutine, unsafe.Offsetof(c.ParentGoroutine)},
		"futex":                  {offFutex, unsafe.Offsetof(c.Futex)},
		"woken_goroutine":        {offWokenGoroutine, unsafe.Offsetof(c.WokenGoroutine)},
		"woken_parent_goroutine": {offWokenParentGoroutine, unsafe.Offsetof(c.WokenParentGoroutine)},
		"woken_tid":              {offWokenTID, unsafe.Offsetof(c.WokenTid)},
		"kind":                   {offKind, unsafe.Offsetof(c.Kind)},
		"sizeof":                 {wakeSize, unsafe.Sizeof(c)},
	} {
		assert.Equal(t, pair[1], pair[0], name)
	}
}

// wakeSample is a record of a wake-up as the kernel would send it.
func wakeSample() []byte {
	le := binary.LittleEndian
	r := make([]byte, wakeSize)
	le.PutUint64(r[offTime:], 1234)
	le.PutUint32(r[offPID:], 7)
	le.PutUint32(r[offTID:], 8)
	le.PutUint64(r[offGoroutine:], 21)
	le.PutUint64(r[offParentGoroutine:], 1)
	le.PutUint64(r[offFutex:], 1<<46)
	le.PutUint64(r[offWokenGoroutine:], 22)
	le.PutUint64(r[offWokenParentGoroutine:], 2)
	le.PutUint32(r[offWokenTID:], 9)
	r[offKind] = byte(Wake)
	return r
}

func TestDecodeWake(t *testing.T) {
	var e Event
	require.NoError(t, decode(wakeSample(), &e))
	assert.Equal(t, Event{
		Kind: Wake, Time: 1234, Task: Task{PID: 7, TID: 8, Goroutine: 21, ParentGoroutine: 1},
		Woken: Task{PID: 7, TID: 9, Goroutine: 22, ParentGoroutine: 2}, Futex: 1 << 46,
	}, e)
}

// sample is a record as the kernel would send it.
func sample(payload string) []byte {
	le := binary.LittleEndian
	r := make([]byte, headerSize, headerSize+len(payload))
	le.PutUint64(r[offTime:], 1234)
	le.PutUint32(r[offPID:], 7)
	le.PutUint32(r[offTID:], 8)
	le.PutUint64(r[offSocket:], 99)
	le.PutUint64(r[offOffset:], 1<<33)
	le.PutUint32(r[offSize:], 4096)
	le.PutUint32(r[offFirstSent:], 11)
	le.PutUint32(r[offFirstReceived:], 12)
	le.PutUint16(r[offDataLen:], uint16(len(payload)))
	le.PutUint16(r[offLocalPort:], 80)
	le.PutUint16(r[offRemotePort:], 40000)
	r[offKind], r[offFamily], r[offIdentified], r[offTailLen] = byte(Receive), afInet, 1, 3
	r[offFlags], r[offHidden] = eventThinning|eventSkipped|eventFrames, 5
	copy(r[offTail:], "end")
	copy(r[offLocalAddr:], []byte{127, 0, 0, 1})
	copy(r[offRemoteAddr:], []byte{127, 0, 0, 2})
	return append(r, payload...)
}

func TestDecode(t *testing.T) {
	var e Event
	require.NoError(t, decode(sample("GET /"), &e))
	assert.Equal(t, Event{
		Kind: Receive, Time: 1234, Task: Task{PID: 7, TID: 8, Thinned: true, Hidden: 5}, Socket: 99, Skipped: true, Frames: true,
		Identity: Identity{FirstSent: 11, FirstReceived: 12},
		Local:    netip.MustParseAddrPort("127.0.0.1:80"), Remote: netip.MustParseAddrPort("127.0.0.2:40000"),
		Offset: 1 << 33, Size: 4096, Data: []byte("GET /"), Tail: []byte("end"),
	}, e)
}

func TestDecodePaths(t *testing.T) {
	for _, tt := range []struct {
		data                  string
		isRemote              byte
		wantLocal, wantRemote string
	}{
		{"/run/a.sock\x00", 1, "", "/run/a.sock"},
		{"/run/a.sock", 0, "/run/a.sock", ""},
		{"\x00abstract\x00name", 0, "@abstract\x00name", ""},
		{"", 0, "", ""},
	} {
		r := sample(tt.data)
		r[offKind], r[offFamily], r[offNumber], r[offTailLen] = byte(Path), afUnix, tt.isRemote, 0
		before := bytes.Clone(r)
		var e Event
		require.NoError(t, decode(r, &e))
		assert.Equal(t, before, r, "the ring buffer cannot be written")
		assert.True(t, e.Unix)
		assert.Equal(t, tt.wantLocal, string(e.LocalPath))
		assert.Equal(t, tt.wantRemote, string(e.RemotePath))
		assert.Empty(t, e.Data)
		assert.Zero(t, e.Child)
		assert.False(t, e.Remote.IsValid())
	}
}

func TestDecodeUnmapsIPv4(t *testing.T) {
	r := sample("")
	r[offFamily] = afInet6
	mapped := netip.MustParseAddr("::ffff:10.0.0.1").As16()
	copy(r[offLocalAddr:], mapped[:])
	var e Event
	require.NoError(t, decode(r, &e))
	assert.Equal(t, "10.0.0.1:80", e.Local.String())
}

func TestDecodeRefuses(t *testing.T) {
	for name, spoil := range map[string]func([]byte) []byte{
		"empty":           func([]byte) []byte { return nil },
		"short header":    func(r []byte) []byte { return r[:headerSize-1] },
		"short wake":      func([]byte) []byte { return wakeSample()[:wakeSize-1] },
		"missing payload": func(r []byte) []byte { return r[:headerSize+2] },
		"long tail":       func(r []byte) []byte { r[offTailLen] = 9; return r },
		"unknown kind":    func(r []byte) []byte { r[offKind] = 200; return r },
		"no kind":         func(r []byte) []byte { r[offKind] = 0; return r },
	} {
		var e Event
		assert.Error(t, decode(spoil(sample("GET /")), &e), name)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(sample("GET / HTTP/1.1\r\n"))
	f.Add(wakeSample())
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, record []byte) {
		var e Event
		if decode(record, &e) != nil {
			return
		}
		if (len(e.Data) > 0 && len(e.Data)+headerSize > len(record)) || len(e.Tail) > tailSize {
			t.Fatalf("decoded more than there is: %d of %d", len(e.Data), len(record))
		}
	})
}
