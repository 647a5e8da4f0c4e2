package main

import (
	"fmt"

	"github.com/seqlink/seqlink/examples/run"
	"github.com/seqlink/seqlink/test/accuracy/score"
)

// cell is one run: a workload with so many requests in flight.
type cell struct {
	Workload string `json:"workload"`
	InFlight int    `json:"in_flight"`
	Reuse    bool   `json:"reuse"`
	*score.Result
	// Losses are what the agent counted as lost, by reason.
	Losses run.Losses `json:"losses"`
	// CPUMicros is the collector's CPU time in microseconds for each request at the front.
	CPUMicros float64 `json:"agent_cpu_us_per_request"`
	// Short says where the result is less than wanted.
	Short []string `json:"short"`
	// Broken says why the result means nothing.
	Broken string `json:"broken,omitempty"`

	wanted wanted
}

// name is also that of the cell's recording.
func (c *cell) name() string {
	return fmt.Sprintf("%s-%d-reuse-%s", c.Workload, c.InFlight, onOff(c.Reuse))
}

// traffic is what was sent to a workload.
type traffic struct {
	// Warm is how many requests came first and are not scored; they have the tokens before
	// First.
	Warm int `json:"warm"`
	// First is the token of the first request that is scored, Requests how many there are.
	First    int `json:"first"`
	Requests int `json:"requests"`
}

// tokens are those that are scored.
func (t *traffic) tokens() []string {
	tokens := make([]string, t.Requests)
	for i := range tokens {
		tokens[i] = fmt.Sprint(t.First + i)
	}
	return tokens
}

// score sets the result.
func (c *cell) score(spans []run.Span, plan score.Plan, t *traffic) {
	c.Result = score.Score(spans, plan, t.tokens())
	c.Short = c.short()
	if c.Missing > 0 || c.Extra > 0 {
		c.Broken = fmt.Sprintf("%d spans missing, %d too many; lost: %s", c.Missing, c.Extra, c.Losses)
	}
}
