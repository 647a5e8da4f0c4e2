package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const wrkReport = `Running 4s test @ http://127.0.0.1:8080/
  1 threads and 32 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency   612.34us  100.00us   5.00ms   90.00%
    Req/Sec    52.00k     1.00k   55.00k    70.00%
  Latency Distribution
     50%  601.00us
     75%  650.00us
     90%  700.00us
     99%    1.20ms
  208000 requests in 4.00s, 30.00MB read
Requests/sec:  52000.00
Transfer/sec:      7.50MB
`

func TestParseWrk(t *testing.T) {
	a, err := parseWrk(wrkReport)
	require.NoError(t, err)
	assert.Equal(t, answers{requests: 208000, perSecond: 52000, p50: 601 * time.Microsecond, p99: 1200 * time.Microsecond}, a)
	_, err = parseWrk(wrkReport + "  Socket errors: connect 0, read 3, write 0, timeout 0\n")
	require.ErrorContains(t, err, "read 3")
	_, err = parseWrk("unable to connect")
	require.Error(t, err)
}

func TestParseRedisBenchmark(t *testing.T) {
	a, err := parseRedisBenchmark(`"test","rps","avg_latency_ms","min_latency_ms","p50_latency_ms","p95_latency_ms","p99_latency_ms","max_latency_ms"
"GET","123456.79","0.130","0.040","0.127","0.175","0.231","1.111"
`)
	require.NoError(t, err)
	assert.Equal(t, answers{perSecond: 123456.79, p50: 127 * time.Microsecond, p99: 231 * time.Microsecond}, a)
	_, err = parseRedisBenchmark("Could not connect")
	require.Error(t, err)
}
