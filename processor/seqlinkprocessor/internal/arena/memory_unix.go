//go:build unix

package arena

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// allocate maps zeroed pages, which use memory once they are written to. It panics
// when the system has none, as the Go runtime does.
func allocate(size int) []byte {
	memory, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		panic(fmt.Errorf("arena: map %d bytes: %w", size, err))
	}
	advise(memory)
	return memory
}

func release(memory []byte) {
	if err := unix.Munmap(memory); err != nil {
		panic(fmt.Errorf("arena: unmap: %w", err))
	}
}
