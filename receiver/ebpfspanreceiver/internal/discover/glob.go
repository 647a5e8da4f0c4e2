package discover

import (
	"errors"
	"fmt"

	"github.com/gobwas/glob"
)

// Glob is a pattern for paths: * and ? stand for characters of one folder's name, **
// for any, [a-z] for one of a set and {a,b} for alternatives.
type Glob struct {
	pattern string
	matcher glob.Glob
}

// NewGlob compiles a pattern.
func NewGlob(pattern string) (Glob, error) {
	matcher, err := glob.Compile(pattern, '/')
	if err == nil {
		err = unfinished(pattern)
	}
	if err != nil {
		return Glob{}, fmt.Errorf("%q is no pattern for paths: %w", pattern, err)
	}
	return Glob{pattern, matcher}, nil
}

// unfinished finds what the library takes without complaint: braces that are not closed
// and a backslash before nothing.
func unfinished(pattern string) error {
	var depth int
	for i := 0; i < len(pattern); i++ {
		switch pattern[i] {
		case '\\':
			i++
			if i == len(pattern) {
				return errors.New("nothing follows the last backslash")
			}
		case '{':
			depth++
		case '}':
			depth--
		}
	}
	if depth != 0 {
		return errors.New("its braces do not match")
	}
	return nil
}

// String returns the pattern.
func (g Glob) String() string { return g.pattern }

func firstMatch(globs []Glob, path string) (Glob, bool) {
	for _, g := range globs {
		if path != "" && g.matcher.Match(path) {
			return g, true
		}
	}
	return Glob{}, false
}
