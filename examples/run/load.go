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
	"time"
)

// Load sends requests whose paths end in an id of their own each. They leave in
// bursts of InFlight at once, so that the services do have so many at a time.
type Load struct {
	// URL is what the id is appended to.
	URL string
	// Rate is the number of requests per second, InFlight that of each burst.
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
}

// Client keeps its connections, so that one made to warm the services up goes on
// with those later.
type Client struct {
	http *http.Client
}

// NewClient returns a client for at most inFlight connections.
func NewClient(inFlight int) *Client {
	return &Client{&http.Client{
		Timeout:   30 * time.Second,
		Transport: &http.Transport{MaxIdleConnsPerHost: inFlight, MaxConnsPerHost: inFlight},
	}}
}

// Close closes the idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Send puts the load on, until all is answered or ctx ends.
func (c *Client) Send(ctx context.Context, load Load) *Outcome {
	outcome := &Outcome{Statuses: map[int]int{}}
	var mutex sync.Mutex
	var group sync.WaitGroup
	pace := time.NewTicker(time.Second * time.Duration(load.InFlight) / time.Duration(load.Rate))
	defer pace.Stop()
	for sent := 0; sent < load.Requests && ctx.Err() == nil; {
		for range min(load.InFlight, load.Requests-sent) {
			id := strconv.Itoa(load.First + sent)
			sent++
			group.Go(func() {
				status, err := c.get(ctx, load.URL, id)
				mutex.Lock()
				defer mutex.Unlock()
				outcome.add(id, status, err)
			})
		}
		select {
		case <-pace.C:
		case <-ctx.Done():
		}
	}
	group.Wait()
	return outcome
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
