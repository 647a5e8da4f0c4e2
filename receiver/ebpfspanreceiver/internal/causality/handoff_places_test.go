package causality

import (
	"math/rand/v2"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/assert"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
)

const (
	// interpreter is the futex of an interpreter's lock, jobQueue that of a pool's queue.
	interpreter, jobQueue = 7, 8
)

// asksOvertaken plays requests that have two calls each made by workers, which take their jobs one after the other and
// then overtake each other. Each worker wakes somebody by the lock when it has taken its job.
func (w *world) asksOvertaken(chance *rand.Rand, lock uint64, handlers ...uint32) []both {
	all := make([]both, len(handlers))
	first := func(i int) uint32 { return 10 * (handlers[i] + 1) }
	for i, handler := range handlers {
		all[i] = both{request: w.reads(onThread(handler)), handler: handler}
	}
	for i := range all {
		for _, worker := range []uint32{first(i), first(i) + 1} {
			w.wakes(onThread(worker), onThread(worker+2), lock)
		}
	}
	for _, i := range chance.Perm(len(all)) {
		all[i].first = w.calls(onThread(first(i)))
	}
	for _, i := range chance.Perm(len(all)) {
		all[i].second = w.begins(onThread(first(i)+1), &protocol.Exchange{Name: "second"})
	}
	return all
}

func TestPlaceIsThatOfTakingTheJob(t *testing.T) {
	for name, lock := range map[string]uint64{"interpreter's lock": interpreter, "queue's lock": jobQueue} {
		t.Run(name, func(t *testing.T) {
			w, chance := newWorld(t), rand.New(rand.NewPCG(1, 2))
			for i := range uint32(100) { // the interpreter's lock is for those who answer, too
				reader := w.reads(onThread(900))
				w.wakes(onThread(800+i%8), onThread(800+(i+1)%8), interpreter)
				w.wakes(onThread(800), onThread(900), interpreter)
				w.wakes(onThread(800+i%8), onThread(800+(i+1)%8), jobQueue)
				w.responds(reader, onThread(900))
			}
			handlers := []uint32{1, 2, 3, 4, 5, 6}
			for round := range 2 * enoughPairs {
				waits := round%2 == 0 // in the other rounds the second result is there before anybody waits for it
				for _, b := range w.asksOvertaken(chance, lock, handlers...) {
					w.answersBoth(b, 10*(b.handler+1), waits)
					w.linked(b.first, b.request, MethodHandoff)
					if waits {
						w.linked(b.second, b.request, MethodHandoff)
					}
				}
			}
			all := w.asksOvertaken(chance, lock, handlers...)
			for _, b := range all {
				w.answersBoth(b, 10*(b.handler+1), false)
			}
			for _, b := range all {
				w.linked(b.second, b.request, MethodHandoff)
				assert.Greater(t, w.links[b.second].Confidence, reliable)
			}
		})
	}
}

func TestQueuesAreToldFromOtherLocks(t *testing.T) {
	var f futex
	for range queueEvidence {
		assert.False(t, f.isQueue())
		f.woke(1, 2)
	}
	assert.True(t, f.isQueue())
	f.serving++
	assert.False(t, f.isQueue())
}

func TestPlacesAreForgotten(t *testing.T) {
	var p places
	for range 5 * maxPlaces {
		p.take(p.moment())
	}
	assert.LessOrEqual(t, len(p.taken), 2*maxPlaces)
	assert.Equal(t, 5*maxPlaces, p.rank(p.moment()), "those forgotten count")
	before := p.rank(p.clock - 10)
	p.take(p.clock - 20)
	assert.Equal(t, before+1, p.rank(p.clock-10), "an act whose job was taken earlier comes before")
}

// A claim that would have a request's calls far apart is not believed where they never are.
func TestClaimsAreCheckedByPlaces(t *testing.T) {
	w := newWorld(t)
	for range 20 * enoughPairs {
		b := w.asksBoth(1, 11)
		w.answersBoth(b, 11, true)
		w.linked(b.second, b.request, MethodHandoff)
	}
	r := w.reads(onThread(1))
	w.wakes(onThread(50), onThread(11), 11)
	first := w.calls(onThread(11))
	between := w.reads(onThread(2))
	for range maxDistance / 2 {
		w.completes(w.calls(onThread(31)), onThread(31))
	}
	w.wakes(onThread(50), onThread(12), 12)
	second := w.begins(onThread(12), &protocol.Exchange{Name: "second"})
	w.completes(first, onThread(11))
	w.wakes(onThread(11), onThread(1), 1)
	w.completes(second, onThread(12))
	w.wakes(onThread(12), onThread(1), 1)
	w.responds(r, onThread(1))
	w.responds(between, onThread(2))
	for _, k := range []*protocol.Exchange{first, second} {
		w.linked(k, r, MethodHandoff)
		assert.Less(t, w.links[k].Confidence, reliable)
	}
}

// What tells of places of one sort says little of another one's until those were seen.
func TestDistancesByWhatTellsPlaces(t *testing.T) {
	var d distance
	for range 100 {
		d.add(1, markJob, markJob)
	}
	assert.Greater(t, d.share(1, markJob, markJob), 0.95)
	for n := range 20 {
		d.add(n-10, markLock, markJob)
	}
	assert.Greater(t, d.share(1, markJob, markJob), 0.95)
	assert.Less(t, d.share(1, markLock, markJob), 0.4)
	d.add(3*maxDistance, markJob, markJob)
	assert.Positive(t, d.share(3*maxDistance, markJob, markJob))
	assert.Less(t, d.share(3*maxDistance, markJob, markJob), 0.01)
}

// Requests that have ended are held as long as a call may be theirs that nobody claims.
func TestEndedRequestsAreForgotten(t *testing.T) {
	w := newWorld(t)
	for range 3000 {
		w.now += 1e6
		b := w.asksBoth(1, 11)
		w.answersBoth(b, 11, true)
		w.ladder.Tick(w.now)
	}
	q := &w.ladder.process(1).handoff.queue
	assert.Equal(t, maxWait.Nanoseconds()/5, q.remembered)
	assert.Less(t, len(q.past), 1100)
	assert.Greater(t, len(q.past), 900)
}

// At the end the order tells of what it can.
func TestOrderTellsAtTheEnd(t *testing.T) {
	for name, ends := range map[string]func(*Ladder){"flush": (*Ladder).Flush, "exit": func(l *Ladder) { l.Exited(1) }} {
		t.Run(name, func(t *testing.T) { testOrderAtTheEnd(t, ends) })
	}
}

func testOrderAtTheEnd(t *testing.T, ends func(*Ladder)) {
	w := newWorld(t)
	for range 2 * enoughPairs {
		b := w.asksBoth(1, 11)
		w.answersBoth(b, 11, true)
		w.linked(b.first, b.request, MethodHandoff)
		w.linked(b.second, b.request, MethodHandoff)
	}
	b := w.asksBoth(1, 11)
	w.answersBoth(b, 11, false)
	w.waits(b.second)
	ends(w.ladder)
	w.linked(b.second, b.request, MethodHandoff)
}

// A request that stays open does not hold up what the order has decided.
func TestOrderDoesNotWaitForOpenRequests(t *testing.T) {
	w := newWorld(t)
	for range 2 * enoughPairs {
		b := w.asksBoth(1, 11)
		w.answersBoth(b, 11, true)
		w.linked(b.first, b.request, MethodHandoff)
		w.linked(b.second, b.request, MethodHandoff)
	}
	w.reads(onThread(99))
	b := w.asksBoth(1, 11)
	w.answersBoth(b, 11, false)
	w.linked(b.second, b.request, MethodHandoff)
}

// Who connects has given locks up for a name and a socket since it took its job; who writes on a connection that it has, has not.
func TestPlaceOfWhoConnects(t *testing.T) {
	var p places
	lock, w, other := &futex{wakes: 10, byWoken: 10, serving: 5}, &worker{}, &worker{}
	at := int64(1e9)
	gives := func(after int64) int {
		at += after
		p.woke(w, other, lock, at)
		return p.clock
	}
	first := gives(0)
	moment, by := p.place(w, true, at)
	assert.Equal(t, first, moment, "there was one only")
	assert.Equal(t, markLock, by)
	gives(together / 2) // by the same giving-up
	second := gives(2 * together)
	gives(2 * together)
	last := gives(together / 2)
	moment, _ = p.place(w, true, at)
	assert.Equal(t, second, moment)
	moment, _ = p.place(w, false, at)
	assert.Equal(t, last, moment)
	_, by = p.place(w, false, at+staleAfter+1)
	assert.Equal(t, markStale, by, "it may have taken its job since")
	w.unmark()
	_, by = p.place(w, true, at)
	assert.Equal(t, markAct, by)
}

func TestActsTakeTurns(t *testing.T) {
	const before, around, after = "ababab", "AB", "ababab"
	for name, test := range map[string]struct {
		acts    string // the two in question are upper case, others small, what is no call a dot, of one moment in brackets
		regular bool
	}{
		"as always":                         {before + around + after, true},
		"alone":                             {around, true},
		"nothing after":                     {before + around, true},
		"one first":                         {"b" + around + after, true},
		"others between":                    {"ab.ab.cABc.abab", true},
		"overtaken by the next":             {"ababAabBbabab", false},
		"two of the first kind":             {before + "a" + around + after, false},
		"two of the second kind":            {before + around + "b" + after, false},
		"two of a kind, then as always":     {"abaabab" + around + after, true},
		"two of a kind two acts before":     {"ababaab" + around + after, false},
		"two of a kind two acts after":      {before + around + "abbaba", false},
		"two of a kind three acts after":    {before + around + "abaabab", true},
		"at one moment":                     {before + "(AB)" + after, false},
		"at one moment with the next":       {before + "A(Ba)babab", false},
		"two of a kind beyond what is near": {"ba" + strings.Repeat(".", maxDistance+1) + "AB", true},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, test.regular, regularIn(test.acts))
		})
	}
}

// regularIn reports whether the acts in upper case are regular among others.
func regularIn(acts string) bool {
	var p places
	var both []step
	kinds := map[rune]*jobHabit{'a': {}, 'b': {}, 'c': {}}
	together := false
	for _, r := range acts {
		switch r {
		case '(':
			p.moment()
			together = true
			continue
		case ')':
			together = false
			continue
		}
		if !together {
			p.moment()
		}
		p.take(p.clock)
		kind := kinds[unicode.ToLower(r)]
		if kind != nil {
			p.names(p.clock, kind)
		}
		if unicode.IsUpper(r) {
			both = append(both, step{p.clock, kind})
		}
	}
	return p.regular(both[0], both[1])
}
