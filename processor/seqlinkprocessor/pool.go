package seqlinkprocessor // import "github.com/seqlink/seqlink/processor/seqlinkprocessor"

import "sync"

// slicePool lends slices, so that large ones are not allocated and cleared for every
// batch.
type slicePool[T any] struct{ pool sync.Pool }

// get returns an empty slice.
func (p *slicePool[T]) get() []T {
	if s, ok := p.pool.Get().(*[]T); ok {
		return (*s)[:0]
	}
	return nil
}

// put takes a slice back that nobody uses any more.
func (p *slicePool[T]) put(s []T) {
	if cap(s) > 0 {
		p.pool.Put(&s)
	}
}

var (
	spansPool slicePool[arrival]
	bytesPool slicePool[byte]
)
