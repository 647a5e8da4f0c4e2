package statistical

import (
	"math"
	"testing"
)

func TestCalibrationFollowsAudits(t *testing.T) {
	var c calibration
	if got := c.calibrated(0.95); got != 0.95 {
		t.Errorf("without audits 0.95 became %v", got)
	}
	for i := range 1000 {
		c.audit(0.95, i%10 < 7)
	}
	if got := c.calibrated(0.95); math.Abs(got-0.70) > 0.02 {
		t.Errorf("0.95 became %v where 0.70 were right", got)
	}
	if got := c.calibrated(0.5); got != 0.5 {
		t.Errorf("another grade moved: 0.5 became %v", got)
	}
	for range 10_000 {
		c.audit(0.95, true)
	}
	if got := c.calibrated(0.95); got < 0.98 || got > 1 {
		t.Errorf("0.95 became %v after all were right", got)
	}
}
