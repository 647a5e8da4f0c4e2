package sql

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// Statements are forgotten, the oldest first.
func TestPreparedIsBounded(t *testing.T) {
	var p Prepared[int]
	for i := range maxPrepared + 10 {
		p.Put(i, &Statement{})
		p.Put(i, &Statement{})
	}
	assert.Len(t, p.byName, maxPrepared)
	assert.Nil(t, p.Get(9))
	assert.NotNil(t, p.Get(10))
	p.Remove(10)
	p.Remove(10)
	assert.Nil(t, p.Get(10))
	assert.Len(t, p.names, maxPrepared-1)
	p.Clear()
	assert.Nil(t, p.Get(20))
}
