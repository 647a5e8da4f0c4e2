package causality

const (
	// maxBlock is the number of acts on one token from which on they are not told apart.
	maxBlock = 4
	// lags are the numbers of turns that are told apart.
	lags = 10
	// distances are the numbers of tokens between a token and its act in one turn
	// that are told apart: 0, 1, 2, 3–4, 5–8, more.
	distances = 6
	// maxHabits bounds the memory of habits, in tokens, so that they follow a
	// program that changes.
	maxHabits = 1000
)

// habits are what a loop was seen to do with its tokens: what kind of act follows on
// which kind of token, after how many turns, and how often none does.
type habits struct {
	kinds []kindHabits
	// distance is for acts in the turn of their token.
	distance [distances]float64
	// orphan is the probability that nothing which was seen leads to a deed of a kind.
	orphan [deedKinds]float64
	// expected are the expectations for the two sorts of tokens, outlooks what was made of
	// them since the last reset.
	expected [sorts]expectation
	outlooks [sorts]outlook
}

// outlook is what an expectation says of one token, made once for many.
type outlook struct {
	made bool
	// once is the probability of a first deed of a kind after so many turns, anything that
	// of one of any kind, more that of one more deed after so many, and calls the same for calls alone.
	once     [deedKinds][lags]float64
	anything [lags]float64
	more     [maxBlock + 1]float64
	calls    [maxBlock + 1]float64
}

// kindHabits are those for one kind of token.
type kindHabits struct {
	tokens float64
	acts   []actHabits
	// left counts tokens that have left the window, idle those of them that had led to nothing.
	left, idle float64
	// blocks counts tokens with at least so many acts, from one on.
	blocks [maxBlock + 1]float64
	// firsts is what any returns for each number of turns, where made is true.
	firsts [lags]firstAct
	made   bool
	// pools is the same for each pool.
	pools map[int]*[lags]firstAct
	// pending are how many of the tokens may lead to a call that still waits, by pool.
	pending map[int]float64
}

// firstAct is how probable it is that the first act comes in a turn, and that it comes no
// sooner.
type firstAct struct{ now, notBefore float64 }

// actHabits are those for one class of acts on one kind of token: how many there
// were after so many turns, and how many more followed on the first.
type actHabits struct {
	class int
	total float64
	// prompt is the part of total that did not wait for a connection.
	prompt float64
	lag    [lags]float64
}

func lagBin(turns int) int { return min(max(turns, 0), lags-1) }

func distanceBin(n int) int {
	switch {
	case n <= 2:
		return n
	case n <= 4:
		return 3
	case n <= 8:
		return 4
	}
	return 5
}

// widths are how many distances share a bin.
var widths = [distances]float64{1, 1, 1, 2, 4, 8}

// begins are the distances at which the bins begin.
var begins = [distances]float64{0, 1, 2, 3, 5, 9}

// nearby is what is believed of distances, in acts, before they were seen.
var nearby = [distances]float64{1.5, 1, 1, 2, 4, 8}

const (
	// expectedWeight is the number of tokens that the expectation stands for, and
	// expectedClasses the number of classes that it is divided among.
	expectedWeight  = 20
	expectedClasses = 2
	// leastMore and mostMore bound the probability of one more act on a token.
	leastMore, mostMore = 0.002, 0.99
	// unexpected is the least probability of an act so many turns later.
	unexpected = 0.003
)

func (h *habits) kind(k int) *kindHabits {
	for len(h.kinds) <= k {
		h.kinds = append(h.kinds, kindHabits{})
	}
	return &h.kinds[k]
}

func (k *kindHabits) class(c int) *actHabits {
	for i := range k.acts {
		if k.acts[i].class == c {
			return &k.acts[i]
		}
	}
	k.acts = append(k.acts, actHabits{class: c})
	return &k.acts[len(k.acts)-1]
}

// first is the probability that a token's first act is of class c, so many turns later.
func (k *kindHabits) first(c, kind, lag int, o *outlook) float64 {
	n := expectedWeight * o.once[kind][lag]
	if kind > 0 {
		n /= expectedClasses
	}
	for i := range k.acts {
		if k.acts[i].class == c {
			n += k.acts[i].lag[lag]
			break
		}
	}
	return n / (k.tokens + expectedWeight)
}

// any is the probability that the first act comes so many turns later, and that
// it comes no sooner. What was learned must not change until the next reset.
func (k *kindHabits) any(lag int, o *outlook) (now, notBefore float64) {
	const least = 0.01
	if lag < 0 || lag >= lags {
		return 0, least
	}
	if !k.made {
		k.made = true
		left := 1.0
		for l := range lags {
			n := expectedWeight * o.anything[l]
			for i := range k.acts {
				n += k.acts[i].lag[l]
			}
			n /= k.tokens + expectedWeight
			k.firsts[l] = firstAct{n, max(left, least)}
			left -= n
		}
	}
	return k.firsts[lag].now, k.firsts[lag].notBefore
}

// firstTo is like any for acts on one pool, 0 for responses.
func (k *kindHabits) firstTo(l *loop, pool, lag int, o *outlook) (now, notBefore float64) {
	const least = 0.01
	if lag < 0 || lag >= lags {
		return 0, least
	}
	if k.pools[pool] == nil {
		firsts := new([lags]firstAct)
		left := 1.0
		for lag := range lags {
			n := expectedWeight * o.once[0][lag]
			if pool > 0 {
				n = expectedWeight * (o.once[1][lag] + o.once[2][lag] + o.once[3][lag]) / expectedClasses
			}
			for i := range k.acts {
				if int(l.poolOf[k.acts[i].class]) == pool {
					n += k.acts[i].lag[lag]
				}
			}
			n /= k.tokens + expectedWeight
			firsts[lag] = firstAct{n, max(left, least)}
			left -= n
		}
		if k.pools == nil {
			k.pools = make(map[int]*[lags]firstAct)
		}
		k.pools[pool] = firsts
	}
	f := k.pools[pool][lag]
	return f.now, f.notBefore
}

// more is the probability that one more act follows after so many on one token, where so much was
// expected.
func (k *kindHabits) more(count int, expected float64) float64 {
	n, total := expectedWeight*expected, float64(expectedWeight)
	if count < maxBlock {
		n, total = n+k.blocks[count], total+k.blocks[count-1]
	}
	return min(max(n/total, leastMore), mostMore)
}

// share is how many of the acts on such tokens are of class c.
func (k *kindHabits) share(c int) float64 {
	n, sum := 0.5, 1.0
	for i := range k.acts {
		sum += k.acts[i].total
		if k.acts[i].class == c {
			n += k.acts[i].total
		}
	}
	return n / sum
}

// near is how probable it is that a deed rests on a token of a read so many before the last.
func (h *habits) near(reads int) float64 {
	b := distanceBin(reads)
	return (h.distance[b] + nearby[b]) / widths[b]
}

// anywhere is what near is divided by to compare it with a deed that rests on any of the reads
// of a turn alike.
func (h *habits) anywhere(reads int) float64 {
	sum := 0.0
	for b, n := range h.distance {
		w := max(float64(reads)-begins[b], 0)
		if b < distances-1 {
			w = min(w, widths[b])
		}
		sum += w * (n + nearby[b]) / widths[b]
	}
	return sum / float64(reads)
}

// expect returns what is to be expected of a token. It holds until the next reset.
func (h *habits) expect(t *token) *outlook {
	sort := t.sort()
	o := &h.outlooks[sort]
	if !o.made {
		*o = h.expected[sort].outlook()
	}
	return o
}

// outlook works out the probabilities. Of deeds that are more than one in all, each is as
// much less probable to be the first.
func (e *expectation) outlook() outlook {
	o := outlook{made: true}
	sum := 0.0
	for l := range rhythmLags {
		sum += e.at(l)
	}
	for l := range lags {
		for k := range e {
			o.once[k][l] = unexpected
			if l < rhythmLags {
				o.once[k][l] = max(min(e[k][l], 1)/max(sum, 1), unexpected)
			}
			o.anything[l] += o.once[k][l]
		}
	}
	for count := range o.more {
		o.more[count], o.calls[count] = e.more(count, 0), e.more(count, 1)
	}
	return o
}

// at is how many deeds are to be expected so many turns later, at most 1 of a kind.
func (e *expectation) at(lag int) (n float64) {
	for k := range e {
		n += min(e[k][lag], 1)
	}
	return n
}

// sum is how many deeds of a kind are to be expected.
func (e *expectation) sum(kind int) (n float64) {
	for _, m := range e[kind] {
		n += m
	}
	return n
}

// fansOut reports whether requests make more calls than one at a time.
func (h *habits) fansOut() bool {
	const one = 1.3
	heads := &h.expected[0]
	return heads.sum(1)+heads.sum(2)+heads.sum(3) > one
}

// more is the probability that one more deed of these kinds and those after them follows after so many: what is
// between two whole numbers of deeds for a token is taken for a share of tokens with one more.
func (e *expectation) more(count, kinds int) float64 {
	most := 0.0
	for lag := range e[1] {
		n := 0.0
		for _, k := range e[kinds:] {
			n += k[lag]
		}
		most = max(most, n)
	}
	return min(max(most-float64(count), 0.005), 0.98)
}

// forget takes a token that leaves the window.
func (k *kindHabits) forget(t *token) {
	k.tokens++
	k.left++
	if t.acted < 0.5 {
		k.idle++
	}
}

// acting is how many tokens the acts stand for. Tokens may leave the window long after what was done for them, when that has
// faded: so it is told by those that led to something, and by how many leave the window without.
func (k *kindHabits) acting() float64 {
	const enough = 50
	if k.left < enough {
		return max(k.tokens, 1)
	}
	return max(min(k.tokens, k.blocks[0]*k.left/max(k.left-k.idle, 1)), 1)
}

// forgetBlocks forgets how many acts there are on one token.
func (h *habits) forgetBlocks() {
	for i := range h.kinds {
		h.kinds[i].blocks = [maxBlock + 1]float64{}
	}
}

// separate takes all acts for the first ones of their kind: those that followed on others on the same token
// come after as many turns as these.
func (h *habits) separate() {
	for i := range h.kinds {
		var all [lags]float64
		sum := 0.0
		for j := range h.kinds[i].acts {
			for lag, n := range h.kinds[i].acts[j].lag {
				all[lag] += n
				sum += n
			}
		}
		for j := range h.kinds[i].acts {
			a := &h.kinds[i].acts[j]
			more := a.total
			for _, n := range a.lag {
				more -= n
			}
			for lag := range a.lag {
				a.lag[lag] += max(more, 0) * all[lag] / max(sum, 1)
			}
		}
	}
}

func (h *habits) reset() {
	for i := range h.kinds {
		k := &h.kinds[i]
		k.tokens, k.acts, k.blocks, k.made = 0, k.acts[:0], [maxBlock + 1]float64{}, false
		k.left, k.idle = 0, 0
		clear(k.pools)
		clear(k.pending)
	}
	h.distance = [distances]float64{}
	for i := range h.outlooks {
		h.outlooks[i].made = false
	}
}

// add adds what o has seen.
func (h *habits) add(o *habits) {
	for i := range o.kinds {
		from := &o.kinds[i]
		if from.tokens == 0 && len(from.acts) == 0 {
			continue
		}
		to := h.kind(i)
		to.tokens += from.tokens
		to.left, to.idle = to.left+from.left, to.idle+from.idle
		for n := range to.blocks {
			to.blocks[n] += from.blocks[n]
		}
		for j := range from.acts {
			a, b := to.class(from.acts[j].class), &from.acts[j]
			a.total += b.total
			a.prompt += b.prompt
			for n := range a.lag {
				a.lag[n] += b.lag[n]
			}
		}
	}
	for i := range h.distance {
		h.distance[i] += o.distance[i]
	}
}

// inherit has whole responses lead to what those did of which it is not known whether they are whole, as long as few were seen: on a
// connection that is older than its capture these come first.
func (h *habits) inherit(l *loop) {
	const few = 30
	for i := range min(len(h.kinds), maxClasses) {
		part := int(l.begun[i])
		if part == 0 || part >= len(h.kinds) {
			continue
		}
		from, weight := &h.kinds[part], 0.0
		if n := few - h.kinds[i].blocks[0]; n > 0 && from.blocks[0] > 0 {
			weight = min(n/from.blocks[0], 1)
		}
		h.kinds[i].take(from, weight)
	}
}

// take adds a share of what o has seen.
func (k *kindHabits) take(o *kindHabits, share float64) {
	if share == 0 {
		return
	}
	k.tokens += share * o.acting()
	for n := range k.blocks {
		k.blocks[n] += share * o.blocks[n]
	}
	for i := range o.acts {
		to, from := k.class(o.acts[i].class), &o.acts[i]
		if from.prompt < 0.5*from.total {
			continue // of calls that waited it is not known as well what led to them
		}
		to.total += share * from.total
		to.prompt += share * from.prompt
		for n := range to.lag {
			to.lag[n] += share * from.lag[n]
		}
	}
}

// fade halves the memory of each kind once it is full.
func (h *habits) fade() {
	for i := range h.kinds {
		k := &h.kinds[i]
		if k.tokens < maxHabits {
			continue
		}
		k.tokens, k.left, k.idle = k.tokens/2, k.left/2, k.idle/2
		for n := range k.blocks {
			k.blocks[n] /= 2
		}
		for j := range k.acts {
			a := &k.acts[j]
			a.total /= 2
			a.prompt /= 2
			for n := range a.lag {
				a.lag[n] /= 2
			}
		}
	}
	sum := 0.0
	for _, n := range h.distance {
		sum += n
	}
	for i := range h.distance {
		if sum > maxHabits {
			h.distance[i] /= 2
		}
	}
}

func (h *habits) size() float64 {
	n := 0.0
	for i := range h.kinds {
		n += h.kinds[i].tokens
	}
	return n
}
