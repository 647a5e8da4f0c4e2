package run

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Load sends requests whose targets end in an id of their own each. With a Rate they
// leave in bursts of InFlight at once, so that the services do have so many at a time;
// without one each answer is followed by the next request, so that there are always so many.
type Load struct {
	// URL is what the id is appended to.
	URL string
	// Rate is the number of requests per second or 0, InFlight that of each burst.
	Rate, InFlight int
	// Requests is how many to send.
	Requests int
	// First is the first id; the others follow it.
	First int
}

// Outcome is what came of a load.
type Outcome struct {
	// IDs are those whose response came whole.
	IDs []string
	// Statuses counts responses by status.
	Statuses map[int]int
	// Errors are the requests that got no response.
	Errors []error

	mutex sync.Mutex
}

// Client keeps its connections, so that one made to warm the services up goes on
// with those later.
type Client struct {
	http *http.Client
}

// NewClient returns a client for at most inFlight connections.
func NewClient(inFlight int) *Client {
	return newClient(&http.Transport{MaxIdleConnsPerHost: inFlight, MaxConnsPerHost: inFlight})
}

// NewClosingClient returns a client that makes a connection for each request.
func NewClosingClient() *Client {
	return newClient(&http.Transport{DisableKeepAlives: true})
}

func newClient(transport *http.Transport) *Client {
	return &Client{&http.Client{Timeout: 30 * time.Second, Transport: transport}}
}

// Close closes the idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Send puts the load on, until all is answered or ctx ends.
func (c *Client) Send(ctx context.Context, load Load) *Outcome {
	if load.Rate == 0 {
		return c.sendClosed(ctx, load)
	}
	outcome := &Outcome{Statuses: map[int]int{}}
	var group sync.WaitGroup
	pace := time.NewTicker(time.Second * time.Duration(load.InFlight) / time.Duration(load.Rate))
	defer pace.Stop()
	for sent := 0; sent < load.Requests && ctx.Err() == nil; {
		for range min(load.InFlight, load.Requests-sent) {
			id := load.First + sent
			sent++
			group.Go(func() { c.send(ctx, load.URL, id, outcome) })
		}
		select {
		case <-pace.C:
		case <-ctx.Done():
		}
	}
	group.Wait()
	return outcome
}

// sendClosed has each of InFlight senders wait for its answer before it goes on.
func (c *Client) sendClosed(ctx context.Context, load Load) *Outcome {
	outcome := &Outcome{Statuses: map[int]int{}}
	var group sync.WaitGroup
	var sent atomic.Int64
	for range load.InFlight {
		group.Go(func() {
			for ctx.Err() == nil {
				n := int(sent.Add(1))
				if n > load.Requests {
					return
				}
				c.send(ctx, load.URL, load.First+n-1, outcome)
			}
		})
	}
	group.Wait()
	return outcome
}

func (c *Client) send(ctx context.Context, url string, number int, outcome *Outcome) {
	id := strconv.Itoa(number)
	status, err := c.get(ctx, url, id)
	outcome.mutex.Lock()
	defer outcome.mutex.Unlock()
	outcome.add(id, status, err)
}

func (o *Outcome) add(id string, status int, err error) {
	if err != nil {
		o.Errors = append(o.Errors, err)
		return
	}
	o.IDs = append(o.IDs, id)
	o.Statuses[status]++
}

func (c *Client) get(ctx context.Context, url, id string) (int, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url+id, nil)
	if err != nil {
		return 0, fmt.Errorf("request %s: %w", id, err)
	}
	response, err := c.http.Do(request)
	if err != nil {
		return 0, fmt.Errorf("request %s: %w", id, err)
	}
	body, err := io.ReadAll(response.Body)
	if err := errors.Join(err, response.Body.Close()); err != nil {
		return 0, fmt.Errorf("request %s: %w", id, err)
	}
	if response.StatusCode == http.StatusBadGateway || !strings.Contains(string(body), id) {
		return 0, fmt.Errorf("request %s: unexpected answer %d %q", id, response.StatusCode, body)
	}
	return response.StatusCode, nil
}
