package packet

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/conn"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/loss"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol/database"
)

// letters is a protocol whose packets have headers of two bytes, a capital letter and a digit, the length;
// what begins with M goes on in the next packet. A dot is a message of its own, and ends what is lost.
type letters struct{ found []string }

func (l *letters) HeaderSize(_ *Stream, first byte) int {
	if first == '.' {
		l.found = append(l.found, ".")
		return 0
	}
	return 2
}

func (l *letters) ReadHeader(_ *Stream, header []byte) (Header, bool) {
	return Header{Length: uint64(header[1] - '0'), Continues: header[0] == 'M'}, 'A' <= header[0] && header[0] <= 'Z'
}

func (l *letters) Message(st *Stream) {
	l.found = append(l.found, fmt.Sprintf("%s at %d: %s, %d of %d, partial %t", st.Header, st.Place, st.Body, st.Length, st.Size(), st.Partial))
}

func (l *letters) Lost(_ *Stream, why loss.Reason) { l.found = append(l.found, why.String()) }

func (l *letters) Resumes(_ *Stream, data []byte, turn bool) bool {
	return turn && strings.HasPrefix(string(data), "R")
}

func (l *letters) Strayed(st *Stream) bool { return strings.HasSuffix(string(st.Last), ".") }

// A segment is a string, of which what is within brackets is not captured; a gap is not delivered
// at all and has its size's number of underscores. A bar begins a turn.
func play(requests bool, segments ...string) []string {
	l := &letters{}
	session := &database.Session{}
	streams := NewStreams(session, l)
	d := session.Side.RequestDirection()
	if !requests {
		d = d.Opposite()
	}
	offset := uint64(100)
	for _, text := range segments {
		if strings.HasPrefix(text, "_") {
			offset += uint64(len(text))
			continue
		}
		text, turn := strings.CutPrefix(text, "|")
		data, rest, _ := strings.Cut(text, "(")
		unseen, tail, _ := strings.Cut(rest, ")")
		size := uint64(len(data) + len(unseen) + len(tail))
		streams.Segment(&conn.Segment{Direction: d, Turn: turn, Offset: offset, Size: size, Data: []byte(data), Tail: []byte(tail)})
		offset += size
	}
	return l.found
}

func TestMessages(t *testing.T) {
	for name, tt := range map[string]struct {
		segments []string
		want     []string
	}{
		"one":               {[]string{"A3abc"}, []string{"A3 at 100: abc, 3 of 5, partial false"}},
		"byte for byte":     {strings.Split("A3abcB0", ""), []string{"A3 at 100: abc, 3 of 5, partial false", "B0 at 105: , 0 of 2, partial false"}},
		"in parts":          {[]string{"M2abM1", "cA1d", "B0"}, []string{"M2 at 100: abcd, 4 of 10, partial false", "B0 at 110: , 0 of 2, partial false"}},
		"a byte of its own": {[]string{".A0"}, []string{".", "A0 at 101: , 0 of 2, partial false"}},
		"not captured":      {[]string{"A6ab(xx)yzB0"}, []string{"A6 at 100: ab, 6 of 8, partial true", "B0 at 108: , 0 of 2, partial false"}},
		"malformed":         {[]string{"a3abc", "|A0", "|R0A0"}, []string{"malformed_message", "R0 at 107: , 0 of 2, partial false", "A0 at 109: , 0 of 2, partial false"}},
		"a header is lost":  {[]string{"A1(xA)1b", "|R1a"}, []string{"A1 at 100: , 1 of 3, partial true", "head_too_long", "R1 at 106: a, 1 of 3, partial false"}},
		"the last bytes":    {[]string{"A1(xA)1.", "B0"}, []string{"A1 at 100: , 1 of 3, partial true", "head_too_long", "B0 at 106: , 0 of 2, partial false"}},
		"a gap within one":  {[]string{"A5a", "__", "bcB0"}, []string{"A5 at 100: a, 5 of 7, partial true", "B0 at 107: , 0 of 2, partial false"}},
		"nothing moved":     {[]string{""}, nil},
	} {
		for _, requests := range []bool{true, false} {
			assert.Equal(t, tt.want, play(requests, tt.segments...), name)
		}
	}
}

// A request that ended in a gap is not told of: by the time that the gap is seen it may have been answered.
func TestEndsInAGap(t *testing.T) {
	segments := []string{"A3a", "__", "|R0"}
	assert.Equal(t, []string{"stream_gap", "R0 at 105: , 0 of 2, partial false"}, play(true, segments...))
	assert.Equal(t, []string{"A3 at 100: a, 3 of 5, partial true", "R0 at 105: , 0 of 2, partial false"}, play(false, segments...))
}

func TestBodiesAreBounded(t *testing.T) {
	l := &letters{}
	st := Stream{handler: l, session: &database.Session{}, part: inBody, left: 3 * MaxBody}
	st.read([]byte(strings.Repeat("x", MaxBody-1)))
	assert.False(t, st.Partial)
	st.read([]byte(strings.Repeat("y", MaxBody)))
	assert.Len(t, st.Body, MaxBody)
	assert.True(t, st.Partial)
}
