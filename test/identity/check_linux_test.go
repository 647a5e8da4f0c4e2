package identity

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
)

// outcome compares spans with the requests that were sent.
type outcome struct {
	requests int
	// matched counts requests whose server span is the child of their client span,
	// wrong those whose server span is the child of another request's.
	matched, wrong int
	// clients and servers count requests with exactly one span of the kind.
	clients, servers int
	// unanswered counts spans without the answer's status.
	unanswered int
	// duplicates counts ids that several spans have, unasked spans of no request.
	duplicates, unasked int
}

func (o outcome) String() string {
	return fmt.Sprintf("%d requests: %d matched, %d false matches, %d with a client span, %d with a server span, %d without an answer, %d ids twice, %d unasked spans",
		o.requests, o.matched, o.wrong, o.clients, o.servers, o.unanswered, o.duplicates, o.unasked)
}

// compare looks at the requests first to first+requests-1.
func compare(spans []seen, first, requests int) outcome {
	o := outcome{requests: requests}
	clients, servers := make(map[int64][]seen), make(map[int64][]seen)
	owner := make(map[uint64]int64, len(spans))
	for _, s := range spans {
		if s.Request < 0 {
			continue // it is not compared
		}
		if s.Request < int64(first) || s.Request >= int64(first+requests) {
			o.unasked++
			continue
		}
		if _, taken := owner[s.ID]; taken {
			o.duplicates++
		}
		if s.Status != "200" {
			o.unanswered++
		}
		if s.Client {
			clients[s.Request] = append(clients[s.Request], s)
			owner[s.ID] = s.Request
		} else {
			servers[s.Request] = append(servers[s.Request], s)
		}
	}
	for number := int64(first); number < int64(first+requests); number++ {
		o.add(number, clients[number], servers[number], owner)
	}
	return o
}

func (o *outcome) add(number int64, clients, servers []seen, owner map[uint64]int64) {
	if len(clients) == 1 {
		o.clients++
	}
	if len(servers) == 1 {
		o.servers++
	}
	for _, s := range servers {
		if parent, ok := owner[s.Parent]; ok && parent != number {
			o.wrong++
		}
	}
	if len(clients) == 1 && len(servers) == 1 && servers[0].Parent == clients[0].ID {
		o.matched++
	}
}

// checkAll demands that both ends of every request were seen and named alike, and that
// nothing was lost.
func checkAll(t *testing.T, a *agent, first, requests int) []seen {
	t.Helper()
	a.await(2 * requests)
	spans, losses := a.finish()
	got := compare(spans, first, requests)
	t.Log(got)
	assert.Equal(t, outcome{requests: requests, matched: requests, clients: requests, servers: requests}, got)
	for _, reason := range slices.Sorted(maps.Keys(losses)) {
		assert.Zero(t, losses[reason], "losses: %s", reason)
	}
	return spans
}

// peers returns the different addresses that one kind of spans names as the peer's.
func peers(spans []seen, client bool) []string {
	found := make(map[string]bool)
	for _, s := range spans {
		if s.Client == client {
			found[s.Peer] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}
