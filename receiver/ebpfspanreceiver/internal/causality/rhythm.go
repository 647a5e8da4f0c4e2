package causality

import "math"

const (
	// rhythmLags is how many turns an act may come after its token to count here.
	rhythmLags = 6
	// sorts are heads of requests and responses of calls; deeds are responses, calls,
	// connects, and calls on connections that were given back just before.
	sorts, deedKinds = 2, 4
	regressors       = sorts * rhythmLags
	// counted are the kinds of deeds, all together, all but the last kind, and all calls.
	counted = deedKinds + 3
	all     = deedKinds
	driven  = deedKinds + 1
	asked   = deedKinds + 2
	// maxRhythm bounds the memory, in turns.
	maxRhythm = 2000
)

// rhythm learns, from nothing but counts, how many deeds of each kind follow on a
// token of each sort after how many turns: it is the linear regression of the
// number of deeds in a turn on the numbers of tokens in that turn and those before.
// Unlike what is learned from decoding it cannot settle on an error of its own.
type rhythm struct {
	xx    [regressors][regressors]float64
	xy    [regressors][counted]float64
	y, yy [counted]float64
	turns float64
	// beta are the coefficients found last.
	beta [counted][regressors]float64
	// turn is the one that is going on, tokens those of it and of the turns before.
	turn   int
	begun  bool
	tokens [rhythmLags][sorts]float64
	deeds  [counted]float64
}

// expectation is what is to be expected of one sort of tokens: how many deeds of a
// kind so many turns later.
type expectation [deedKinds][rhythmLags]float64

func (r *rhythm) token(turn, sort int) {
	r.reach(turn)
	r.tokens[0][sort]++
}

// moved takes that a token became ready in a later turn than was told.
func (r *rhythm) moved(from, to, sort int) {
	r.reach(to)
	if lag := to - from; lag < rhythmLags && r.tokens[lag][sort] > 0 {
		r.tokens[lag][sort]--
		r.tokens[0][sort]++
	}
}

func (r *rhythm) deed(turn, kind int) {
	r.reach(turn)
	r.deeds[kind]++
	r.deeds[all]++
	if kind != 3 {
		r.deeds[driven]++
	}
	if kind > 0 {
		r.deeds[asked]++
	}
}

// reach closes the turns before turn.
func (r *rhythm) reach(turn int) {
	if !r.begun {
		r.begun, r.turn = true, turn
	}
	for n := 0; r.turn < turn && n < rhythmLags; n++ {
		r.close()
		r.turn++
	}
	r.turn = turn
}

func (r *rhythm) close() {
	var x [regressors]float64
	for lag := range rhythmLags {
		for sort := range sorts {
			x[sort*rhythmLags+lag] = r.tokens[lag][sort]
		}
	}
	for i, a := range x {
		if a == 0 {
			continue
		}
		for j, b := range x {
			r.xx[i][j] += a * b
		}
		for k, y := range r.deeds {
			r.xy[i][k] += a * y
		}
	}
	for k, y := range r.deeds {
		r.y[k] += y
		r.yy[k] += y * y
	}
	copy(r.tokens[1:], r.tokens[:rhythmLags-1])
	r.tokens[0], r.deeds = [sorts]float64{}, [counted]float64{}
	r.turns++
	if r.turns >= maxRhythm {
		r.fade()
	}
}

func (r *rhythm) fade() {
	r.turns /= 2
	for i := range r.xx {
		for j := range r.xx[i] {
			r.xx[i][j] /= 2
		}
		for k := range r.xy[i] {
			r.xy[i][k] /= 2
		}
	}
	for k := range r.y {
		r.y[k] /= 2
		r.yy[k] /= 2
	}
}

// expectations tells how many deeds of each kind are to be expected of each sort of
// tokens, and what share of the deeds follows on no token. When they are done is
// what the regression of all deeds tells: which kind a deed is depends on how far its
// request has come, so the turn of one kind alone would be told by what is no cause
// of it. Where calls wait for connections, those that got one are left out.
func (r *rhythm) expectations() (e [sorts]expectation, unexplained [deedKinds]float64, waits bool) {
	for kind := range counted {
		r.solve(kind, &r.beta[kind])
	}
	waits = r.poolsWait()
	whole := all
	if waits {
		whole = driven
	}
	for sort := range sorts {
		total := 0.0
		for kind := range deedKinds {
			total += r.sum(kind, sort, waits)
		}
		for kind := range deedKinds {
			share := (r.sum(kind, sort, waits) + 0.01) / (total + 0.01*deedKinds)
			for lag := range rhythmLags {
				e[sort][kind][lag] = r.beta[whole][sort*rhythmLags+lag] * share
			}
		}
	}
	lost := r.unexplained(whole, &r.beta[whole])
	unexplained = [deedKinds]float64{min(lost, r.unexplained(0, &r.beta[0]))}
	for kind := 1; kind < deedKinds; kind++ {
		unexplained[kind] = min(lost, r.unexplained(asked, &r.beta[asked]))
	}
	if r.answers() {
		r.apart(&e, &unexplained, waits)
	}
	return e, unexplained, waits
}

// answers reports whether a response follows on each response that is read, as it does
// where requests make one call. Then there is nothing else that reading one leads to.
func (r *rhythm) answers() bool {
	const one, exact = 0.85, 0.1
	return r.sum(0, 1, false) > one && r.variation(0, &r.beta[0]) < exact
}

// parts reports whether, beside that, requests are never answered without a call.
func (r *rhythm) parts() bool {
	const few = 0.05
	return r.answers() && r.sum(0, 0, false) < few
}

// apart expects of responses nothing but responses, and so calls of requests only;
// timers may be what leads to them.
func (r *rhythm) apart(e *[sorts]expectation, unexplained *[deedKinds]float64, waits bool) {
	const least, most = 0.002, 0.6
	e[1] = expectation{}
	copy(e[1][0][:], r.beta[0][rhythmLags:])
	for kind := range deedKinds {
		copy(e[0][kind][:], r.beta[kind][:rhythmLags])
		unexplained[kind] = min(max(r.variation(kind, &r.beta[kind]), least), most)
	}
	unexplained[0] = least
	if waits {
		e[0][3] = [rhythmLags]float64{}
	}
}

// sum is how many deeds of a kind follow on a token of a sort.
func (r *rhythm) sum(kind, sort int, waits bool) (n float64) {
	if waits && kind == 3 {
		return 0
	}
	for lag := range rhythmLags {
		n += r.beta[kind][sort*rhythmLags+lag]
	}
	return n
}

// poolsWait reports whether calls wait for connections: none follows on a request,
// but one on each response that gives back a connection.
func (r *rhythm) poolsWait() bool {
	const few, many = 0.3, 0.5
	return r.sum(1, 0, false)+r.sum(2, 0, false)+r.sum(3, 0, false) < few && r.sum(3, 1, false) > many
}

// solve improves the coefficients for one kind, none of which is negative, by
// coordinate descent. It begins with those found last, which are close.
func (r *rhythm) solve(kind int, beta *[regressors]float64) {
	const sweeps, ridge, enough = 300, 0.5, 1e-5
	for range sweeps {
		moved := 0.0
		for i := range beta {
			row := &r.xx[i]
			left := r.xy[i][kind] + row[i]*beta[i]
			for j, b := range beta {
				left -= row[j] * b
			}
			b := max(0, left/(row[i]+ridge))
			moved = max(moved, math.Abs(b-beta[i]))
			beta[i] = b
		}
		if moved < enough {
			return
		}
	}
}

// unexplained is the share of the deeds that follows on no token.
func (r *rhythm) unexplained(kind int, beta *[regressors]float64) float64 {
	const least, most, part = 0.002, 0.6, 0.3
	return min(max(part*r.variation(kind, beta), least), most)
}

// variation is the part of the deeds' variation that is not explained: 0 where they
// follow on tokens to the turn, 1 where they are as random as arrivals.
func (r *rhythm) variation(kind int, beta *[regressors]float64) float64 {
	residual := r.yy[kind]
	for i, b := range beta {
		residual -= 2 * b * r.xy[i][kind]
		for j, c := range beta {
			residual += b * c * r.xx[i][j]
		}
	}
	return max(0, min(residual/(r.yy[kind]+1), residual/(r.y[kind]+1)))
}
