package causality

// pace tells whether a loop answers each request as soon as it has read what that waited for, before it reads anything
// else. libuv's and nginx' loops do: their handlers run one by one, each behind its read. asyncio's and HAProxy's read first,
// and then do what follows on all of it.
type pace struct {
	// turn and reads are the loop's at the last response.
	turn  int
	reads uint64
	// behind tells of how many responses after the first one of a turn something was read just before.
	behind agreement
}

// responds takes the first byte of a response.
func (p *pace) responds(turn int, reads uint64) {
	if p.turn == turn && p.reads > 0 {
		p.behind.add(reads != p.reads)
	}
	p.turn, p.reads = turn, reads
}

// atOnce reports whether nearly each response follows on what was read just before it.
func (p *pace) atOnce() bool {
	const enough, nearlyAll = 16, 0.98
	return p.behind.total >= enough && p.behind.right > nearlyAll*p.behind.total
}

// otherwise is the weight of a token that was not read just before the response, where all of them follow at once.
const otherwise = 1e-3

// fits is the weight of a token for a deed by the loop's pace.
func (p *pace) fits(x *deed, t *token) float64 {
	if x.kind != 0 || t.read == x.reads && t.turn == x.turn || !p.atOnce() {
		return 1
	}
	return otherwise
}
