package capture

import "fmt"

// kindNames are the kinds as they stand in recordings.
var kindNames = [...]string{
	Send: "send", Sent: "sent", Receive: "receive",
	Connect: "connect", Accept: "accept", Close: "close",
	Fork: "fork", Exec: "exec", Exit: "exit",
	RoundTrip: "round_trip", Path: "path", Listen: "listen", Wake: "wake",
	SendDatagram: "send_datagram", ReceiveDatagram: "receive_datagram",
	StreamAsked: "stream_asked", StreamTaken: "stream_taken", ProcessFound: "process",
}

// String returns the kind's name as it stands in recordings.
func (k Kind) String() string {
	if k == 0 || int(k) >= len(kindNames) {
		return fmt.Sprintf("kind(%d)", uint8(k))
	}
	return kindNames[k]
}

// MarshalText implements encoding.TextMarshaler.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (k *Kind) UnmarshalText(text []byte) error {
	for i := 1; i < len(kindNames); i++ {
		if kindNames[i] == string(text) {
			*k = Kind(i)
			return nil
		}
	}
	return fmt.Errorf("unknown event kind %q", text)
}
