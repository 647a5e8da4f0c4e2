package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestMedian(t *testing.T) {
	all := []figures{{SpansPerSecond: 3}, {SpansPerSecond: 1}, {SpansPerSecond: 2, Right: 7}}
	assert.Equal(t, figures{SpansPerSecond: 2, Right: 7}, median(all))
}

func TestFaults(t *testing.T) {
	assert.Empty(t, figures{Checked: 5, Complete: 5, Right: 5, Refused: 9}.faults())
	for name, f := range map[string]figures{
		"lost":       {Lost: 1},
		"came again": {Lost: -1},
		"repeated":   {Repeated: 1},
		"rejected":   {Rejected: 1},
		"incomplete": {Checked: 2, Complete: 1, Right: 1},
		"wrong":      {Checked: 2, Complete: 2, Right: 1},
	} {
		assert.Len(t, f.faults(), 1, name)
	}
}

func TestOnlyTheLinkerIsJudged(t *testing.T) {
	r, o := &report{}, &options{}
	r.note("x", variant("groupbytrace", time.Second, 10), figures{Lost: 1})
	assert.NoError(t, o.check(r))
	r.note("x", linker(time.Second, ""), figures{Lost: 1})
	assert.EqualError(t, o.check(r), "x: 1 spans were lost")
}

func TestMemoryIsBoundedOnRequest(t *testing.T) {
	r := &report{Sustained: &figures{RSSMiB: 3000}}
	assert.NoError(t, (&options{}).check(r))
	assert.Error(t, (&options{maxRSS: 2048}).check(r))
	assert.NoError(t, (&options{maxRSS: 3000}).check(r))
}

func TestGrows(t *testing.T) {
	o := &options{variants: "seqlink,groupbytrace,tail_sampling", growthOthers: 1e6}
	assert.True(t, o.grows(linkerName, 3e6, time.Minute))
	assert.True(t, o.grows("groupbytrace", 1e6, 20*time.Second))
	assert.False(t, o.grows("groupbytrace", 3e6, time.Minute))
	assert.True(t, o.grows("tail_sampling", 1e5, 2*time.Second))
	assert.False(t, o.grows("tail_sampling", 1e4, 200*time.Millisecond))
	assert.False(t, (&options{variants: "seqlink"}).grows("groupbytrace", 1e4, time.Second))
}

func TestSizes(t *testing.T) {
	got, err := (&options{resident: "1e4,3e6"}).sizes()
	assert.NoError(t, err)
	assert.Equal(t, []float64{1e4, 3e6}, got)
	for _, wrong := range []string{"", "many", "1e4,-1"} {
		_, err := (&options{resident: wrong}).sizes()
		assert.Error(t, err, wrong)
	}
}
