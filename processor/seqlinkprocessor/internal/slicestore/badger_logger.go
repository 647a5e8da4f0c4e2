package slicestore

import (
	"strings"

	"github.com/dgraph-io/badger/v4"
	"go.uber.org/zap"
)

// badgerLogger gives Badger's log to the collector's. What Badger calls
// information is about its own upkeep, so it is for debugging here.
type badgerLogger struct{ log *zap.SugaredLogger }

var _ badger.Logger = badgerLogger{}

func (b badgerLogger) Errorf(format string, args ...any) {
	b.log.Errorf("badger: "+strings.TrimSpace(format), args...)
}

func (b badgerLogger) Warningf(format string, args ...any) {
	b.log.Warnf("badger: "+strings.TrimSpace(format), args...)
}

func (b badgerLogger) Infof(format string, args ...any) {
	b.log.Debugf("badger: "+strings.TrimSpace(format), args...)
}

func (b badgerLogger) Debugf(format string, args ...any) {
	b.log.Debugf("badger: "+strings.TrimSpace(format), args...)
}
