package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// Faults of other tracers, each with the workload that shows it.

// A context slot for each thread is overwritten by an event loop that reads the next request
// before it has called for the last one.
func TestThreadSlotOverwrittenByEventLoop(t *testing.T) {
	for _, reuse := range []bool{true, false} {
		assertExact(t, cellOf(t, "node-chain", reuse))
		assertExact(t, cellOf(t, "nginx", reuse))
	}
}

// A context that the first outgoing call consumes leaves the others without a parent.
func TestContextConsumedByFirstCall(t *testing.T) {
	for _, workload := range []string{"python-sequence", "node-sequence", "go-fanout", "go-nplus1"} {
		assertExact(t, cellOf(t, workload, true))
		assertExact(t, cellOf(t, workload, false))
	}
}

// A job that goes through a channel to a goroutine that was there before belongs to the
// request that sent it, not to another one.
func TestChannelHandOff(t *testing.T) {
	for _, reuse := range []bool{true, false} {
		assertMostly(t, cellOf(t, "go-workers", reuse))
	}
}

// What is known of a program's name must not matter: nginx under another one is linked as well.
func TestNoProgramIsSpecialByName(t *testing.T) {
	assertExact(t, cellOf(t, renamed, true))
	assertExact(t, cellOf(t, "nginx", true))
}

// Calls of a Java pool were on another request's trace in 15.8 of 100 cases.
func TestJavaPool(t *testing.T) {
	for _, reuse := range []bool{true, false} {
		assertMostly(t, cellOf(t, "java-handoff", reuse))
	}
}

// A thread that is woken, by an interpreter's lock as well, is no evidence by itself: nor is the
// thread that read a request where a reactor reads all.
func TestInterpretersPools(t *testing.T) {
	for _, reuse := range []bool{true, false} {
		assertMostly(t, cellOf(t, "python-pool", reuse))
		assertMostly(t, cellOf(t, "ruby-puma", reuse))
	}
}

// One thread receives all answers, and yet another one answers the request.
func TestCompletionsBySelector(t *testing.T) {
	assertMostly(t, cellOf(t, "java-async", true))
}

// A context that outlives its request makes all that follows part of one trace, which grew to
// 45,000 spans: a call after the response begins a trace of its own.
func TestStaleContextGrowsNoTrace(t *testing.T) {
	for _, reuse := range []bool{true, false} {
		c := cellOf(t, "node-after-response", reuse)
		assertExact(t, c)
		assert.Equal(t, 2, c.LargestTrace, "a call and its answer")
	}
	for _, workload := range []string{"go-workers", "java-handoff"} {
		assert.LessOrEqual(t, cellOf(t, workload, true).LargestTrace, 3*8, "%s: that of few requests at most", workload)
	}
}
