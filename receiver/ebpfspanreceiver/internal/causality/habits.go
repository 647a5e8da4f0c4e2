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
	// heads and responses are the expectations for the two sorts of tokens.
	expected [sorts]expectation
}

// kindHabits are those for one kind of token.
type kindHabits struct {
	tokens float64
	acts   []actHabits
	// blocks counts tokens with at least so many acts, from one on.
	blocks [maxBlock + 1]float64
}

// actHabits are those for one class of acts on one kind of token: how many there
// were after so many turns, and how many more followed on the first.
type actHabits struct {
	class int
	total float64
	lag   [lags]float64
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

// nearby is what is believed of distances, in acts, before they were seen.
var nearby = [distances]float64{1.5, 1, 1, 2, 4, 8}

const (
	// expectedWeight is the number of tokens that the expectation stands for, and
	// expectedClasses the number of classes that it is divided among.
	expectedWeight  = 20
	expectedClasses = 2
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
func (k *kindHabits) first(c, kind, lag int, e *expectation) float64 {
	n := expectedWeight * e.once(kind, lag)
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
// it comes no sooner.
func (k *kindHabits) any(lag int, e *expectation) (now, notBefore float64) {
	notBefore = 1
	for l := range lags {
		n := expectedWeight * e.anything(l)
		for i := range k.acts {
			n += k.acts[i].lag[l]
		}
		n /= k.tokens + expectedWeight
		if l == lag {
			return n, max(notBefore, 0.01)
		}
		notBefore -= n
	}
	return 0, 0.01
}

// more is the probability that one more act follows after so many on one token.
func (k *kindHabits) more(count int, e *expectation) float64 {
	n, total := expectedWeight*e.more(count), float64(expectedWeight)
	if count < maxBlock {
		n, total = n+k.blocks[count], total+k.blocks[count-1]
	}
	return min(max(n/total, 0.002), 0.99)
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

func (h *habits) near(tokens int) float64 {
	sum := 0.0
	for _, n := range h.distance {
		sum += n
	}
	b := distanceBin(tokens)
	return (h.distance[b] + nearby[b]) / (sum + 6) / widths[b]
}

// expect returns the expectation for a token.
func (h *habits) expect(t *token) *expectation {
	if t.request != nil {
		return &h.expected[0]
	}
	return &h.expected[1]
}

// once is the probability of a first deed of a kind so many turns later.
func (e *expectation) once(kind, lag int) float64 {
	if lag >= rhythmLags {
		return unexpected
	}
	sum := 0.0
	for l := range rhythmLags {
		sum += e.at(l)
	}
	return max(min(e[kind][lag], 1)/max(sum, 1), unexpected)
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

// anything is the probability of a first deed of any kind so many turns later.
func (e *expectation) anything(lag int) (n float64) {
	for k := range e {
		n += e.once(k, lag)
	}
	return n
}

// more is the probability that one more deed follows after so many: what is between
// two whole numbers of deeds for a token is taken for a share of tokens with one more.
func (e *expectation) more(count int) float64 {
	most := 0.0
	for lag := range e[1] {
		most = max(most, e[0][lag]+e[1][lag]+e[2][lag]+e[3][lag])
	}
	return min(max(most-float64(count), 0.005), 0.98)
}

func (h *habits) reset() {
	for i := range h.kinds {
		k := &h.kinds[i]
		k.tokens, k.acts, k.blocks = 0, k.acts[:0], [maxBlock + 1]float64{}
	}
	h.distance = [distances]float64{}
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
		for n := range to.blocks {
			to.blocks[n] += from.blocks[n]
		}
		for j := range from.acts {
			a, b := to.class(from.acts[j].class), &from.acts[j]
			a.total += b.total
			for n := range a.lag {
				a.lag[n] += b.lag[n]
			}
		}
	}
	for i := range h.distance {
		h.distance[i] += o.distance[i]
	}
}

// fade halves the memory of each kind once it is full.
func (h *habits) fade() {
	for i := range h.kinds {
		k := &h.kinds[i]
		if k.tokens < maxHabits {
			continue
		}
		k.tokens /= 2
		for n := range k.blocks {
			k.blocks[n] /= 2
		}
		for j := range k.acts {
			a := &k.acts[j]
			a.total /= 2
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
