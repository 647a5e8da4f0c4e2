package collector

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

const scraped = `# HELP lag_seconds how late
# TYPE lag_seconds histogram
lag_bucket{component="a b",le="0.1"} 90
lag_bucket{component="a b",le="0.5"} 98
lag_bucket{component="a b",le="1"} 100
lag_bucket{component="a b",le="+Inf"} 100
lag_sum{component="a b"} 7.5
lag_count{component="a b"} 100
dropped_total{reason="x"} 3
dropped_total{reason="y"} 4
held 1.5e+06
held_bytes 9
`

func TestSum(t *testing.T) {
	m := ParseMetrics(scraped)
	assert.InDelta(t, 7, m.Sum("dropped"), 0)
	assert.InDelta(t, 1.5e6, m.Sum("held"), 0, "and not held_bytes")
	assert.Zero(t, m.Sum("absent"))
}

func TestQuantile(t *testing.T) {
	m := ParseMetrics(scraped)
	assert.InDelta(t, 0.05, m.Quantile("lag", 0.45, nil), 1e-9)
	assert.InDelta(t, 0.75, m.Quantile("lag", 0.99, nil), 1e-9)
	assert.Zero(t, m.Quantile("lag", 0.99, m), "nothing since")
	assert.Zero(t, m.Quantile("absent", 0.99, nil))
}

// What is older than the reading before does not count.
func TestQuantileSince(t *testing.T) {
	before := ParseMetrics(`lag_bucket{le="0.1"} 90
lag_bucket{le="0.5"} 90
lag_bucket{le="+Inf"} 90
`)
	now := ParseMetrics(`lag_bucket{le="0.1"} 90
lag_bucket{le="0.5"} 100
lag_bucket{le="+Inf"} 101
`)
	assert.InDelta(t, 0.3, now.Quantile("lag", 5.0/11, before), 1e-9)
	assert.InDelta(t, 0.5, now.Quantile("lag", 1, before), 1e-9, "the last bucket has no upper bound")
}
