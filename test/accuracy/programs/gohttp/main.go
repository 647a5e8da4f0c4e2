// Command gohttp is a net/http service. What a request does is its SHAPE:
//
//	one       one call
//	fanout    a call to each next service at once, in goroutines of an errgroup
//	nplus1    a call, and then four more to the same service, one after the other
//	retry     a call that is answered with 503, and then another
//	hedged    a call to each next service at once; the first answer counts, and the other
//	          calls go on
//	streaming one call, between the first and the last part of the response
//	timer     one call; a goroutine of its own calls every 5 ms, for no request
//	after     a call in the background, after the response was written
//	websocket one call; over an upgraded connection of the service to itself goes a message
//	          every 5 ms, for each of which it calls, for no request
//	workers   one call, made by one of WORKERS goroutines that were started before and are
//	          fed by a channel
//
// REUSE=off makes a connection for each call. The token goes along in the query.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptrace"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// service is what the environment says.
type service struct {
	next   []string
	client http.Client
	jobs   chan job
}

// job is a call that a worker makes.
type job struct {
	ctx   context.Context
	truth string
	done  chan error
}

func main() {
	s := &service{next: strings.Split(os.Getenv("NEXT"), ","), jobs: make(chan job)}
	s.client.Transport = &http.Transport{MaxIdleConnsPerHost: 1024, DisableKeepAlives: os.Getenv("REUSE") == "off"}
	shapes := map[string]func(context.Context, string) error{
		"one": s.one, "fanout": s.fanout, "nplus1": s.nplus1, "retry": s.retry, "workers": s.work, "hedged": s.hedged,
		"timer": s.one, "websocket": s.one,
	}
	shape := os.Getenv("SHAPE")
	switch shape {
	case "workers":
		s.startWorkers()
	case "timer":
		go s.callByTimer()
	case "websocket":
		http.HandleFunc("/messages", s.messages)
		go sendMessages(os.Getenv("LISTEN"))
	}
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		truth := r.URL.Query().Get("truth")
		switch shape {
		case "after":
			s.after(w, truth)
			return
		case "streaming":
			s.streaming(r.Context(), w, truth)
			return
		}
		if err := shapes[shape](r.Context(), truth); err != nil {
			log.Print(err)
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		fmt.Fprintf(w, "answer to %s\n", truth)
	})
	log.Fatal(http.ListenAndServe(os.Getenv("LISTEN"), nil))
}

var errUnavailable = errors.New("unavailable")

// call asks a next service, and checks that its answer is to this request.
func (s *service) call(ctx context.Context, number int, truth, more string) error {
	url := fmt.Sprintf("http://%s/call%d?truth=%s%s", s.next[number], number, truth, more)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := s.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if !strings.Contains(string(body), truth) {
		return fmt.Errorf("%s was answered with %q", truth, body)
	}
	if response.StatusCode == http.StatusServiceUnavailable {
		return errUnavailable
	}
	return nil
}

func (s *service) one(ctx context.Context, truth string) error { return s.call(ctx, 0, truth, "") }

func (s *service) fanout(ctx context.Context, truth string) error {
	group, ctx := errgroup.WithContext(ctx)
	for number := range s.next {
		group.Go(func() error { return s.call(ctx, number, truth, "") })
	}
	return group.Wait()
}

func (s *service) nplus1(ctx context.Context, truth string) error {
	for item := range 5 {
		if err := s.call(ctx, 0, truth, "&item="+strconv.Itoa(item)); err != nil {
			return err
		}
	}
	return nil
}

func (s *service) retry(ctx context.Context, truth string) error {
	if err := s.call(ctx, 0, truth, "&fail=1"); !errors.Is(err, errUnavailable) {
		return fmt.Errorf("the first answer was not a refusal but %w", err)
	}
	return s.call(ctx, 0, truth, "")
}

// hedged answers when all calls are written and one is answered: none begins after that.
func (s *service) hedged(_ context.Context, truth string) error {
	written, answers := make(chan struct{}, len(s.next)), make(chan error, len(s.next))
	ctx := httptrace.WithClientTrace(context.Background(), &httptrace.ClientTrace{
		WroteRequest: func(httptrace.WroteRequestInfo) { written <- struct{}{} },
	})
	for number := range s.next {
		go func() { answers <- s.call(ctx, number, truth, "") }()
	}
	for range s.next {
		<-written
	}
	return <-answers
}

// streaming has the head and a first part of the response written before it calls.
func (s *service) streaming(ctx context.Context, w http.ResponseWriter, truth string) {
	fmt.Fprintln(w, "answer")
	err := http.NewResponseController(w).Flush()
	if err := errors.Join(err, s.call(ctx, 0, truth, "")); err != nil {
		log.Print(err)
		return
	}
	fmt.Fprintf(w, "to %s\n", truth)
}

// after has the whole response written before it begins to call.
func (s *service) after(w http.ResponseWriter, truth string) {
	body := "answer to " + truth + "\n"
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	fmt.Fprint(w, body)
	if err := http.NewResponseController(w).Flush(); err != nil {
		log.Print(err)
		return
	}
	go func() {
		if err := s.call(context.Background(), 0, truth, ""); err != nil {
			log.Print(err)
		}
	}()
}

func (s *service) callByTimer() {
	for range time.Tick(5 * time.Millisecond) {
		if err := s.call(context.Background(), 0, "none", ""); err != nil {
			log.Print(err)
		}
	}
}

func (s *service) startWorkers() {
	workers, err := strconv.Atoi(os.Getenv("WORKERS"))
	if err != nil {
		log.Fatalf("WORKERS: %v", err)
	}
	for range workers {
		go func() {
			for j := range s.jobs {
				j.done <- s.call(j.ctx, 0, j.truth, "")
			}
		}()
	}
}

func (s *service) work(ctx context.Context, truth string) error {
	j := job{ctx, truth, make(chan error)}
	s.jobs <- j
	return <-j.done
}
