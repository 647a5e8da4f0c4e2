//go:build !unix

package arena

import "unsafe"

func allocate(size int) []byte {
	words := make([]uint64, (size+7)/8) // aligned for every type
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(words))), size)
}

func release([]byte) {}
