package http1

import (
	"bytes"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
)

// chunks reads the framing of a chunked body: RFC 9112, section 7.1.
type chunks struct {
	part chunkPart
	// left is how much of the chunk's data is still to come; while its size is
	// being read, the size so far, of that many digits.
	left   uint64
	digits int
	// data is the number of bytes of data in all chunks so far.
	data int64
}

type chunkPart uint8

const (
	chunkSize chunkPart = iota
	chunkExtension
	chunkData
	chunkDataEnd
	trailer
	trailerLine
	chunksDone
	chunksBad
)

// maxChunkDigits keeps a chunk's size within 60 bits.
const maxChunkDigits = 15

// read takes bytes off b until it ends, or the body does (chunksDone), or the
// framing is wrong (chunksBad). It returns how many.
func (c *chunks) read(b []byte) int {
	n := 0
	for n < len(b) && c.part != chunksDone && c.part != chunksBad {
		if c.part == chunkData {
			k := min(c.left, uint64(len(b)-n))
			c.pass(k)
			n += int(k)
			continue
		}
		c.part = c.next(b[n])
		n++
	}
	return n
}

// next takes one byte that is not data and returns the part that follows it.
func (c *chunks) next(b byte) chunkPart {
	switch c.part {
	case chunkSize:
		return c.size(b)
	case chunkExtension:
		if b == '\n' {
			return c.begin()
		}
	case chunkDataEnd:
		if b == '\n' {
			c.left, c.digits = 0, 0
			return chunkSize
		}
		if b != '\r' {
			return chunksBad
		}
	case trailer:
		if b == '\n' {
			return chunksDone
		}
		if b != '\r' {
			return trailerLine
		}
	case trailerLine:
		if b == '\n' {
			return trailer
		}
	}
	return c.part
}

// size takes one byte of the line that holds a chunk's size.
func (c *chunks) size(b byte) chunkPart {
	if v, ok := hexDigit(b); ok {
		c.left, c.digits = c.left<<4|v, c.digits+1
		if c.digits > maxChunkDigits {
			return chunksBad
		}
		return chunkSize
	}
	switch {
	case c.digits == 0:
		return chunksBad
	case b == '\n':
		return c.begin()
	case b == '\r', b == ';', b == ' ', b == '\t':
		return chunkExtension
	}
	return chunksBad
}

// begin follows the line with the size. A size of 0 marks the last chunk.
func (c *chunks) begin() chunkPart {
	if c.left == 0 {
		return trailer
	}
	return chunkData
}

// pass counts n bytes of the chunk's data.
func (c *chunks) pass(n uint64) {
	c.left -= n
	c.data = protocol.Saturate(c.data, n)
	if c.left == 0 {
		c.part = chunkDataEnd
	}
}

// skip passes n bytes that were not captured. It returns false where they reach
// beyond the chunk's data, so that the framing is lost.
func (c *chunks) skip(n uint64) bool {
	if c.part != chunkData || n > c.left {
		return false
	}
	c.pass(n)
	return true
}

func hexDigit(b byte) (uint64, bool) {
	switch {
	case '0' <= b && b <= '9':
		return uint64(b - '0'), true
	case 'a' <= b && b <= 'f':
		return uint64(b-'a') + 10, true
	case 'A' <= b && b <= 'F':
		return uint64(b-'A') + 10, true
	}
	return 0, false
}

// window holds the last bytes of a body whose chunks' sizes were not captured,
// as far back as they are known without a gap.
type window struct {
	bytes [8]byte
	n     int
}

func (w *window) clear() { w.n = 0 }

func (w *window) push(b []byte) {
	b = b[max(0, len(b)-len(w.bytes)):]
	keep := min(w.n, len(w.bytes)-len(b))
	copy(w.bytes[:], w.bytes[w.n-keep:w.n])
	copy(w.bytes[keep:], b)
	w.n = keep + len(b)
}

// endsBody tells whether the bytes end in the last chunk. What must come before
// it may not be known, where it was sent on its own.
func (w *window) endsBody() bool {
	before, ok := bytes.CutSuffix(w.bytes[:w.n], []byte("0\r\n\r\n"))
	return ok && (len(before) == 0 || before[len(before)-1] == '\n')
}

// endsLines tells whether the bytes end in an empty line, as trailers do, or
// nothing is known of them.
func (w *window) endsLines() bool {
	return w.n == 0 || bytes.HasSuffix(w.bytes[:w.n], []byte("\r\n\r\n"))
}
