package protocol

import "github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/conn"

// The values of error.type for exchanges that were broken off.
const (
	ConnectionClosed   = "connection_closed"
	ConnectionReset    = "connection_reset"
	ClientDisconnected = "client_disconnected"
	TruncatedResponse  = "truncated_response"
	ProcessExited      = "process_exited"
	CaptureEnded       = "capture_ended"
)

// BreakOff notes why e was not answered, or not wholly. PeerLeft says that the peer had
// ended its stream in good order before, responded that the response began.
func (e *Exchange) BreakOff(cause conn.Cause, peerLeft, responded bool) {
	e.ErrorType, e.ErrorMessage = e.failure(cause, peerLeft, responded)
	// That the agent stops watching is no failure of the exchange.
	e.Failed = e.ErrorType != CaptureEnded
}

// failure returns the error.type of e, and a description of it.
func (e *Exchange) failure(cause conn.Cause, peerLeft, responded bool) (errorType, message string) {
	server := e.Side == Server
	switch {
	case cause == conn.Forgotten:
		return CaptureEnded, "the agent stopped watching before the response was complete"
	case cause == conn.Exited:
		return ProcessExited, "the process ended before the response was complete"
	case server && (cause == conn.Reset || peerLeft):
		return ClientDisconnected, "the client went away before the response was complete"
	case cause == conn.Reset:
		return ConnectionReset, "the connection was reset before the response was complete"
	case responded && (server || cause == conn.EOF):
		return TruncatedResponse, "the connection was closed before the response was complete"
	case !server && cause == conn.Closed:
		return ConnectionClosed, "the client closed the connection before the response was complete"
	}
	return ConnectionClosed, "the server closed the connection without a response"
}
