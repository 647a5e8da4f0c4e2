package main

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/seqlink/seqlink/examples/run"
)

var tokens = regexp.MustCompile(`\b\d{6}\b`)

// mask copies a recording with the tokens in its payloads made alike.
func mask(t *testing.T, from, to string) (masked int) {
	t.Helper()
	source, err := os.Open(from)
	require.NoError(t, err)
	defer source.Close()
	reader, err := gzip.NewReader(source)
	require.NoError(t, err)
	target, err := os.Create(to)
	require.NoError(t, err)
	defer target.Close()
	writer := gzip.NewWriter(target)
	lines := bufio.NewScanner(reader)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var event map[string]any
		numbers := json.NewDecoder(strings.NewReader(lines.Text()))
		numbers.UseNumber()
		require.NoError(t, numbers.Decode(&event))
		if data, ok := event["data"].(string); ok {
			masked += len(tokens.FindAllString(data, -1))
			event["data"] = tokens.ReplaceAllString(data, "000000")
		}
		require.NoError(t, json.NewEncoder(writer).Encode(event))
	}
	require.NoError(t, lines.Err())
	require.NoError(t, writer.Close())
	return masked
}

// link is what is said of a span's parent.
type link struct {
	parent     pcommon.SpanID
	method     string
	confidence float64
	candidates int
}

func links(spans []run.Span) map[pcommon.SpanID]link {
	all := make(map[pcommon.SpanID]link)
	for i := range spans {
		s := &spans[i]
		all[s.ID] = link{s.Parent, s.Method, s.Confidence, len(s.Candidates)}
	}
	return all
}

// The truth is hidden from what is measured: links are the same where all tokens are alike.
func TestTokensAreHidden(t *testing.T) {
	for _, workload := range []string{"node-chain", "python-threads", "go-chain"} {
		t.Run(workload, func(t *testing.T) {
			c := cellOf(t, workload, true)
			d, err := readDescription(filepath.Join(recordings, c.name()+descriptionSuffix))
			require.NoError(t, err)
			recording := filepath.Join(recordings, c.name()+recordingSuffix)
			masked := filepath.Join(t.TempDir(), "masked"+recordingSuffix)
			// Request and response are seen at both ends of a call, but at one of the front's.
			assert.GreaterOrEqual(t, mask(t, recording, masked), 2*d.Spans)
			o := testOptions()
			plain, err := o.replayOne(t.Context(), recording)
			require.NoError(t, err)
			alike, err := o.replayOne(t.Context(), masked)
			require.NoError(t, err)
			assert.Len(t, plain, d.Spans)
			for i := range alike {
				assert.Equal(t, "truth=000000", alike[i].Query)
			}
			assert.Equal(t, links(plain), links(alike))
		})
	}
}
