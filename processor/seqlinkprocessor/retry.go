package seqlinkprocessor // import "github.com/seqlink/seqlink/processor/seqlinkprocessor"

import (
	"time"

	"go.uber.org/zap"
)

const (
	minRetryDelay = 100 * time.Millisecond
	maxRetryDelay = 5 * time.Second
)

// retry spaces the attempts to hand over the first batch of the queue: the delay
// doubles from minRetryDelay to maxRetryDelay. The zero value is ready.
type retry struct {
	failures int
	at       time.Time
}

func (r *retry) due(now time.Time) bool { return r.failures == 0 || !now.Before(r.at) }

func (r *retry) delay() time.Duration {
	return min(minRetryDelay<<min(max(r.failures-1, 0), 10), maxRetryDelay)
}

func (r *retry) failed(now time.Time, logger *zap.Logger, err error) {
	r.failures++
	r.at = now.Add(r.delay())
	if r.failures == 1 { // once per outage
		logger.Warn("spans cannot leave yet; they wait and are tried again", zap.Error(err))
	}
}

func (r *retry) succeeded(logger *zap.Logger) {
	if r.failures > 0 {
		logger.Info("spans leave again", zap.Int("failed_attempts", r.failures))
	}
	*r = retry{}
}
