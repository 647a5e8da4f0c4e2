package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// assertFewWrong has hardly a call under a request that did not cause it, and no trace grow.
func assertFewWrong(t *testing.T, c *cell, share float64) {
	t.Helper()
	assert.LessOrEqual(t, float64(c.WrongParents), share*float64(c.Calls), c.Examples)
	assert.LessOrEqual(t, c.OverMerged, c.WrongParents)
	assert.Empty(t, c.Broken)
	assert.Positive(t, c.Calls)
}

// A call that begins after the response is not the child of the request that is read next on the
// same connection or by the same loop.
func TestCallsAfterTheResponse(t *testing.T) {
	for _, workload := range []string{"go-after-response", "asyncio-after-response", "node-after-response"} {
		for _, reuse := range []bool{true, false} {
			assertFewWrong(t, cellOf(t, workload, reuse), 0.01)
		}
	}
	for _, reuse := range []bool{true, false} {
		c := cellOf(t, "go-after-response", reuse)
		assert.GreaterOrEqual(t, c.AfterResponse, c.Calls/2, "goroutines say which request a call follows")
	}
}

// The id that one proxy gives and the next one passes on says which call is whose.
func TestIDsInPayloads(t *testing.T) {
	for _, reuse := range []bool{true, false} {
		c := cellOf(t, "haproxy-request-id", reuse)
		assertFewWrong(t, c, 0.005)
		assert.InDelta(t, 0.5, c.Methods["payload"], 0, "all calls of the second proxy")
		assert.InDelta(t, 1, c.Calibration["payload"].Right, 0)
	}
}

// One call for several requests is linked to each of them.
func TestCallsThatServeSeveral(t *testing.T) {
	for _, workload := range []string{"go-singleflight", "node-batch"} {
		c := cellOf(t, workload, true)
		few := 0.02 * float64(c.Calls)
		assert.LessOrEqual(t, float64(c.WrongParents), few, c.Examples)
		// A call may be the child of a request that it serves, too, though it was another one that began it.
		assert.LessOrEqual(t, float64(c.OverMerged), few)
		assert.Empty(t, c.Broken)
		assert.GreaterOrEqual(t, c.Recall, 0.7, workload)
	}
}

// Requests that stay open, and connections that were upgraded, make no trace that all else
// becomes part of.
func TestLongRequestsGrowNoTrace(t *testing.T) {
	for _, workload := range []string{"node-longpoll", "go-websocket", "node-websocket"} {
		c := cellOf(t, workload, true)
		assertFewWrong(t, c, 0.15)
		assert.LessOrEqual(t, c.LargestTrace, 3*4, "%s: that of few requests", workload)
	}
}
