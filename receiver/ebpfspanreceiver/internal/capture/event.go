// Package capture is the first stage: it delivers what the kernel saw, in the
// order in which it happened, either from BPF programs (Kernel) or from a file
// (Recording).
package capture

import (
	"context"
	"net/netip"
)

// Kind says what an Event tells.
type Kind uint8

// The kinds of events.
const (
	// Send is the entry of a system call that writes to a stream socket, TCP's or Unix. It announces
	// only the bytes that it carries: Size is len(Data). Where a connection's bytes are wanted
	// whole a call may be several Sends, or Receives, each of which but the last may
	// leave bytes out behind its Data.
	Send Kind = iota + 1
	// Sent is the exit of a system call that wrote another number of bytes than
	// its Send announced, or that had none. Size is what the kernel took of the
	// whole call, Errno why it took no more (0 for a short write).
	Sent
	// Receive is the exit of a system call that read from a stream socket.
	// Size 0 with Errno 0 is the end of the peer's stream.
	Receive
	// Connect is the entry of connect(2) on a stream socket.
	Connect
	// Accept is the exit of accept(2) or accept4(2): Socket is the new socket.
	Accept
	// Close says that a socket is gone: the last descriptor was closed, or TCP
	// reached its CLOSE state.
	Close
	// Fork says that Task.PID started the process Child.
	Fork
	// Exec says that Task.PID runs another program now.
	Exec
	// Exit says that the last thread of Task.PID ended.
	Exit
	// RoundTrip says that the goroutine in Task asked the connection Socket of
	// Go's net/http client for an exchange; another goroutine will write it.
	RoundTrip
	// Path says that Socket is a Unix socket, and the path it was connected to
	// (RemotePath) or accepted at (LocalPath), where it has one.
	Path
	// Listen says that Task.PID, traced or not, begins to listen for connections at
	// the port of Local. It is asked for by KernelOptions.Listens.
	Listen
	// Wake says that Task made Woken, of the same process, ready to run. It is asked for
	// by Watcher.
	Wake
	// SendDatagram is the entry of a system call that sends a datagram over UDP, one event
	// for each. With Errno it is the exit of one that failed.
	SendDatagram
	// ReceiveDatagram is the exit of a system call that received a datagram over UDP. With
	// Errno there is none: the call failed.
	ReceiveDatagram
	// StreamAsked says that the goroutine in Task asked for the stream Offset of the HTTP/2
	// connection Socket; another goroutine will write it.
	StreamAsked
	// StreamTaken says that the goroutine in Task begins to work on the stream Offset of the
	// HTTP/2 connection Socket; another goroutine has read it.
	StreamTaken
	// ProcessFound carries the facts about a process that is traced from now on.
	ProcessFound
)

// Task is who did something: a thread, and the goroutine or coroutine it ran where
// that is known.
type Task struct {
	// PID is the process id (thread group id) in the initial PID namespace.
	PID uint32
	// TID is the thread id in the initial PID namespace.
	TID uint32
	// Goroutine is Go's goid, 0 where there is none or it is not known.
	Goroutine uint64
	// ParentGoroutine is the goid of the goroutine that started Goroutine, 0
	// where that is not known.
	ParentGoroutine uint64
	// Coroutine names the task of Python's asyncio that the thread ran, or, where another
	// task waits for it, the one that waits, and so on to one that nobody waits for. It is
	// an address, which a later task may have again; 0 where it is not known. It is
	// set for sends and connects of the processes that CoroutineReader was told of.
	Coroutine uint64
	// Waits counts how often the thread has waited for several descriptors at once
	// (epoll_wait(2), poll(2), select(2)): the turns of an event loop. It is set for what sends,
	// receives and connects, 0 where it is not known.
	Waits uint32
	// Thinned says that the kernel side leaves requests out at this time, so that
	// not everything is seen of what the thread does.
	Thinned bool
	// Hidden is how many requests the thread has read that are left out and not
	// answered yet, at most 255.
	Hidden uint8
}

// Identity names a connection by what both of its ends hold: the first sequence
// number of each direction, for Unix sockets a number of the kernel side's own (see
// docs/architecture.md, "Identity").
// One end's FirstSent is the other's FirstReceived. FirstReceived is 0 as long as the
// peer has not answered: TCP Fast Open sends before.
type Identity struct {
	FirstSent, FirstReceived uint32
}

// Agrees tells whether i and o may be the same connection's.
func (i Identity) Agrees(o Identity) bool {
	return i.FirstSent == o.FirstSent &&
		(i.FirstReceived == o.FirstReceived || i.FirstReceived == 0 || o.FirstReceived == 0)
}

// Event is one thing that the kernel saw. Which fields are set depends on Kind.
type Event struct {
	Kind Kind
	// Time is in nanoseconds since the Unix epoch. It is the system call's entry
	// for Send and Connect, and its exit for Sent, Receive and Accept.
	Time int64
	Task Task

	// Socket is the socket's inode number (the N in /proc/PID/fd's socket:[N]),
	// unique among the sockets that are open at one time.
	Socket uint64
	// Identity is set for Send, Sent and Receive; zero where it could not be read.
	Identity Identity
	// Unix is true for Path, and for events of Unix sockets that would have addresses
	// otherwise.
	Unix bool
	// LocalPath and RemotePath are set for Path, at most one of them. An abstract
	// name (unix(7)) begins with an @. They are valid only until the handler returns.
	LocalPath, RemotePath []byte
	// Local and Remote are the socket's own and its peer's address as this end
	// sees them, set where Data may be carried and for Connect and Accept.
	// Of datagrams Local is a wildcard where the socket takes those to any address of the
	// host, and Remote, the datagram's other end, is unspecified where the process did not
	// ask for it.
	Local, Remote netip.AddrPort

	// Offset is the place of the first byte in its direction: in bytes since the
	// connection began, for Unix sockets since a time of the kernel side's choice that
	// is the same for both ends. For StreamAsked and StreamTaken it is the stream's id.
	Offset uint64
	// Size is the number of bytes sent or received.
	Size uint32
	// Skipped says that bytes before these were left out in this direction on purpose.
	Skipped bool
	// Frames says that Data begins with the header of a frame of HTTP/2, by the kernel side's account.
	Frames bool
	// Errno is the positive error number of a failed system call, 0 otherwise.
	Errno int32
	// Data holds the first bytes, at most the configured payload; it may be empty.
	// It is valid only until the handler returns.
	Data []byte
	// Tail holds the last bytes, at most 8, whether or not Data reaches them.
	Tail []byte

	// Child is the new process of a Fork.
	Child uint32
	// Woken is whom a Wake concerns: a thread, or a goroutine and no thread.
	Woken Task
	// Futex is the address, in the process, of the futex by which a Wake woke a thread; 0
	// where that was a write to an eventfd, a pipe or a Unix socket, and for goroutines.
	Futex uint64
	// Process is set for ProcessFound.
	Process *Process
}

// RuntimeGo is the name of Go's runtime in a Process.
const RuntimeGo = "go"

// RuntimePython is the name of Python's usual runtime in a Process.
const RuntimePython = "cpython"

// Process holds the facts about a traced process that spans are described with.
type Process struct {
	PID uint32 `json:"pid"`
	// Service is the name of the service, never empty.
	Service string `json:"service"`
	// Executable is the base name of the executable file.
	Executable string `json:"executable"`
	// ContainerID is the 64-digit id from the process's cgroup, or empty.
	ContainerID string `json:"container_id,omitempty"`
	// PodUID is the uid of the Kubernetes pod from the process's cgroup, or empty.
	PodUID string `json:"pod_uid,omitempty"`
	// Runtime is RuntimeGo where the program was built by the Go toolchain; what else
	// it may be, discover/runtimes knows. Empty where it is not known.
	Runtime string `json:"runtime,omitempty"`
	// RuntimeVersion is the runtime's, empty where it is not known.
	RuntimeVersion string `json:"runtime_version,omitempty"`
	// Attributes are further resource attributes the process declared in
	// OTEL_RESOURCE_ATTRIBUTES.
	Attributes map[string]string `json:"attributes,omitempty"`
}

// Source delivers events. Its two implementations are Kernel and Recording.
type Source interface {
	// Run calls handle with one event after the other, in order and from one
	// goroutine, until ctx ends or there are no more events; then it returns nil.
	// The event and what it points to are valid only during the call. With nothing
	// to deliver, handle is called now and then with a nil event so that the
	// stages can do what is due.
	Run(ctx context.Context, handle func(*Event)) error
	// Close releases what the source holds. It may be called once, after Run returned.
	Close() error
}
