package load

import "container/heap"

// lateQueue has segments in the order in which they are due.
type lateQueue struct{ segments lateHeap }

func (q *lateQueue) push(s lateSegment) { heap.Push(&q.segments, s) }

// pop returns a segment that is due, or nil.
func (q *lateQueue) pop(now int64) *lateSegment {
	if len(q.segments) == 0 || q.segments[0].due > now {
		return nil
	}
	s := heap.Pop(&q.segments).(lateSegment)
	return &s
}

type lateHeap []lateSegment

func (h lateHeap) Len() int           { return len(h) }
func (h lateHeap) Less(i, j int) bool { return h[i].due < h[j].due }
func (h lateHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *lateHeap) Push(x any)        { *h = append(*h, x.(lateSegment)) }
func (h *lateHeap) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}
