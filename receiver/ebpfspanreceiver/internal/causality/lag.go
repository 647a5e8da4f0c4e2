package causality

const (
	// maxLag is the longest lag that is counted; longer ones are waits, not habits.
	maxLag = 8
	// maxLagCount bounds the memory, so that it follows a program whose habits change.
	maxLagCount = 256
)

// lag learns how many turns a loop lets pass between reading and acting: none in
// libuv, where the act follows in the callback of the read; one or more in
// asyncio, which wakes a task that runs in a later turn. It is the commonest of
// the lags that were seen where there was no doubt.
type lag struct {
	counts [maxLag + 1]int
	most   int
}

func (l *lag) learn(turns int) {
	if turns > maxLag {
		return
	}
	l.counts[turns]++
	if l.counts[turns] > maxLagCount {
		for i := range l.counts {
			l.counts[i] /= 2
		}
	}
	if l.counts[turns] > l.counts[l.most] {
		l.most = turns
	}
}

// usual returns the commonest lag, 0 while nothing is known.
func (l *lag) usual() int { return l.most }
