package footprint

import (
	"os"
	"runtime/debug"
)

// Reserve is memory that counts as in use and is never touched, so that it occupies none.
//
// Go collects garbage when the heap has doubled since the last collection. A collector needs
// some megabytes for good, which each collection goes through, and each span leaves two
// kilobytes of garbage. So at tens of thousands of spans a second garbage is collected many
// times a second, for a fifth of the agent's CPU time. A reserve lets as much more garbage
// gather as it is large, and not more where other components fill the heap, as a higher GOGC
// would.
type Reserve []byte

const (
	// reserveSize is in bytes. What more would save could not be measured.
	reserveSize = 16 << 20
	// minMemoryLimit is the memory limit from which on there is a reserve. The runtime takes
	// that for memory in use.
	minMemoryLimit = 8 * reserveSize
)

// NewReserve makes a reserve, which lasts as long as it is referenced. It is empty where
// GOGC is set, and so is known how often garbage is to be collected, or GOMEMLIMIT is low.
func NewReserve() Reserve {
	if _, set := os.LookupEnv("GOGC"); set || debug.SetMemoryLimit(-1) < minMemoryLimit {
		return nil
	}
	return make(Reserve, reserveSize)
}
