package footprint

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestReserveOccupiesNoMemory(t *testing.T) {
	unsetenv(t, "GOGC")
	before := resident(t, "RssAnon")
	reserve := NewReserve()
	runtime.GC()
	after := resident(t, "RssAnon")
	require.NotEmpty(t, reserve)
	runtime.KeepAlive(reserve)
	assert.Less(t, after, before+reserveSize/2/1024)
}
