// Command gogrpc is a service of gRPC's. What comes in is IN, what goes out OUT: http or grpc.
// What a request does is its SHAPE:
//
//	one     one call
//	fanout  three calls at once, in goroutines of an errgroup
//	stream  three calls by the messages of one stream of its own; the service answers each
//	workers one call, made by one of 32 goroutines that were started before and are fed by a channel
//
// All calls share two connections. The token goes along as the method's name, or in the query.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

const (
	connections = 2
	workers     = 32
	method      = "/chain.Chain/truth="
)

// service is what the environment says.
type service struct {
	next   string
	shape  string
	grpc   bool
	clones [connections]*grpc.ClientConn
	turn   atomic.Uint64
	http   http.Client
	jobs   chan job
}

// job is a call that a worker makes.
type job struct {
	ctx   context.Context
	truth string
	done  chan error
}

func main() {
	s := &service{next: os.Getenv("NEXT"), shape: os.Getenv("SHAPE"), grpc: os.Getenv("OUT") == "grpc", jobs: make(chan job)}
	s.http.Transport = &http.Transport{MaxIdleConnsPerHost: 1024}
	for i := range s.clones {
		clone, err := grpc.NewClient(s.next, grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			log.Fatal(err)
		}
		s.clones[i] = clone
	}
	if s.shape == "workers" {
		s.startWorkers()
	}
	if os.Getenv("IN") == "grpc" {
		log.Fatal(s.serveGRPC(os.Getenv("LISTEN")))
	}
	log.Fatal(http.ListenAndServe(os.Getenv("LISTEN"), http.HandlerFunc(s.serveHTTP)))
}

func (s *service) serveHTTP(w http.ResponseWriter, r *http.Request) {
	truth := r.URL.Query().Get("truth")
	if err := s.work(r.Context(), truth); err != nil {
		log.Print(err)
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	fmt.Fprintf(w, "answer to %s\n", truth)
}

func (s *service) serveGRPC(address string) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	return grpc.NewServer(grpc.UnknownServiceHandler(s.handle)).Serve(listener)
}

// handle answers each message of a stream; a plain call has one.
func (s *service) handle(_ any, stream grpc.ServerStream) error {
	name, _ := grpc.MethodFromServerStream(stream)
	truth, found := strings.CutPrefix(name, method)
	if !found {
		return fmt.Errorf("unknown method %s", name)
	}
	for {
		var asked wrapperspb.StringValue
		switch err := stream.RecvMsg(&asked); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		if err := s.work(stream.Context(), truth); err != nil {
			log.Print(err)
			return err
		}
		if err := stream.SendMsg(wrapperspb.String("answer to " + truth)); err != nil {
			return err
		}
	}
}

// work does what the shape is.
func (s *service) work(ctx context.Context, truth string) error {
	switch s.shape {
	case "fanout":
		group, ctx := errgroup.WithContext(ctx)
		for range 3 {
			group.Go(func() error { return s.call(ctx, truth) })
		}
		return group.Wait()
	case "stream":
		return s.stream(ctx, truth)
	case "workers":
		j := job{ctx, truth, make(chan error)}
		s.jobs <- j
		return <-j.done
	}
	return s.call(ctx, truth)
}

func (s *service) startWorkers() {
	for range workers {
		go func() {
			for j := range s.jobs {
				j.done <- s.call(j.ctx, j.truth)
			}
		}()
	}
}

func (s *service) connection() *grpc.ClientConn { return s.clones[s.turn.Add(1)%connections] }

// call asks the next service, and checks that its answer is to this request.
func (s *service) call(ctx context.Context, truth string) error {
	if !s.grpc {
		return s.get(ctx, truth)
	}
	var answer wrapperspb.StringValue
	if err := s.connection().Invoke(ctx, method+truth, wrapperspb.String("a question"), &answer); err != nil {
		return err
	}
	return check(answer.Value, truth)
}

// stream asks three times in one stream.
func (s *service) stream(ctx context.Context, truth string) error {
	stream, err := s.connection().NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, method+truth)
	if err != nil {
		return err
	}
	for range 3 {
		if err := stream.SendMsg(wrapperspb.String("a question")); err != nil {
			return err
		}
		var answer wrapperspb.StringValue
		if err := stream.RecvMsg(&answer); err != nil {
			return err
		}
		if err := check(answer.Value, truth); err != nil {
			return err
		}
	}
	if err := stream.CloseSend(); err != nil {
		return err
	}
	if err := stream.RecvMsg(new(wrapperspb.StringValue)); !errors.Is(err, io.EOF) {
		return fmt.Errorf("the stream did not end: %w", err)
	}
	return nil
}

func (s *service) get(ctx context.Context, truth string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.next+"/call?truth="+truth, nil)
	if err != nil {
		return err
	}
	response, err := s.http.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	return check(string(body), truth)
}

func check(answer, truth string) error {
	if !strings.Contains(answer, truth) {
		return fmt.Errorf("%s was answered with %q", truth, answer)
	}
	return nil
}
