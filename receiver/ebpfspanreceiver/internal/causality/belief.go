package causality

import (
	"slices"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/conn"
)

// maxBelieved bounds the requests that a belief tells apart.
const maxBelieved = 4

// belief says whose an act is: how probable some requests are, and what is left
// for all the others that were open, each of them as probable as the next.
type belief struct {
	who    [maxBelieved]*request
	p      [maxBelieved]float64
	n      int
	rest   float64
	others float64
}

// certainly is the belief that an act is r's.
func certainly(r *request) belief {
	return belief{who: [maxBelieved]*request{r}, p: [maxBelieved]float64{1}, n: 1, others: 1}
}

// anybody is the belief of who knows nothing but how many requests were open.
func anybody(open int) belief { return belief{rest: 1, others: float64(max(open, 1))} }

// of returns the probability of r.
func (b *belief) of(r *request) float64 {
	for i := range b.n {
		if b.who[i] == r {
			return b.p[i]
		}
	}
	return b.rest / b.others
}

// tells reports whether the belief tells r apart.
func (b *belief) tells(r *request) bool { return slices.Contains(b.who[:b.n], r) }

// best returns the most probable request and the next one, nil where the belief
// tells none apart.
func (b *belief) best() (first, second *request, p, q float64) {
	for i := range b.n {
		switch {
		case b.p[i] > p:
			first, second, p, q = b.who[i], first, b.p[i], p
		case b.p[i] > q:
			second, q = b.who[i], b.p[i]
		}
	}
	return first, second, p, q
}

// onto is the probability that the request came on c, but for those that the belief does not tell apart.
func (b *belief) onto(c *conn.Conn) float64 {
	p := b.rest
	for i, r := range b.who[:b.n] {
		if r.exchange.Conn == c {
			p += b.p[i]
		}
	}
	return p
}

// same returns the probability that a token believed to be t's and an act that is
// believed to be b's are one request's. Requests for which open is false cannot have acted.
func (b *belief) same(t *belief, at openAt) float64 {
	sum := 0.0
	for i := range t.n {
		if at.is(t.who[i]) {
			sum += t.p[i] * b.of(t.who[i])
		}
	}
	for i := range b.n {
		if !t.tells(b.who[i]) {
			sum += b.p[i] * t.rest / t.others
		}
	}
	return sum + t.rest*b.rest/max(t.others, b.others)
}

// alive is the probability that the request is one of those that may be at work then.
func (b *belief) alive(at openAt) float64 {
	p := 1.0
	for i, r := range b.who[:b.n] {
		if !at.is(r) {
			p -= b.p[i]
		}
	}
	return max(p, 0)
}

// mixture gathers weighted beliefs.
type mixture struct {
	who  []*request
	p    []float64
	rest float64
}

func (m *mixture) reset() { m.who, m.p, m.rest = m.who[:0], m.p[:0], 0 }

func (m *mixture) put(r *request, p float64) {
	for i := range m.who {
		if m.who[i] == r {
			m.p[i] += p
			return
		}
	}
	m.who, m.p = append(m.who, r), append(m.p, p)
}

// add adds b with a weight, but for requests that open excludes.
func (m *mixture) add(b *belief, weight float64, open func(*request) bool) {
	for i := range b.n {
		if open(b.who[i]) {
			m.put(b.who[i], weight*b.p[i])
		}
	}
	m.rest += weight * b.rest
}

// belief returns the mixture as a belief among so many open requests.
func (m *mixture) belief(open int) belief {
	b := belief{}
	sum := m.rest
	for i := range m.p {
		sum += m.p[i]
	}
	if sum <= 0 {
		return anybody(open)
	}
	for b.n < maxBelieved {
		best := -1
		for i := range m.p {
			if m.p[i] > 0 && (best < 0 || m.p[i] > m.p[best]) {
				best = i
			}
		}
		if best < 0 || m.p[best] < 1e-9*sum {
			break
		}
		b.who[b.n], b.p[b.n] = m.who[best], m.p[best]/sum
		b.n++
		m.p[best] = 0
	}
	left := m.rest
	for i := range m.p {
		left += m.p[i]
	}
	b.rest, b.others = left/sum, float64(max(1, open-b.n))
	return b
}

// and multiplies two independent beliefs about the same act.
func (b *belief) and(o *belief, open int, m *mixture) belief {
	m.reset()
	for i := range b.n {
		m.put(b.who[i], b.p[i]*o.of(b.who[i]))
	}
	for i := range o.n {
		if !b.tells(o.who[i]) {
			m.put(o.who[i], o.p[i]*b.rest/b.others)
		}
	}
	m.rest = b.rest * o.rest / max(b.others, o.others)
	return m.belief(open)
}

// doubt leaves only a share of the belief, and the rest to anybody.
func (b *belief) doubt(trust float64) {
	n := float64(b.n)
	all := n + b.others
	for i := range b.n {
		b.p[i] = b.p[i]*trust + (1-trust)/all
	}
	b.rest = b.rest*trust + (1-trust)*b.others/all
}
