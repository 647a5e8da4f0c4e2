package tracetreeexporter

import (
	"encoding/json"
	"fmt"
	"os"
)

const (
	// maxMethods bounds the names in by_method, which come from the wire.
	maxMethods   = 64
	otherMethods = "other"
)

// summary totals every finished trace, printed or not.
type summary struct {
	Traces int `json:"traces"`
	Spans  int `json:"spans"`
	// LinkedSpans are those whose parent is in the trace, and single roots.
	LinkedSpans int `json:"linked_spans"`
	// Roots are the spans that name no parent.
	Roots int `json:"roots"`
	// TracesWithSeveralRoots and TracesWithMissingParents may overlap.
	TracesWithSeveralRoots   int `json:"traces_with_several_roots"`
	TracesWithMissingParents int `json:"traces_with_missing_parents"`
	// TracesWithMissingLinks are those that do not hang together: several roots,
	// missing parents or cycles.
	TracesWithMissingLinks int `json:"traces_with_missing_links"`
	// ByMethod counts spans by how the link to their parent was found.
	ByMethod map[string]int `json:"by_method"`
}

func (s *summary) add(t *tree) {
	roots, missing, cycles := t.topsBy(methodRoot), t.topsBy(methodMissing), t.topsBy(methodCycle)
	s.Traces++
	s.Spans += t.spans
	s.Roots += roots
	s.LinkedSpans += t.spans - len(t.tops)
	if roots == 1 {
		s.LinkedSpans++
	}
	s.TracesWithSeveralRoots += count(roots > 1)
	s.TracesWithMissingParents += count(missing > 0)
	s.TracesWithMissingLinks += count(roots > 1 || missing > 0 || cycles > 0)
	s.addMethods(t.methods)
}

func (s *summary) addMethods(methods map[string]int) {
	if s.ByMethod == nil {
		s.ByMethod = map[string]int{}
	}
	for method, spans := range methods {
		if _, known := s.ByMethod[method]; !known && len(s.ByMethod) >= maxMethods {
			method = otherMethods
		}
		s.ByMethod[method] += spans
	}
}

func count(condition bool) int {
	if condition {
		return 1
	}
	return 0
}

// line is the summary in one line without its end.
func (s *summary) line() string {
	return fmt.Sprintf("%s, %s, %s linked, several roots in %s, missing parents in %s",
		plural(s.Traces, "trace"), plural(s.Spans, "span"), s.share(),
		plural(s.TracesWithSeveralRoots, "trace"), plural(s.TracesWithMissingParents, "trace"))
}

// share is cut, not rounded, so that 100.0 % means all.
func (s *summary) share() string {
	if s.Spans == 0 {
		return "0 %"
	}
	permille := s.LinkedSpans * 1000 / s.Spans
	return fmt.Sprintf("%d.%d %%", permille/10, permille%10)
}

func (s *summary) writeFile(path string) error {
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the summary: %w", err)
	}
	if err := os.WriteFile(path, append(text, '\n'), 0o644); err != nil {
		return fmt.Errorf("summary_path: write %q: %w", path, err)
	}
	return nil
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
