package tracetreeexporter

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestFormatDuration(t *testing.T) {
	tests := map[uint64]string{
		0:                                   "0ns",
		999:                                 "999ns",
		1000:                                "1.00µs",
		12_345:                              "12.3µs",
		999_499:                             "999µs",
		999_500:                             "1.00ms",
		12_345_678:                          "12.3ms",
		123_456_789:                         "123ms",
		uint64(1500 * time.Millisecond):     "1.50s",
		uint64(59*time.Second + 960*ms):     "1m0s",
		uint64(2*time.Minute + time.Second): "2m1s",
		math.MaxUint64:                      "2562047h47m16s",
	}
	for ns, want := range tests {
		assert.Equal(t, want, formatDuration(ns), "%d ns", ns)
	}
}
