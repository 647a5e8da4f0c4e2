package sql

import (
	"strings"
)

// hidden takes the place of a literal.
const hidden = "?"

// Dialect says how a statement is written.
type Dialect uint8

// The dialects.
const (
	// PostgreSQL's: https://www.postgresql.org/docs/current/sql-syntax-lexical.html.
	PostgreSQL Dialect = iota
	// MySQL's and MariaDB's: https://dev.mysql.com/doc/refman/8.4/en/language-structure.html. What stands
	// between double quotes is a literal, as without ANSI_QUOTES.
	MySQL
)

// scanner reads a statement's text, hides the literals, and notes what else it tells.
type scanner struct {
	dialect Dialect
	out     strings.Builder
	summary summary
	pairs   comments
	// secret says that the statement may set a password.
	secret bool

	rest string
	// list says that what comes are the members of IN (…), of which one is shown.
	list listPart
}

// listPart is how far a list that follows IN was read.
type listPart uint8

const (
	noList listPart = iota
	afterIn
	inList
	afterMember
)

// scan reads a statement, which may be cut anywhere.
func scan(text string, d Dialect) *scanner {
	s := &scanner{dialect: d, rest: strings.ToValidUTF8(text, "\uFFFD")}
	for s.rest != "" {
		s.next()
	}
	return s
}

// text returns the statement without literals and comments.
func (s *scanner) text() string { return strings.TrimSpace(s.out.String()) }

// kept returns the statement as it was, unless it may set a password.
func (s *scanner) kept(raw string) string {
	if s.secret {
		return s.text()
	}
	return strings.ToValidUTF8(raw, "\uFFFD")
}

// next reads a token.
func (s *scanner) next() {
	c := s.rest[0]
	switch {
	case isSpace(c):
		s.space(len(s.rest) - len(strings.TrimLeft(s.rest, " \t\n\r\f\v")))
	case s.comments(c):
	case c == '\'', c == '"' && s.dialect == MySQL:
		s.literal(quoted(s.rest, c, s.dialect == MySQL))
	case c == '"', c == '`' && s.dialect == MySQL:
		s.word(quoted(s.rest, c, false))
	case c == '$' && s.dialect == PostgreSQL:
		s.dollar()
	case isDigit(c), c == '.' && len(s.rest) > 1 && isDigit(s.rest[1]):
		s.literal(numberSize(s.rest))
	case isLetter(c), c == '$':
		s.identifier()
	default:
		s.symbol(c)
	}
}

// comments leaves a comment out that begins here, and reports whether one does.
func (s *scanner) comments(c byte) bool {
	switch {
	case strings.HasPrefix(s.rest, "--") && (s.dialect == PostgreSQL || len(s.rest) == 2 || s.rest[2] <= ' '),
		c == '#' && s.dialect == MySQL:
		s.comment(until(s.rest, "\n", 0))
	case !strings.HasPrefix(s.rest, "/*"):
		return false
	case s.dialect == MySQL: // comments hold no others
		s.comment(until(s.rest, "*/", len("/*")))
	default:
		s.comment(blockComment(s.rest))
	}
	return true
}

// take cuts n bytes off the rest.
func (s *scanner) take(n int) string {
	n = min(n, len(s.rest))
	taken := s.rest[:n]
	s.rest = s.rest[n:]
	return taken
}

// space writes one for many.
func (s *scanner) space(n int) {
	s.take(n)
	if s.list == afterMember {
		return
	}
	if out := s.out.String(); out != "" && out[len(out)-1] != ' ' {
		s.out.WriteByte(' ')
	}
}

// comment leaves a comment out, but for a trace context in it.
func (s *scanner) comment(n int) {
	s.pairs.add(s.take(n))
	s.space(0)
}

// literal hides n bytes. Of a list one member is shown.
func (s *scanner) literal(n int) {
	s.take(n)
	switch s.list {
	case inList:
		s.list = afterMember
	case afterMember:
		return
	}
	s.out.WriteString(hidden)
	s.summary.other()
}

// dollar reads a parameter, or a literal between two equal tags.
func (s *scanner) dollar() {
	n := 1
	for n < len(s.rest) && (isLetter(s.rest[n]) || isDigit(s.rest[n])) {
		n++
	}
	switch {
	case n < len(s.rest) && s.rest[n] == '$' && (n == 1 || !isDigit(s.rest[1])):
		tag := s.rest[:n+1]
		s.literal(until(s.rest, tag, len(tag)))
	case n > 1 && isDigit(s.rest[1]):
		s.list = noList
		s.out.WriteString(s.take(n))
		s.summary.other()
	case n == len(s.rest):
		s.literal(n) // the beginning of a tag, perhaps
	default:
		s.symbol('$')
	}
}

// identifier reads a name or keyword, or a literal that begins with a letter.
func (s *scanner) identifier() {
	n := 1
	for n < len(s.rest) && (isLetter(s.rest[n]) || isDigit(s.rest[n]) || s.rest[n] == '$') {
		n++
	}
	prefix := strings.ToLower(s.rest[:n])
	if n < len(s.rest) && s.rest[n] == '\'' && n == 1 && strings.ContainsRune("ebxn", rune(prefix[0])) {
		s.literal(n + quoted(s.rest[n:], '\'', prefix == "e" || s.dialect == MySQL))
		return
	}
	if prefix == "u" && strings.HasPrefix(s.rest[n:], "&'") {
		s.literal(n + 1 + quoted(s.rest[n+1:], '\'', false))
		return
	}
	s.word(n)
}

// word writes a name or keyword of n bytes.
func (s *scanner) word(n int) {
	word := s.take(n)
	s.secret = s.secret || strings.EqualFold(word, "password") || strings.EqualFold(word, "identified")
	s.list = noList
	if strings.EqualFold(word, "in") {
		s.list = afterIn
	}
	s.out.WriteString(word)
	s.summary.word(word)
}

// symbol writes one character that is no part of a token.
func (s *scanner) symbol(c byte) {
	s.take(1)
	switch {
	case s.list == afterIn && c == '(':
		s.list = inList
	case s.list == afterMember && (c == ',' || c == '-' || c == '+'):
		return
	case s.list == inList && (c == '-' || c == '+'):
	default:
		s.list = noList
	}
	s.out.WriteByte(c)
	s.summary.symbol(c)
}

// until returns how far end is in text, behind the first from bytes; all of it where it is not.
func until(text, end string, from int) int {
	if i := strings.Index(text[from:], end); i >= 0 {
		return from + i + len(end)
	}
	return len(text)
}

// blockComment returns the length of a comment, which may hold others.
func blockComment(text string) int {
	depth := 0
	for i := 0; i+1 < len(text); i++ {
		switch text[i : i+2] {
		case "/*":
			depth++
			i++
		case "*/":
			depth--
			i++
			if depth == 0 {
				return i + 1
			}
		}
	}
	return len(text)
}

// quoted returns the length of what stands between two quotes, in which a quote is
// doubled, or with escapes follows a backslash.
func quoted(text string, quote byte, escapes bool) int {
	for i := 1; i < len(text); i++ {
		switch {
		case escapes && text[i] == '\\':
			i++
		case text[i] != quote:
		case i+1 < len(text) && text[i+1] == quote:
			i++
		default:
			return i + 1
		}
	}
	return len(text)
}

// numberSize returns the length of a number.
func numberSize(text string) int {
	n := 0
	for n < len(text) {
		c := text[n]
		sign := (c == '-' || c == '+') && n > 0 && text[n-1]|0x20 == 'e' && !strings.HasPrefix(text, "0x")
		if !isDigit(c) && !isLetter(c) && c != '.' && !sign {
			break
		}
		n++
	}
	return n
}

func isSpace(c byte) bool { return c == ' ' || '\t' <= c && c <= '\r' }

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' || c == '_' || c >= 0x80 }
