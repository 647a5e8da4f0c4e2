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
// most of a collector's were used at its start alone.
func Release() error {
	executable, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return err
	}
	maps, err := os.Open("/proc/self/smaps")
	if err != nil {
		return err
	}
	defer maps.Close()
	areas, err := unchanged(maps, executable)
	if err != nil {
		return err
	}
	for _, a := range areas {
		// With MADV_DONTNEED a private mapping of a file is read from the file again (madvise(2)).
		_, _, errno := unix.Syscall(unix.SYS_MADVISE, uintptr(a.start), uintptr(a.end-a.start), unix.MADV_DONTNEED)
		if errno != 0 {
			return fmt.Errorf("madvise(%x-%x, MADV_DONTNEED): %w", a.start, a.end, errno)
		}
	}
	return nil
}

// area is a part of the address space.
type area struct{ start, end uint64 }

// unchanged returns the areas of a process's smaps (proc_pid_smaps(5)) that are as a file
// has them and cannot be written. Where a page was changed nevertheless, by relocations or
// for a breakpoint, the whole area is left alone: the file does not have that.
func unchanged(smaps io.Reader, file string) (areas []area, err error) {
	var here *area
	lines := bufio.NewScanner(smaps)
	for lines.Scan() {
		f := strings.Fields(lines.Text())
		switch {
		case len(f) >= 2 && strings.Contains(f[0], "-"):
			here = nil
			if len(f) >= 6 && f[5] == file && strings.HasPrefix(f[1], "r-") && strings.HasSuffix(f[1], "p") {
				if here, err = areaOf(f[0]); err != nil {
					return nil, err
				}
			}
		case here != nil && len(f) >= 2 && f[0] == "Anonymous:":
			if f[1] == "0" {
				areas = append(areas, *here)
			}
			here = nil
		}
	}
	return areas, lines.Err()
}

// areaOf reads the ends of an area, as 400000-452000.
func areaOf(text string) (*area, error) {
	from, to, _ := strings.Cut(text, "-")
	start, err1 := strconv.ParseUint(from, 16, 64)
	end, err2 := strconv.ParseUint(to, 16, 64)
	if err := errors.Join(err1, err2); err != nil {
		return nil, fmt.Errorf("/proc/self/smaps: %w", err)
	}
	return &area{start, end}, nil
}
