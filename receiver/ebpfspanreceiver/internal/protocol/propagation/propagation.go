// Package propagation reads the trace contexts that applications put into the
// header fields of their requests. Each format is a file of its own; adding one
// takes that file and a line in propagators.
package propagation

import (
	"slices"
	"strings"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
)

// Fields are the header fields of a request, whatever its protocol.
type Fields interface {
	// Values returns the values of the fields called name, in the order in which
	// they came. Matching ignores case.
	Values(name string) []string
}

// Propagator reads one format of trace context.
type Propagator interface {
	// Name is the format's name, the value of the link attribute seqlink.context.
	Name() string
	// Fields are the names of the fields that Extract asks for, in lower case.
	Fields() []string
	// Extract returns the context in f, and whether there is a valid one. It
	// leaves the context's Propagator empty.
	Extract(f Fields) (protocol.TraceContext, bool)
}

var propagators = []Propagator{
	W3C{},
	Datadog{},
	B3{},
	Jaeger{},
	SkyWalking{},
	XRay{},
}

// names holds the fields of all propagators, and those with other ids, by the lengths of
// their names.
var names = func() (byLength [][]string) {
	all := slices.Clone(requestIDs)
	for _, p := range propagators {
		all = append(all, p.Fields()...)
	}
	for _, name := range all {
		for len(byLength) <= len(name) {
			byLength = append(byLength, nil)
		}
		byLength[len(name)] = append(byLength[len(name)], name)
	}
	return byLength
}()

// Relevant tells whether Extract or Marks asks for the field called name. Matching
// ignores case. Most fields are not, and most requests have none that is.
func Relevant(name []byte) bool {
	if len(name) >= len(names) {
		return false
	}
	for _, other := range names[len(name)] {
		if strings.EqualFold(string(name), other) {
			return true
		}
	}
	return false
}

// Initials returns the first letters of the names for which Relevant returns true, small and capital.
func Initials() (all []string) {
	for _, ofLength := range names {
		for _, name := range ofLength {
			all = append(all, name[:1], strings.ToUpper(name[:1]))
		}
	}
	return all
}

// Extract returns the valid trace contexts in f, at most one for each format.
func Extract(f Fields) []protocol.TraceContext {
	var found []protocol.TraceContext
	for _, p := range propagators {
		if c, ok := p.Extract(f); ok {
			c.Propagator = p.Name()
			found = append(found, c)
		}
	}
	return found
}

// trim cuts off the white space that may surround a field's value (RFC 9110, 5.5).
func trim(s string) string { return strings.Trim(s, " \t") }
