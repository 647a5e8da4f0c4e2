package sql

import "strings"

const (
	// maxSummary is how long a summary may become, in bytes: the conventions' bound.
	maxSummary = 255
	// maxTargets is how many tables are named.
	maxTargets = 8
)

// summary is db.query.summary: what is done and to which tables, in the order of the text. It
// is made while the text is read.
type summary struct {
	out     strings.Builder
	targets int
	// verb is the statement's first word, and before the word before, in upper case.
	verb, before string
	// defines says that what is created, altered or dropped is still to come.
	defines bool
	// wants says that the next name is a target, targeted that the last one was, and qualified
	// that it goes on after a dot.
	wants, targeted, qualified bool
	// levels says for each open parenthesis whether it holds a query.
	levels []bool
}

// operations begin a part of a statement, unless they follow one of the words.
var operations = map[string][]string{
	"SELECT": nil,
	"INSERT": {"ON", "BEFORE", "AFTER", "OR"},
	"UPDATE": {"ON", "DO", "FOR", "BEFORE", "AFTER", "OR", "KEY", "NO", "GRANT"},
	"DELETE": {"ON", "BEFORE", "AFTER", "OR", "THEN"},
	"MERGE":  nil,
}

// before a target comes one of these.
var leads = map[string]bool{
	"FROM": true, "JOIN": true, "INTO": true, "UPDATE": true, "TABLE": true, "TRUNCATE": true, "COPY": true,
	"CALL": true, "VIEW": true, "INDEX": true, "DATABASE": true, "SCHEMA": true, "SEQUENCE": true,
}

// fillers stand between such a word and the target.
var fillers = map[string]bool{
	"LOW_PRIORITY": true, "HIGH_PRIORITY": true, "DELAYED": true, "IGNORE": true, // MySQL's
	"ONLY": true, "IF": true, "NOT": true, "EXISTS": true, "LATERAL": true, "TABLE": true, "CONCURRENTLY": true,
}

// String returns the summary.
func (s *summary) String() string { return s.out.String() }

// word takes a name or keyword.
func (s *summary) word(word string) {
	upper := strings.ToUpper(word)
	s.targeted = false
	switch {
	case s.qualified:
		s.qualified = false
		s.targeted = s.write("."+word, "")
	case s.wants && fillers[upper]:
	case s.wants && !isOperation(upper, s.before):
		s.wants = false
		s.target(word)
	default:
		s.keyword(word, upper)
	}
	s.before = upper
}

// keyword takes a word that is no target.
func (s *summary) keyword(word, upper string) {
	does := isOperation(upper, s.before)
	switch {
	case s.verb == "":
		s.verb = upper
		s.defines = upper == "CREATE" || upper == "ALTER" || upper == "DROP"
		if upper != "WITH" {
			s.write(word, " ")
		}
	case does:
		s.write(word, " ")
	case s.defines && leads[upper]:
		s.defines = false
		s.write(word, " ")
	}
	if n := len(s.levels); does && n > 0 {
		s.levels[n-1] = true
	}
	s.wants = s.leads(upper, does)
}

// leads reports whether a target follows.
func (s *summary) leads(upper string, does bool) bool {
	switch {
	case !leads[upper] || !s.inQuery() || s.before == "DISTINCT":
		return false
	case upper == "UPDATE":
		return does
	}
	return upper != "FROM" || s.verb != "COPY" || len(s.levels) > 0
}

func isOperation(upper, before string) bool {
	except, ok := operations[upper]
	if !ok {
		return false
	}
	for _, e := range except {
		if e == before {
			return false
		}
	}
	return true
}

// inQuery reports whether what is read stands directly in a query: extract(x from y) is none.
func (s *summary) inQuery() bool {
	return len(s.levels) == 0 || s.levels[len(s.levels)-1]
}

func (s *summary) target(word string) {
	if s.targets >= maxTargets {
		return
	}
	s.targets++
	s.targeted = s.write(word, " ")
}

// write appends a word, if there is room for it.
func (s *summary) write(word, separator string) bool {
	if s.out.Len() == 0 {
		separator = ""
	}
	if s.out.Len()+len(separator)+len(word) > maxSummary {
		return false
	}
	s.out.WriteString(separator)
	s.out.WriteString(word)
	return true
}

// symbol takes a character that is no part of a word.
func (s *summary) symbol(c byte) {
	switch c {
	case '(':
		s.wants = false
		s.levels = append(s.levels, false)
	case ')':
		if n := len(s.levels); n > 0 {
			s.levels = s.levels[:n-1]
		}
	case ';':
		s.verb, s.wants, s.levels = "", false, nil
	case '.':
		s.qualified, s.targeted = s.targeted, false
		return
	}
	s.before, s.qualified, s.targeted = "", false, false
}

// other takes a literal or a parameter.
func (s *summary) other() {
	s.wants, s.qualified, s.targeted, s.before = false, false, false, ""
}
