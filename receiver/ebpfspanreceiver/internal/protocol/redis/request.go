package redis

import (
	"strings"

	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol/database"
)

// request is a command that waits for its answer.
type request struct {
	database.Exchange
	// name is the command's in upper case, command what is known of it.
	name    string
	command command
	// arguments is how many came, apart from the name, first the first of them.
	arguments int
	first     string
	// reply is what follows CLIENT REPLY, in upper case.
	reply string
	// answers is how many it has, of which some were given.
	answers int
	text    text
	// pending are arguments that may be keys, which is known when all have come.
	pending []pending
}

// pending is an argument whose text is not written yet.
type pending struct {
	argument string
	whole    bool
}

// maxPending bounds the arguments that are looked at: more are not shown.
const maxPending = 64

func newRequest(name []byte) *request {
	r := &request{name: upper(name), answers: 1}
	r.command = commands[r.name]
	r.System = semconv.DBSystemNameRedis
	r.Operation = string(name)
	return r
}

// argument takes the next argument.
func (r *request) argument(b []byte, whole bool, query Query) {
	r.arguments++
	switch {
	case r.arguments == 1:
		r.first = string(b)
		if r.command.hasParts(r.name) && whole && isName(b) {
			r.Operation += " " + r.first
		}
	case r.arguments == 2 && r.name == "CLIENT" && strings.EqualFold(r.first, "REPLY"):
		r.reply = upper(b)
	}
	if r.Thinning.Out || query == QueryDrop || len(r.pending) >= maxPending {
		return
	}
	p := pending{whole: whole}
	if r.mayShow(r.arguments, query) {
		p.argument = string(b)
	}
	r.pending = append(r.pending, p)
}

// mayShow reports whether the argument may be shown, before it is known how many there are.
func (r *request) mayShow(i int, query Query) bool {
	if i == 1 && r.command.hasParts(r.name) {
		return true
	}
	switch query {
	case QueryKeep:
		return r.command.nature != secret
	case QueryRedactKeys:
		return false
	}
	k := r.command.keys
	return k.first > 0 && i >= k.first
}

// shows reports whether argument i is shown.
func (r *request) shows(i int, query Query) bool {
	if !r.mayShow(i, query) {
		return false
	}
	if i == 1 && r.command.hasParts(r.name) {
		return isName([]byte(r.first))
	}
	return query == QueryKeep || r.command.keys.has(i, r.arguments)
}

// describe writes down what the command is, as far as it came.
func (r *request) describe(query Query) {
	r.Title(r.name)
	if r.Thinning.Out || query == QueryDrop {
		return
	}
	name, _, _ := strings.Cut(r.Operation, " ")
	r.text.add([]byte(name), true, true)
	for i, p := range r.pending {
		r.text.add([]byte(p.argument), p.whole, r.shows(i+1, query))
	}
	if r.arguments > len(r.pending) {
		r.text.b = append(r.text.b, " "+cut...)
	}
	r.Text = string(r.text.b)
	r.pending, r.text.b = nil, nil
}

// answered notes an error in an answer, of which line is the whole or the beginning. That
// a cluster's node tells where to ask is none.
func (r *request) failed(line []byte) {
	status, _, _ := strings.Cut(string(line), " ")
	switch {
	case !isName([]byte(status)):
		r.Fail("ERR")
	case status == "MOVED" || status == "ASK":
		r.Status = status
	default:
		r.Fail(status)
	}
}
