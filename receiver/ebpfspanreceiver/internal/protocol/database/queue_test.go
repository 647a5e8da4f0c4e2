package database

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestQueueKeepsTheOrder(t *testing.T) {
	var q Queue[int]
	for round := range 3 {
		for i := range 5 {
			assert.True(t, q.Push(10*round+i))
		}
		q.Drop()
		for i := range 4 {
			v, found, waiting := q.Front()
			assert.True(t, found && waiting)
			assert.Equal(t, 10*round+i, v)
			q.Pop()
		}
		_, _, waiting := q.Front()
		assert.False(t, waiting)
		q.Pop()
		assert.Zero(t, q.Len())
	}
}

// What finds no room is counted, and so is what comes after it, so that the order stays.
func TestQueueCountsWhatFindsNoRoom(t *testing.T) {
	var q Queue[int]
	for i := range MaxOpen {
		assert.True(t, q.Push(i))
	}
	assert.False(t, q.Push(-1))
	q.Pop()
	assert.False(t, q.Push(-2), "one before it is not answered yet")
	_, found := q.Last()
	assert.False(t, found)
	assert.Equal(t, MaxOpen+1, q.Len())
	q.Drop()
	for range MaxOpen - 1 {
		q.Skip()
		q.Pop()
	}
	_, found, waiting := q.Front()
	assert.False(t, found)
	assert.True(t, waiting)
	q.Skip()
	assert.True(t, q.Push(7))
	assert.Equal(t, []int{7}, q.Take())
	assert.Zero(t, q.Len())
}
