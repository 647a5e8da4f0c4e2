package run

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
)

// Sink is an OTLP/HTTP endpoint that keeps the spans it gets.
type Sink struct {
	Spans
	// Endpoint is what the exporter's endpoint is set to.
	Endpoint string

	server *http.Server
}

// StartSink starts a sink on a loopback port.
func StartSink() (*Sink, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for spans: %w", err)
	}
	sink := &Sink{Endpoint: "http://" + listener.Addr().String()}
	sink.server = &http.Server{Handler: &sink.Spans, ReadHeaderTimeout: time.Minute}
	go func() { _ = sink.server.Serve(listener) }()
	return sink, nil
}

// Close ends the sink.
func (s *Sink) Close() error { return s.server.Close() }

// ServeHTTP takes one OTLP export request in protobuf, uncompressed.
func (s *Spans) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	request := ptraceotlp.NewExportRequest()
	if err := request.UnmarshalProto(body); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.Add(request.Traces())
	w.Header().Set("Content-Type", "application/x-protobuf")
	response, _ := ptraceotlp.NewExportResponse().MarshalProto()
	_, _ = w.Write(response)
}

// Await returns when at least n spans came, or none came for quiet.
func (s *Spans) Await(ctx context.Context, n int, quiet time.Duration) error {
	return s.AwaitThose(ctx, n, quiet, func(*Span) bool { return true })
}

// AwaitThose is Await for spans of a kind.
func (s *Spans) AwaitThose(ctx context.Context, n int, quiet time.Duration, those func(*Span) bool) error {
	seen, since := s.count(those), time.Now()
	for {
		now := s.count(those)
		if now >= n {
			return nil
		}
		if now != seen {
			seen, since = now, time.Now()
		}
		if time.Since(since) > quiet {
			return fmt.Errorf("%d of %d spans came, and none in the last %s", seen, n, quiet)
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), fmt.Errorf("%d of %d spans came", seen, n))
		case <-time.After(50 * time.Millisecond):
		}
	}
}
