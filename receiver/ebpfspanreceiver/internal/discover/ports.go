package discover

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// PortRange is a range of TCP ports, both ends included.
type PortRange struct{ First, Last uint16 }

// ParsePortRange reads "8080" or "8000-8099".
func ParsePortRange(text string) (PortRange, error) {
	first, last, isRange := strings.Cut(text, "-")
	if !isRange {
		last = first
	}
	low, err1 := strconv.ParseUint(strings.TrimSpace(first), 10, 16)
	high, err2 := strconv.ParseUint(strings.TrimSpace(last), 10, 16)
	if err1 != nil || err2 != nil || low == 0 || high < low {
		return PortRange{}, fmt.Errorf("%q is no port or range of ports: give 1 to 65535, or 8000-8099 for example", text)
	}
	return PortRange{uint16(low), uint16(high)}, nil
}

func portIn(port uint16, ranges []PortRange) bool {
	return slices.ContainsFunc(ranges, func(r PortRange) bool { return r.First <= port && port <= r.Last })
}

// listeners finds the ports where processes listen. It remembers the sockets of each
// network namespace, so one is good for one look at many processes.
type listeners struct {
	proc   Proc
	wanted func(port uint16) bool
	// namespaces has the wanted listening sockets' ports by inode number.
	namespaces map[string]map[uint64]uint16
}

func newListeners(proc Proc, wanted func(uint16) bool) *listeners {
	return &listeners{proc, wanted, make(map[string]map[uint64]uint16)}
}

// ports returns the wanted ports where a process listens, in ascending order: those of
// all listening sockets among its descriptors, inherited ones as well.
func (l *listeners) ports(pid uint32) ([]uint16, error) {
	sockets, err := l.sockets(pid)
	if err != nil || len(sockets) == 0 {
		return nil, err
	}
	folder, err := os.Open(l.proc.Path(pid, "fd"))
	if err != nil {
		return nil, vanished(err)
	}
	defer folder.Close()
	names, err := folder.Readdirnames(-1)
	if err != nil {
		return nil, vanished(err)
	}
	var ports []uint16
	for _, name := range names {
		target, err := os.Readlink(filepath.Join(folder.Name(), name))
		if err != nil {
			continue // closed meanwhile
		}
		if port, ok := sockets[socketInode(target)]; ok {
			ports = append(ports, port)
		}
	}
	slices.Sort(ports)
	return slices.Compact(ports), nil
}

// socketInode reads the target of a descriptor's link, "socket:[4711]"; 0 where it is
// none.
func socketInode(target string) uint64 {
	number, ok := strings.CutPrefix(strings.TrimSuffix(target, "]"), "socket:[")
	if !ok {
		return 0
	}
	inode, err := strconv.ParseUint(number, 10, 64)
	if err != nil {
		return 0
	}
	return inode
}

// sockets returns the wanted listening sockets of a process's network namespace.
func (l *listeners) sockets(pid uint32) (map[uint64]uint16, error) {
	namespace, err := os.Readlink(l.proc.Path(pid, "ns/net"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // a zombie
	}
	if err != nil {
		return nil, vanished(err)
	}
	if known, ok := l.namespaces[namespace]; ok {
		return known, nil
	}
	sockets := make(map[uint64]uint16)
	for _, table := range []string{"net/tcp", "net/tcp6"} {
		if err := l.readTable(l.proc.Path(pid, table), sockets); err != nil {
			return nil, err
		}
	}
	l.namespaces[namespace] = sockets
	return sockets, nil
}

// readTable adds the wanted sockets of one table (proc_net(5)). The kernel shows those
// that listen before all others (net/ipv4/tcp_ipv4.c, tcp_seq_start), so what follows
// them, which may be very long, is not read.
func (l *listeners) readTable(path string, sockets map[uint64]uint16) error {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // no IPv6
	}
	if err != nil {
		return vanished(err)
	}
	defer file.Close()
	lines := bufio.NewReaderSize(file, 4<<10)
	for first := true; ; first = false {
		line, err := lines.ReadSlice('\n')
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return vanished(err)
		}
		if first {
			continue // the heading
		}
		inode, port, listens := parseSocket(line)
		if !listens {
			return nil
		}
		if l.wanted(port) {
			sockets[inode] = port
		}
	}
}

// parseSocket reads a line of /proc/net/tcp or tcp6.
func parseSocket(line []byte) (inode uint64, port uint16, listens bool) {
	const (
		local, state, number = 1, 3, 9
		listen               = "0A" // TCP_LISTEN
	)
	fields := bytes.Fields(line)
	if len(fields) <= number || string(fields[state]) != listen {
		return 0, 0, false
	}
	_, hex, _ := bytes.Cut(fields[local], []byte(":"))
	p, err1 := strconv.ParseUint(string(hex), 16, 16)
	inode, err2 := strconv.ParseUint(string(fields[number]), 10, 64)
	return inode, uint16(p), err1 == nil && err2 == nil
}
