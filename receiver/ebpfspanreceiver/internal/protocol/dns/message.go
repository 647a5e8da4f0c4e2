package dns

import (
	"encoding/binary"
	"fmt"
	"strings"

	"golang.org/x/net/dns/dnsmessage"
)

const (
	headerSize = 12
	// maxName is the longest name on the wire, by RFC 1035, 2.3.4.
	maxName = 255
	// questionSize is that of a question's type and class.
	questionSize = 4
	// maxMessage is how much of a message is looked at, but for the addresses in its answers.
	maxMessage = 512
	// maxAnswers is how many addresses are told of one answer.
	maxAnswers = 32
)

// message is a query or an answer, as far as it was captured.
type message struct {
	dnsmessage.Header
	// question is the only one; without says that there is none, as some servers answer
	// what they cannot read.
	question dnsmessage.Question
	without  bool
	// counts are those of questions, answers, authorities and additional records.
	counts [4]uint16
	// end is where the question ends.
	end int
}

// part says how much of a message could be read.
type part uint8

const (
	// wrong: it is none.
	wrong part = iota
	// short: there are too few bytes to tell.
	short
	// whole: its header and question are there.
	whole
)

// read reads the header and question of a message that begins with b.
func read(b []byte) (m message, p part) {
	if len(b) < headerSize {
		return m, short
	}
	for i := range m.counts {
		m.counts[i] = binary.BigEndian.Uint16(b[4+2*i:])
	}
	var parser dnsmessage.Parser
	var err error
	if m.Header, err = parser.Start(b); err != nil || m.OpCode != 0 || m.counts[0] > 1 {
		return m, wrong
	}
	if m.counts[0] == 0 {
		m.without, m.end = true, headerSize
		if !m.Response {
			return m, wrong
		}
		return m, whole
	}
	if m.end, p = questionEnd(b); p != whole {
		return m, p
	}
	if m.question, err = parser.Question(); err != nil {
		return m, wrong
	}
	return m, whole
}

// questionEnd returns where the first question of a message ends. Its name cannot be compressed:
// there is nothing before it.
func questionEnd(b []byte) (end int, p part) {
	i := headerSize
	for i < len(b) && b[i] != 0 {
		if b[i] >= 64 {
			return 0, wrong
		}
		i += 1 + int(b[i])
		if i-headerSize >= maxName {
			return 0, wrong
		}
	}
	end = i + 1 + questionSize
	if end > len(b) {
		return 0, short
	}
	return end, whole
}

// strict reports whether a message of size bytes, of which those in b were captured, is what
// a resolver or a server would send. Others' bytes are not taken for one.
func (m *message) strict(b []byte, size uint64) bool {
	switch {
	case m.without || b[3]&0x40 != 0, // the bit that must be zero: RFC 1035, 4.1.1; RFC 4035, 3.1.6
		!plainName(m.question.Name), !knownClass(m.question.Class):
		return false
	case m.Response:
		return m.plausible(b, size)
	}
	return !m.Authoritative && !m.Truncated && !m.RecursionAvailable && m.RCode == 0 &&
		m.counts[1] == 0 && m.counts[2] == 0 && m.counts[3] <= 2 && // EDNS(0) and a signature
		(m.counts[3] == 0) == (size == uint64(m.end)) && m.plausible(b, size)
}

// plausible reports whether the records of a message are what its header says, where all of
// it was captured.
func (m *message) plausible(b []byte, size uint64) bool {
	const smallest = 11 // a record's name is one byte at least, and what follows ten
	records := uint64(m.counts[1]) + uint64(m.counts[2]) + uint64(m.counts[3])
	if uint64(m.end)+records*smallest > size {
		return false
	}
	if uint64(len(b)) < size {
		return true
	}
	var p dnsmessage.Parser
	_, err := p.Start(b)
	for _, skip := range []func() error{p.SkipAllQuestions, p.SkipAllAnswers, p.SkipAllAuthorities, p.SkipAllAdditionals} {
		if err == nil {
			err = skip()
		}
	}
	return err == nil
}

// plainName reports whether a name is made of letters, digits and other printable ASCII.
func plainName(n dnsmessage.Name) bool {
	for _, c := range n.Data[:n.Length] {
		if c <= ' ' || c > '~' {
			return false
		}
	}
	return n.Length > 0
}

// knownClass reports whether a question may have a class. Multicast DNS sets its uppermost
// bit, and is not read.
func knownClass(c dnsmessage.Class) bool {
	const none, all = 254, 255 // RFC 2136, 2.4; RFC 1035, 3.2.5
	switch c {
	case dnsmessage.ClassINET, dnsmessage.ClassCHAOS, dnsmessage.ClassHESIOD, none, all:
		return true
	}
	return false
}

// addresses returns those in a message's answers, as far as they were captured.
func addresses(b []byte) (found []string) {
	var p dnsmessage.Parser
	if _, err := p.Start(b); err != nil || p.SkipAllQuestions() != nil {
		return nil
	}
	for len(found) < maxAnswers {
		h, err := p.AnswerHeader()
		if err != nil {
			return found
		}
		address, err := addressOf(&p, h.Type)
		if err != nil {
			return found
		}
		if address != "" {
			found = append(found, address)
		}
	}
	return found
}

// addressOf reads the next answer; it is empty where that is no address.
func addressOf(p *dnsmessage.Parser, t dnsmessage.Type) (string, error) {
	switch t {
	case dnsmessage.TypeA:
		a, err := p.AResource()
		return netipText(a.A[:]), err
	case dnsmessage.TypeAAAA:
		a, err := p.AAAAResource()
		return netipText(a.AAAA[:]), err
	}
	return "", p.SkipAnswer()
}

// nameText is a name as attributes have it: without the dot at its end, and what cannot be
// printed as the semantic conventions for dns.question.name want it.
func nameText(n dnsmessage.Name) string {
	name := n.String()
	if len(name) > 1 {
		name = strings.TrimSuffix(name, ".")
	}
	if plainName(n) && !strings.ContainsAny(name, `"\`) {
		return name
	}
	var text strings.Builder
	for i := range len(name) {
		switch c := name[i]; {
		case c == '"' || c == '\\':
			text.WriteString(`\` + string(rune(c)))
		case c == '\t':
			text.WriteString(`\t`)
		case c == '\n':
			text.WriteString(`\n`)
		case c == '\r':
			text.WriteString(`\r`)
		case c < ' ' || c > '~':
			fmt.Fprintf(&text, `\%03d`, c)
		default:
			text.WriteByte(c)
		}
	}
	return text.String()
}
