package sql

import (
	"net/url"
	"strings"
)

// comments are the key-value pairs that sqlcommenter puts into a statement's comments
// (https://google.github.io/sqlcommenter/spec): key='value', both URL-encoded.
type comments []pair

type pair struct{ name, value string }

// add reads a comment.
func (c *comments) add(text string) {
	text = strings.TrimSuffix(strings.TrimPrefix(text, "/*"), "*/")
	for part := range strings.SplitSeq(text, ",") {
		name, value, ok := strings.Cut(strings.TrimSpace(part), "='")
		if !ok || !strings.HasSuffix(value, "'") {
			continue
		}
		name, err := url.QueryUnescape(name)
		if err != nil {
			continue
		}
		value, err = url.QueryUnescape(strings.TrimSuffix(value, "'"))
		if err == nil {
			*c = append(*c, pair{name, value})
		}
	}
}

// Values implements propagation.Fields.
func (c comments) Values(name string) []string {
	var values []string
	for _, p := range c {
		if strings.EqualFold(p.name, name) {
			values = append(values, p.value)
		}
	}
	return values
}
