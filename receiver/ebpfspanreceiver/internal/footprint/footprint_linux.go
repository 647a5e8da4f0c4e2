package footprint

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Release unmaps the pages of the executable's code and constants. The kernel maps those
// that are used again from its page cache when they are, and is free to drop the others:
// most of a collector's were used at its start alone. Written data is left as it is.
func Release() error {
	executable, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return err
	}
	maps, err := os.Open("/proc/self/maps")
	if err != nil {
		return err
	}
	defer maps.Close()
	areas, err := readOnly(maps, executable)
	if err != nil {
		return err
	}
	for _, a := range areas {
		// The pages are clean: with MADV_DONTNEED a private mapping of a file is read from
		// the file again (madvise(2)).
		_, _, errno := unix.Syscall(unix.SYS_MADVISE, uintptr(a.start), uintptr(a.end-a.start), unix.MADV_DONTNEED)
		if errno != 0 {
			return fmt.Errorf("madvise(%x-%x, MADV_DONTNEED): %w", a.start, a.end, errno)
		}
	}
	return nil
}

// area is a part of the address space.
type area struct{ start, end uint64 }

// readOnly returns the areas of a process's maps (proc_pid_maps(5)) that a file is mapped
// to and that cannot be written.
func readOnly(maps io.Reader, file string) ([]area, error) {
	var areas []area
	lines := bufio.NewScanner(maps)
	for lines.Scan() {
		f := strings.Fields(lines.Text())
		if len(f) < 6 || f[5] != file || !strings.HasPrefix(f[1], "r-") || !strings.HasSuffix(f[1], "p") {
			continue
		}
		from, to, _ := strings.Cut(f[0], "-")
		start, err1 := strconv.ParseUint(from, 16, 64)
		end, err2 := strconv.ParseUint(to, 16, 64)
		if err := errors.Join(err1, err2); err != nil {
			return nil, fmt.Errorf("/proc/self/maps: %w", err)
		}
		areas = append(areas, area{start, end})
	}
	return areas, lines.Err()
}
