package capture

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/loss"
)

// A recording is a text file, gzip-compressed where its name ends in .gz: one
// JSON object a line, the first one the header. docs/recordings.md describes it.
const (
	recordingFormat  = "seqlink-recording"
	recordingVersion = 1
	// maxLine bounds a line: a payload of 16 KiB, escaped at worst sixfold, and the rest.
	maxLine = 256 << 10
)

type recordingHeader struct {
	Format  string `json:"format"`
	Version int    `json:"version"`
	// Payload says whether events carry the bytes that processes sent and received.
	Payload bool `json:"payload"`
}

// recorded is an event as it stands in a recording.
type recorded struct {
	Kind            Kind     `json:"kind"`
	Time            int64    `json:"time"`
	PID             uint32   `json:"pid,omitempty"`
	TID             uint32   `json:"tid,omitempty"`
	Goroutine       uint64   `json:"goroutine,omitempty"`
	ParentGoroutine uint64   `json:"parent_goroutine,omitempty"`
	Coroutine       uint64   `json:"coroutine,omitempty"`
	Waits           uint32   `json:"waits,omitempty"`
	Thinned         bool     `json:"thinned,omitempty"`
	Hidden          uint8    `json:"hidden,omitempty"`
	Socket          uint64   `json:"socket,omitempty"`
	FirstSent       uint32   `json:"first_sent,omitempty"`
	FirstReceived   uint32   `json:"first_received,omitempty"`
	Unix            bool     `json:"unix,omitempty"`
	LocalPath       string   `json:"local_path,omitempty"`
	RemotePath      string   `json:"remote_path,omitempty"`
	Local           string   `json:"local,omitempty"`
	Remote          string   `json:"remote,omitempty"`
	Offset          uint64   `json:"offset,omitempty"`
	Size            uint32   `json:"size,omitempty"`
	Skipped         bool     `json:"skipped,omitempty"`
	Frames          bool     `json:"frames,omitempty"`
	Errno           int32    `json:"errno,omitempty"`
	Data            string   `json:"data,omitempty"`
	Data64          []byte   `json:"data64,omitempty"`
	Tail64          []byte   `json:"tail64,omitempty"`
	Child           uint32   `json:"child,omitempty"`
	WokenTID        uint32   `json:"woken_tid,omitempty"`
	WokenGoroutine  uint64   `json:"woken_goroutine,omitempty"`
	WokenParent     uint64   `json:"woken_parent_goroutine,omitempty"`
	Futex           uint64   `json:"futex,omitempty"`
	Process         *Process `json:"process,omitempty"`
}

// Recorder writes a recording. It is not safe for concurrent use.
type Recorder struct {
	payload bool
	encoder *json.Encoder
	closers []func() error
}

// NewRecorder creates the file at path, which must not exist yet: a recording is
// never written over. Without payload the bytes that processes sent and received
// are left out.
func NewRecorder(path string, payload bool) (*Recorder, error) {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	buffer := bufio.NewWriter(file)
	r := &Recorder{payload: payload, closers: []func() error{buffer.Flush, file.Close}}
	var sink io.Writer = buffer
	if strings.HasSuffix(path, ".gz") {
		compressor := gzip.NewWriter(buffer)
		r.closers = append([]func() error{compressor.Close}, r.closers...)
		sink = compressor
	}
	r.encoder = json.NewEncoder(sink)
	r.encoder.SetEscapeHTML(false)
	if err := r.encoder.Encode(recordingHeader{recordingFormat, recordingVersion, payload}); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

// Write appends an event.
func (r *Recorder) Write(e *Event) error {
	line := recorded{
		Kind: e.Kind, Time: e.Time, PID: e.Task.PID, TID: e.Task.TID,
		Goroutine: e.Task.Goroutine, ParentGoroutine: e.Task.ParentGoroutine,
		Coroutine: e.Task.Coroutine, Waits: e.Task.Waits, Thinned: e.Task.Thinned, Hidden: e.Task.Hidden, Skipped: e.Skipped, Frames: e.Frames,
		Socket: e.Socket, FirstSent: e.Identity.FirstSent, FirstReceived: e.Identity.FirstReceived,
		Unix: e.Unix, LocalPath: string(e.LocalPath), RemotePath: string(e.RemotePath),
		Local: addressText(e.Local), Remote: addressText(e.Remote),
		Offset: e.Offset, Size: e.Size, Errno: e.Errno, Child: e.Child, Process: e.Process,
		WokenTID: e.Woken.TID, WokenGoroutine: e.Woken.Goroutine, WokenParent: e.Woken.ParentGoroutine,
		Futex: e.Futex,
	}
	if r.payload {
		line.Tail64 = e.Tail
		if utf8.Valid(e.Data) {
			line.Data = string(e.Data)
		} else {
			line.Data64 = e.Data
		}
	}
	return r.encoder.Encode(line)
}

// Close completes the file.
func (r *Recorder) Close() error {
	var errs []error
	for _, c := range r.closers {
		errs = append(errs, c())
	}
	return errors.Join(errs...)
}

func addressText(a netip.AddrPort) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

// Recording is the Source that reads what a Recorder wrote.
type Recording struct {
	losses  *loss.Counts
	scanner *bufio.Scanner
	closers []func() error
}

// OpenRecording opens the file at path and checks that it is a recording of a
// version that can be read.
func OpenRecording(path string, losses *loss.Counts) (*Recording, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	r := &Recording{losses: losses, closers: []func() error{file.Close}}
	var source io.Reader = file
	if strings.HasSuffix(path, ".gz") {
		decompressor, err := gzip.NewReader(file)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("%s is not a gzip file: %w", path, err), r.Close())
		}
		source = decompressor
	}
	if err := r.begin(source); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), r.Close())
	}
	return r, nil
}

func (r *Recording) begin(source io.Reader) error {
	r.scanner = bufio.NewScanner(source)
	r.scanner.Buffer(make([]byte, 0, 64<<10), maxLine)
	var header recordingHeader
	if !r.scanner.Scan() || json.Unmarshal(r.scanner.Bytes(), &header) != nil || header.Format != recordingFormat {
		return errors.Join(errors.New("not a recording: the first line must be its header, "+
			`{"format":"`+recordingFormat+`",...}`), r.scanner.Err())
	}
	if header.Version != recordingVersion {
		return fmt.Errorf("recording of version %d, this build reads version %d", header.Version, recordingVersion)
	}
	return nil
}

// Run implements Source. Lines that hold no event are counted and skipped; a file
// that ends in the middle is an error after the events before it.
func (r *Recording) Run(ctx context.Context, handle func(*Event)) error {
	for ctx.Err() == nil && r.scanner.Scan() {
		var line recorded
		var event Event
		if json.Unmarshal(r.scanner.Bytes(), &line) != nil || !line.event(&event) {
			r.losses.Add(loss.EventMalformed, 1)
			continue
		}
		handle(&event)
	}
	if err := r.scanner.Err(); err != nil {
		return fmt.Errorf("read the recording: %w", err)
	}
	return nil
}

// event fills e from the line; false where the line contradicts itself.
func (l *recorded) event(e *Event) bool {
	*e = Event{
		Kind: l.Kind, Time: l.Time,
		Task:     Task{l.PID, l.TID, l.Goroutine, l.ParentGoroutine, l.Coroutine, l.Waits, l.Thinned, l.Hidden},
		Socket:   l.Socket,
		Identity: Identity{l.FirstSent, l.FirstReceived},
		Unix:     l.Unix,
		Offset:   l.Offset, Size: l.Size, Skipped: l.Skipped, Frames: l.Frames, Errno: l.Errno, Child: l.Child,
		Data: l.Data64, Tail: l.Tail64, Process: l.Process, Futex: l.Futex,
	}
	if l.Kind == Wake {
		e.Woken = Task{PID: l.PID, TID: l.WokenTID, Goroutine: l.WokenGoroutine, ParentGoroutine: l.WokenParent}
	}
	if l.LocalPath != "" {
		e.LocalPath = []byte(l.LocalPath)
	}
	if l.RemotePath != "" {
		e.RemotePath = []byte(l.RemotePath)
	}
	if l.Data != "" {
		e.Data = []byte(l.Data)
	}
	if uint64(len(e.Data)) > uint64(e.Size) || len(e.Tail) > tailSize || e.Offset > 1<<62 {
		return false
	}
	if (e.Kind == Wake) != (e.Woken.TID != 0 || e.Woken.Goroutine != 0) {
		return false
	}
	if e.Kind == 0 || (e.Kind == ProcessFound) != (e.Process != nil) {
		return false
	}
	return parseAddress(l.Local, &e.Local) && parseAddress(l.Remote, &e.Remote)
}

func parseAddress(text string, a *netip.AddrPort) bool {
	if text == "" {
		return true
	}
	var err error
	*a, err = netip.ParseAddrPort(text)
	return err == nil
}

// Close implements Source.
func (r *Recording) Close() error {
	var errs []error
	for _, c := range r.closers {
		errs = append(errs, c())
	}
	return errors.Join(errs...)
}
