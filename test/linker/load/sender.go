package load

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
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

	// Sent counts the spans that were acknowledged, Duplicates those that came twice,
	// Refused the attempts that the collector refused, in spans.
	Sent, Duplicates, Refused atomic.Uint64
}

// Run sends until ctx is done. Refused requests are sent again.
func (s *Sender) Run(ctx context.Context) error {
	conn, err := grpc.NewClient(s.Endpoint, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.ForceCodec(RawCodec{})),
		grpc.WithWriteBufferSize(256<<10), grpc.WithInitialWindowSize(4<<20), grpc.WithInitialConnWindowSize(16<<20))
	if err != nil {
		return fmt.Errorf("connect to %s: %w", s.Endpoint, err)
	}
	defer conn.Close()
	var hosts sync.WaitGroup
	for host := range Hosts {
		hosts.Go(func() { s.host(ctx, conn, host) })
	}
	hosts.Wait()
	return nil
}

// host sends the batches of one host.
func (s *Sender) host(ctx context.Context, conn *grpc.ClientConn, host int) {
	g := NewGenerator(host, s.First, s.Mix)
	var requests sync.WaitGroup
	defer requests.Wait()
	free := make(chan []byte, s.InFlight)
	for range s.InFlight {
		free <- nil
	}
	begin := time.Now()
	for ctx.Err() == nil {
		s.progress[host].Store(g.next)
		if !s.keepUp(ctx, g.next) || !s.pace(ctx, begin, g.Spans) {
			return
		}
		var buffer []byte
		select {
		case buffer = <-free:
		case <-ctx.Done():
			return
		}
		duplicates := g.Duplicates
		batch, n := g.Batch(buffer[:0], s.BatchSpans, time.Now())
		duplicates = g.Duplicates - duplicates
		requests.Go(func() {
			if s.export(ctx, conn, batch, n) {
				s.Duplicates.Add(duplicates)
			}
			free <- batch
		})
	}
}

// maxAhead is by how many traces one host may be ahead of another one. Both take part
// in the same requests.
const maxAhead = 2000

// keepUp waits until the other hosts are not too far behind.
func (s *Sender) keepUp(ctx context.Context, trace uint64) bool {
	for ctx.Err() == nil {
		slowest := trace
		for i := range s.progress {
			slowest = min(slowest, max(s.progress[i].Load(), s.First))
		}
		if trace <= slowest+maxAhead {
			return true
		}
		time.Sleep(100 * time.Microsecond)
	}
	return false
}

// pace waits until spans may be made by the rate; each host has its part of it.
func (s *Sender) pace(ctx context.Context, begin time.Time, spans uint64) bool {
	if s.Rate == 0 {
		return true
	}
	due := begin.Add(time.Duration(float64(spans) * Hosts / s.Rate * float64(time.Second)))
	select {
	case <-ctx.Done():
		return false
	case <-time.After(time.Until(due)):
		return true
	}
}

// export sends a batch until it is acknowledged. It is not cut off by ctx, so that
// what was sent is known to have come.
func (s *Sender) export(ctx context.Context, conn *grpc.ClientConn, batch []byte, n int) bool {
	for {
		call, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		var reply []byte
		err := conn.Invoke(call, exportMethod, &batch, &reply)
		cancel()
		if err == nil {
			s.Sent.Add(uint64(n))
			return true
		}
		s.Refused.Add(uint64(n))
		select {
		case <-ctx.Done():
			return false
		case <-time.After(100 * time.Millisecond):
		}
	}
}
