package capture

import (
	"bytes"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/loss"
)

var recordedEvents = []Event{
	{Kind: ProcessFound, Time: 1, Task: Task{PID: 7}, Process: &Process{PID: 7, Service: "shop", Executable: "python3.11"}},
	{Kind: Connect, Time: 2, Task: Task{PID: 7, TID: 8}, Socket: 5, Remote: netip.MustParseAddrPort("127.0.0.1:80")},
	{
		Kind: Send, Time: 3, Task: Task{7, 8, 21, 1, 23, 7, true, 3}, Socket: 5, Identity: Identity{1, 2},
		Local: netip.MustParseAddrPort("[::1]:4000"), Remote: netip.MustParseAddrPort("[::1]:80"),
		Offset: 1 << 40, Size: 40, Data: []byte("GET / HTTP/1.1\r\n\"<&>"), Tail: []byte("\r\n\r\n"),
	},
	{Kind: Receive, Time: 4, Task: Task{PID: 7, TID: 8}, Socket: 5, Skipped: true, Frames: true, Identity: Identity{1, 2}, Size: 4, Data: []byte{0xff, 0, 1, 2}},
	{Kind: Close, Time: 5, Socket: 5, Errno: 104},
	{Kind: Wake, Time: 6, Task: Task{PID: 7, TID: 8}, Woken: Task{PID: 7, TID: 9}, Futex: 1 << 46},
	{Kind: Wake, Time: 6, Task: Task{PID: 7, TID: 8, Goroutine: 21, ParentGoroutine: 1}, Woken: Task{PID: 7, Goroutine: 22, ParentGoroutine: 21}},
	{Kind: Fork, Time: 6, Task: Task{PID: 7}, Child: 9},
}

func record(t *testing.T, path string, payload bool) {
	r, err := NewRecorder(path, payload)
	require.NoError(t, err)
	for i := range recordedEvents {
		require.NoError(t, r.Write(&recordedEvents[i]))
	}
	require.NoError(t, r.Close())
}

func replay(t *testing.T, path string, losses *loss.Counts) []Event {
	r, err := OpenRecording(path, losses)
	require.NoError(t, err)
	defer func() { require.NoError(t, r.Close()) }()
	var events []Event
	require.NoError(t, r.Run(t.Context(), func(e *Event) { events = append(events, *e) }))
	return events
}

func TestRecordingGivesBackWhatWasRecorded(t *testing.T) {
	for _, name := range []string{"plain.jsonl", "packed.jsonl.gz"} {
		path := filepath.Join(t.TempDir(), name)
		record(t, path, true)
		var losses loss.Counts
		assert.Equal(t, recordedEvents, replay(t, path, &losses), name)
		assert.Zero(t, losses.Get(loss.EventMalformed))
	}
}

func TestRecordingWithoutPayload(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r.jsonl")
	record(t, path, false)
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.NotContains(t, string(text), "GET /")
	for _, e := range replay(t, path, &loss.Counts{}) {
		assert.Empty(t, e.Data)
		assert.Empty(t, e.Tail)
	}
}

func TestRecordingIsNeverWrittenOver(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r.jsonl")
	record(t, path, true)
	_, err := NewRecorder(path, true)
	assert.ErrorIs(t, err, os.ErrExist)
}

func TestOpenRecordingRefuses(t *testing.T) {
	for name, content := range map[string]string{
		"empty.jsonl":   "",
		"other.jsonl":   "{}\n",
		"text.jsonl":    "hello\n",
		"version.jsonl": `{"format":"seqlink-recording","version":99}` + "\n",
		"packed.gz":     `{"format":"seqlink-recording","version":1}` + "\n",
	} {
		path := filepath.Join(t.TempDir(), name)
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		_, err := OpenRecording(path, &loss.Counts{})
		assert.ErrorContains(t, err, path, name)
	}
}

func TestRecordingSkipsWhatItCannotRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r.jsonl")
	require.NoError(t, os.WriteFile(path, []byte(`{"format":"seqlink-recording","version":1}
{"kind":"exit","time":1,"pid":7}
{"kind":"no such kind","time":1}
{"kind":"send","time":2,"size":1,"data":"longer than its size"}
{"kind":"process","time":2}
{"kind":"close","time":3,"local":"nowhere"}
{"kind":"wake","time":3,"pid":7,"tid":8}
not json
{"kind":"exit","time":4,"pid":8}
`), 0o600))
	var losses loss.Counts
	events := replay(t, path, &losses)
	require.Len(t, events, 2)
	assert.Equal(t, uint32(8), events[1].Task.PID)
	assert.Equal(t, int64(6), losses.Get(loss.EventMalformed))
}

func FuzzRecording(f *testing.F) {
	f.Add([]byte(`{"format":"seqlink-recording","version":1}` + "\n" + `{"kind":"send","time":2,"size":9,"data":"GET /"}`))
	f.Add([]byte(`{"format":"seqlink-recording","version":1}` + "\n" + `{"kind":"process","process":{"pid":1}}`))
	f.Add([]byte(`{"format":"seqlink-recording","version":1}` + "\n" + `{"kind":"wake","pid":1,"tid":1,"woken_tid":2,"futex":4096}`))
	f.Fuzz(func(t *testing.T, content []byte) {
		r := &Recording{losses: &loss.Counts{}}
		if r.begin(bytes.NewReader(content)) != nil {
			return
		}
		_ = r.Run(t.Context(), func(e *Event) {
			if uint64(len(e.Data)) > uint64(e.Size) || len(e.Tail) > tailSize {
				t.Fatalf("an event carries more than it moved: %+v", e)
			}
		})
	})
}
