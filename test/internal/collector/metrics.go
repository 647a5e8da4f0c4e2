package collector

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// Metrics are samples in Prometheus's text form, by name and labels.
type Metrics map[string]float64

// ParseMetrics reads samples; what is none is left out.
func ParseMetrics(text string) Metrics {
	m := Metrics{}
	for line := range strings.Lines(text) {
		at := strings.LastIndexByte(strings.TrimSpace(line), ' ')
		if at < 0 || line[0] == '#' {
			continue
		}
		if v, err := strconv.ParseFloat(strings.TrimSpace(line[at:]), 64); err == nil {
			m[line[:at]] = v
		}
	}
	return m
}

// Sum adds up the samples of a metric.
func (m Metrics) Sum(name string) (sum float64) {
	for key, v := range m {
		if named(key, name) {
			sum += v
		}
	}
	return sum
}

// named tells whether a sample belongs to a metric; the exporter may add a suffix.
func named(key, name string) bool {
	base, _, _ := strings.Cut(key, "{")
	return base == name || base == name+"_total"
}

// Quantile returns a quantile of what a histogram counted since before, by linear
// interpolation in its bucket; the lower bound of the last one; 0 when it counted nothing.
func (m Metrics) Quantile(name string, q float64, before Metrics) float64 {
	type bucket struct{ le, count float64 }
	var buckets []bucket
	for key, v := range m {
		if !strings.HasPrefix(key, name+"_bucket{") {
			continue
		}
		_, rest, _ := strings.Cut(key, `le="`)
		text, _, _ := strings.Cut(rest, `"`)
		le, err := strconv.ParseFloat(text, 64)
		if err != nil {
			le = math.Inf(1)
		}
		buckets = append(buckets, bucket{le, v - before[key]})
	}
	slices.SortFunc(buckets, func(a, b bucket) int {
		if a.le < b.le {
			return -1
		}
		return 1
	})
	if len(buckets) == 0 || buckets[len(buckets)-1].count == 0 {
		return 0
	}
	want := q * buckets[len(buckets)-1].count
	lower, below := 0.0, 0.0
	for _, b := range buckets {
		if b.count >= want {
			if math.IsInf(b.le, 1) {
				return lower
			}
			return lower + (b.le-lower)*(want-below)/(b.count-below)
		}
		lower, below = b.le, b.count
	}
	return lower
}
