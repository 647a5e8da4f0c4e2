package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/seqlink/seqlink/test/internal/collector"
)

// connectionLosses are reasons that count connections or messages of a protocol that is
// not known, not requests that should have become spans.
var connectionLosses = []string{"protocol_unknown"}

// account adds the agent's losses to c, and the requests for which it has neither a span
// nor a loss. Of tolerated requests at the ends of the loads nobody knows whether they were
// served.
func (c *comparison) account(agent *collector.Collector, s *server, requests, tolerated float64) error {
	telemetry, err := settled(agent)
	if err != nil {
		return err
	}
	lost := lossesOf(telemetry)
	leftOut := telemetry.Sum(metricThinned)
	explained := telemetry.Sum(metricSpans) + leftOut
	for reason, n := range lost {
		c.Lost[reason] += n
		explained += n
	}
	for _, reason := range connectionLosses {
		explained -= lost[reason]
	}
	if !s.http {
		return nil // nobody knows its protocol
	}
	c.Unexplained += unexplained(requests, telemetry.Sum(metricSpans)+leftOut, explained, tolerated)
	return nil
}

// unexplained counts requests without span or loss, or spans beyond the requests. Those
// that were left out on purpose count as spans.
func unexplained(requests, spans, explained, tolerated float64) float64 {
	return max(0, requests-explained) + max(0, spans-requests-tolerated)
}

// settled returns the agent's metrics when no more spans come.
func settled(agent *collector.Collector) (collector.Metrics, error) {
	last := -1.0
	for range 60 {
		telemetry, err := agent.Scrape()
		if err != nil {
			return nil, err
		}
		if now := telemetry.Sum(metricSpans) + telemetry.Sum(metricEvents); now == last {
			return telemetry, nil
		} else {
			last = now
		}
		time.Sleep(time.Second)
	}
	return nil, fmt.Errorf("the agent still makes spans after a minute without load")
}

// lossesOf returns what was counted by reason, without reasons that did not occur.
func lossesOf(telemetry collector.Metrics) map[string]float64 {
	lost := map[string]float64{}
	for key, n := range telemetry {
		if !strings.HasPrefix(key, metricLosses) || n == 0 {
			continue
		}
		_, rest, _ := strings.Cut(key, `reason="`)
		reason, _, _ := strings.Cut(rest, `"`)
		lost[reason] += n
	}
	return lost
}
