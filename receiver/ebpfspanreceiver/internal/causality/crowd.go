package causality

import "slices"

// follower is a kind of calls of an event loop that followed a request's response: how many may be of it, and how many of
// the kind there are to a response as a rule.
type follower struct {
	kind         kind
	calls, usual float64
}

func (r *request) follower(k kind) *follower {
	i := slices.IndexFunc(r.followers, func(f *follower) bool { return f.kind == k })
	if i >= 0 {
		return r.followers[i]
	}
	f := &follower{kind: k}
	r.followers = append(r.followers, f)
	return f
}

// crowd takes one more call of an event loop that may be r's. Where more come together after one response than there are to
// a response as a rule, most are of responses before, and nothing tells which.
func (m *aftermath) crowd(a *act, r *request) *follower {
	k := m.kindOf(a)
	f := r.follower(k)
	f.calls, f.usual = f.calls+1, 1
	if h := m.kinds[k]; h != nil && m.answered > 0 {
		f.usual = max(1, h.count[idle]/m.answered)
	}
	return f
}

// crowded reports whether there are more calls than can be of the request.
func (f *follower) crowded() bool {
	const slack = 4.0 / 3
	return f != nil && f.calls >= slack*f.usual
}
