// Package score compares the traces that Seqlink made with what programs did. Programs
// hand a token on with each call, in the query, a procedure's name, a key or a comment; the token is the truth, and nothing that
// links calls to requests looks at it.
package score

import (
	"net/url"
	"regexp"

	"github.com/seqlink/seqlink/examples/run"
)

// Token is the name of the query's parameter that holds the truth.
const Token = "truth"

// Service is a service of a chain, and what it does with a request.
type Service struct {
	Name string `json:"name"`
	// Others are further names of it, where it is several programs.
	Others []string `json:"others,omitempty"`
	// Calls is how many calls to the next service one request makes.
	Calls int `json:"calls"`
	// Background says that they begin after the response was written, so that no request
	// is their parent.
	Background bool `json:"background,omitempty"`
	// OwnCalls says that it also calls by itself, for no request, with NoRequest as the token.
	OwnCalls bool `json:"own_calls,omitempty"`
	// Messages says that those calls are made for messages over upgraded connections, so that
	// they may be said to follow the response to the upgrade.
	Messages bool `json:"messages,omitempty"`
	// Shared says that one call may serve several requests, so that others make none.
	Shared bool `json:"shared,omitempty"`
}

// NoRequest is the token of calls that no request causes.
const NoRequest = "none"

// OfRequest reports whether a span was made for a request.
func OfRequest(span *run.Span) bool { return token(span) != NoRequest && !ofConnection(span) }

// ofConnection reports whether a span is a database client's own: it logs in, asks for the
// server's version, or makes a connection ready for its next user.
func ofConnection(span *run.Span) bool { return span.Database && token(span) == "" }

// Plan is a chain of services, from the front to the last.
type Plan []Service

// served returns how many requests each service gets for one at the front.
func (p Plan) served() []int {
	served, n := make([]int, len(p)), 1
	for i, service := range p {
		served[i] = n
		n *= service.Calls
	}
	return served
}

// Spans is how many spans one request at the front makes.
func (p Plan) Spans() (n int) {
	for i, served := range p.served() {
		n += served * (1 + p[i].Calls)
	}
	return n
}

// inStatement is the token in a key or in a statement's comment.
var inStatement = regexp.MustCompile(`\b` + Token + `=(\w+)`)

func token(span *run.Span) string {
	if span.Database {
		if found := inStatement.FindStringSubmatch(span.Statement); found != nil {
			return found[1]
		}
		return ""
	}
	if found := inStatement.FindStringSubmatch(span.Procedure); found != nil {
		return found[1]
	}
	values, err := url.ParseQuery(span.Query)
	if err != nil {
		return ""
	}
	return values.Get(Token)
}
