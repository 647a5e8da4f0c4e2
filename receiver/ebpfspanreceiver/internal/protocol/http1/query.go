package http1

import (
	"net/url"
	"strings"
)

// Query decides what may be shown of the query part of request targets. The zero
// value hides all values.
type Query struct {
	mode       QueryMode
	show, hide map[string]struct{}
}

// QueryMode says what becomes of a query.
type QueryMode string

// The modes.
const (
	// QueryRedact keeps the names and hides the values.
	QueryRedact QueryMode = "redact"
	// QueryKeep keeps the query, and hides the values that look secret.
	QueryKeep QueryMode = "keep"
	// QueryDrop leaves the query out.
	QueryDrop QueryMode = "drop"
)

// redacted takes the place of what is hidden, as the semantic conventions have it for
// url.query and url.full.
const redacted = "REDACTED"

// NewQuery returns what shows the values of the parameters in show where others are
// hidden, and hides those of the parameters in hide where others are shown. Names are
// compared without case.
func NewQuery(mode QueryMode, show, hide []string) Query {
	return Query{mode: mode, show: lowered(show), hide: lowered(hide)}
}

func lowered(names []string) map[string]struct{} {
	set := make(map[string]struct{}, len(names))
	for _, name := range names {
		set[strings.ToLower(name)] = struct{}{}
	}
	return set
}

// Apply returns what may be shown of query.
func (q Query) Apply(query []byte) string {
	if len(query) == 0 || q.mode == QueryDrop {
		return ""
	}
	var b strings.Builder
	b.Grow(len(query) + len(redacted))
	for part := range strings.SplitSeq(strings.ToValidUTF8(string(query), "\uFFFD"), "&") {
		if b.Len() > 0 {
			b.WriteByte('&')
		}
		q.write(&b, part)
	}
	return b.String()
}

// write adds one parameter. A part without a name may be anything, a password for
// instance.
func (q Query) write(b *strings.Builder, part string) {
	name, value, named := strings.Cut(part, "=")
	switch {
	case part == "":
	case !named && q.mode == QueryKeep:
		b.WriteString(Credentials(part))
	case !named:
		b.WriteString(redacted)
	default:
		b.WriteString(name)
		b.WriteByte('=')
		b.WriteString(q.value(name, value))
	}
}

func (q Query) value(name, value string) string {
	decoded, err := url.QueryUnescape(name)
	if err != nil {
		return redacted
	}
	decoded = strings.ToLower(decoded)
	if q.mode == QueryKeep {
		if _, hidden := q.hide[decoded]; hidden {
			return redacted
		}
	} else if _, shown := q.show[decoded]; !shown {
		return redacted
	}
	if plain, err := url.QueryUnescape(value); err != nil || Credentials(plain) != plain {
		return redacted
	}
	return value
}

// Credentials hides the user names and passwords in the URLs that are in a text, as
// the semantic conventions ask for url.full.
func Credentials(text string) string {
	if strings.IndexByte(text, '@') < 0 {
		return text
	}
	var b strings.Builder
	for {
		before, after, found := strings.Cut(text, "://")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		b.WriteString("://")
		// An authority ends at these (RFC 3986, section 3.2), its user information at
		// its last @, for what may not stand in a password does nevertheless.
		end := strings.IndexAny(after, "/?# \"'<>")
		if end < 0 {
			end = len(after)
		}
		if at := strings.LastIndexByte(after[:end], '@'); at >= 0 {
			b.WriteString(redacted + ":" + redacted)
			after = after[at:]
		}
		text = after
	}
}
