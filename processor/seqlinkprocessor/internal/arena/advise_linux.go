package arena

import "golang.org/x/sys/unix"

// hugePage is the size of a transparent huge page on most platforms.
const hugePage = 2 << 20

// advise asks for huge pages, because values are visited at random: with small pages
// most visits would miss the processor's table of pages. It is a wish only.
func advise(memory []byte) {
	if len(memory) >= hugePage {
		_ = unix.Madvise(memory, unix.MADV_HUGEPAGE)
	}
}
