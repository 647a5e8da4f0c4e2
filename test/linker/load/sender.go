package load

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

const exportMethod = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"

// RawCodec hands bytes through gRPC as they are; its messages are *[]byte.
type RawCodec struct{}

// Marshal implements encoding.Codec.
func (RawCodec) Marshal(v any) ([]byte, error) { return *v.(*[]byte), nil }

// Unmarshal implements encoding.Codec. The bytes are valid during the call only.
func (RawCodec) Unmarshal(data []byte, v any) error {
	*v.(*[]byte) = data
	return nil
}

// Name implements encoding.Codec.
func (RawCodec) Name() string { return "proto" }

// Sender sends the load of all hosts to an OTLP endpoint.
type Sender struct {
	// Endpoint is host:port, without TLS.
	Endpoint string
	// Rate is the wanted number of spans per second, 0 for as many as are taken.
	Rate float64
	// BatchSpans is about how many spans a request has, InFlight how many requests of
	// one host are under way.
	BatchSpans, InFlight int
	// First is the number of the first trace.
	First uint64
	Mix   Mix

	// progress is the number of the trace at which each host is.
	progress [Hosts]atomic.Uint64

	// Sent counts the spans that were acknowledged, Duplicates those of them that came
	// a second time.
	Sent, Duplicates atomic.Uint64
	// Refused counts the attempts, in spans, after which the collector asked to try
	// again; Rejected the spans that it did not want at all.
	Refused, Rejected atomic.Uint64
}

// Run sends until stop is done, then what is still to come of the traces that were
// begun. It gives up at once when ctx is done.
func (s *Sender) Run(ctx, stop context.Context) error {
	var senders [Hosts]*hostSender
	for host := range Hosts {
		conn, err := dial(s.Endpoint)
		if err != nil {
			return fmt.Errorf("connect to %s: %w", s.Endpoint, err)
		}
		defer conn.Close()
		senders[host] = &hostSender{Sender: s, host: host, conn: conn, generator: NewGenerator(host, s.First, s.Mix)}
		s.progress[host].Store(s.First)
	}
	s.each(&senders, func(h *hostSender) { h.send(ctx, stop) })
	_, last := s.Traces()
	s.each(&senders, func(h *hostSender) { h.finish(ctx, last) })
	return nil
}

func (s *Sender) each(senders *[Hosts]*hostSender, f func(*hostSender)) {
	var running sync.WaitGroup
	for _, h := range senders {
		running.Go(func() { f(h) })
	}
	running.Wait()
}

// Traces returns the range of traces, last excluded, of which spans were made. Once
// Run returned they are whole.
func (s *Sender) Traces() (first, last uint64) {
	last = s.First
	for i := range s.progress {
		last = max(last, s.progress[i].Load())
	}
	return s.First, last
}

func dial(endpoint string) (*grpc.ClientConn, error) {
	return grpc.NewClient(endpoint, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.ForceCodec(RawCodec{})),
		grpc.WithWriteBufferSize(256<<10), grpc.WithInitialWindowSize(4<<20), grpc.WithInitialConnWindowSize(16<<20))
}

// hostSender sends the batches of one host, over a connection of its own.
type hostSender struct {
	*Sender
	host      int
	conn      *grpc.ClientConn
	generator *Generator
}

// send sends batches until stop or ctx is done.
func (h *hostSender) send(ctx, stop context.Context) {
	begin := time.Now()
	h.inFlight(ctx, stop, func(buffer []byte) ([]byte, int, bool) {
		g := h.generator
		if !h.keepUp(stop, g.next) || !h.pace(stop, begin, g.SpansOf(g.next-h.First)) {
			return buffer, 0, false
		}
		batch, n := g.Batch(buffer[:0], h.BatchSpans, time.Now())
		h.progress[h.host].Store(g.next)
		return batch, n, true
	})
}

// finish sends what is still to come of the traces before last.
func (h *hostSender) finish(ctx context.Context, last uint64) {
	h.inFlight(ctx, ctx, func(buffer []byte) ([]byte, int, bool) {
		batch, n := h.generator.Rest(buffer[:0], h.BatchSpans, last, time.Now())
		return batch, n, n > 0
	})
	h.progress[h.host].Store(last)
}

// inFlight sends the batches that next makes, several at a time, until it makes none
// or stop is done.
func (h *hostSender) inFlight(ctx, stop context.Context, next func([]byte) ([]byte, int, bool)) {
	var requests sync.WaitGroup
	defer requests.Wait()
	free := make(chan []byte, h.InFlight)
	for range h.InFlight {
		free <- nil
	}
	for stop.Err() == nil && ctx.Err() == nil {
		var buffer []byte
		select {
		case buffer = <-free:
		case <-stop.Done():
			return
		}
		duplicates := h.generator.Duplicates
		batch, n, ok := next(buffer)
		if !ok {
			return
		}
		duplicates = h.generator.Duplicates - duplicates
		requests.Go(func() {
			if h.export(ctx, batch, n) {
				h.Sent.Add(uint64(n))
				h.Duplicates.Add(duplicates)
			}
			free <- batch
		})
	}
}

// maxAhead is by how many traces one host may be ahead of another one. Both take part
// in the same requests.
const maxAhead = 2000

// keepUp waits until the other hosts are not too far behind.
func (s *Sender) keepUp(stop context.Context, trace uint64) bool {
	for stop.Err() == nil {
		slowest := trace
		for i := range s.progress {
			slowest = min(slowest, s.progress[i].Load())
		}
		if trace <= slowest+maxAhead {
			return true
		}
		time.Sleep(100 * time.Microsecond)
	}
	return false
}

// pace waits until so many spans of all hosts may have been made by the rate. Hosts have
// different parts in the traces.
func (s *Sender) pace(stop context.Context, begin time.Time, spans float64) bool {
	if s.Rate == 0 {
		return true
	}
	due := begin.Add(time.Duration(spans / s.Rate * float64(time.Second)))
	select {
	case <-stop.Done():
		return false
	case <-time.After(time.Until(due)):
		return true
	}
}

// Times of a request.
const (
	requestTimeout = 30 * time.Second
	retryPause     = 100 * time.Millisecond
)

// export sends a batch until it is acknowledged, as long as the collector asks to try
// again.
func (h *hostSender) export(ctx context.Context, batch []byte, n int) bool {
	for {
		call, cancel := context.WithTimeout(ctx, requestTimeout)
		var reply []byte
		err := h.conn.Invoke(call, exportMethod, &batch, &reply)
		cancel()
		if err == nil {
			return true
		}
		if !retryable(status.Code(err)) {
			h.Rejected.Add(uint64(n))
			return false
		}
		h.Refused.Add(uint64(n))
		select {
		case <-ctx.Done():
			return false
		case <-time.After(retryPause):
		}
	}
}

// retryable tells whether a request may be sent again, by OTLP's specification. The
// collector answers RESOURCE_EXHAUSTED when its memory is used up.
func retryable(c codes.Code) bool {
	switch c {
	case codes.Canceled, codes.DeadlineExceeded, codes.Aborted, codes.OutOfRange, codes.Unavailable, codes.DataLoss, codes.ResourceExhausted:
		return true
	}
	return false
}
