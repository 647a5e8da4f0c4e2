package discover

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// maxEnviron is how much of a process's environment is read, in bytes. Variables
// further back are not seen.
const maxEnviron = 128 << 10

// maxDepth bounds the walk from a process to its ancestors, which may change
// while it is walked.
const maxDepth = 1024

// Proc reads a /proc file system.
type Proc struct {
	// Root is where it is mounted; /proc if empty.
	Root string
}

// Path returns the path of a process's file.
func (p Proc) Path(pid uint32, file string) string {
	return filepath.Join(p.root(), strconv.FormatUint(uint64(pid), 10), file)
}

func (p Proc) root() string { return cmp.Or(p.Root, "/proc") }

// Processes returns the ids of all processes, in ascending order.
func (p Proc) Processes() ([]uint32, error) {
	root, err := os.Open(p.root())
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	defer root.Close()
	names, err := root.Readdirnames(-1)
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	var pids []uint32
	for _, name := range names {
		if pid, err := strconv.ParseUint(name, 10, 32); err == nil {
			pids = append(pids, uint32(pid))
		}
	}
	slices.Sort(pids)
	return pids, nil
}

// Self returns the collector's own process id as this /proc knows it, which is
// another than os.Getpid's where it belongs to another PID namespace.
func (p Proc) Self() uint32 {
	if link, err := os.Readlink(filepath.Join(p.root(), "self")); err == nil {
		if pid, err := strconv.ParseUint(link, 10, 32); err == nil {
			return uint32(pid)
		}
	}
	return uint32(os.Getpid())
}

// Read gathers the facts about a process. That it vanished meanwhile is normal:
// then the error is fs.ErrNotExist.
func (p Proc) Read(pid uint32) (*Facts, error) {
	facts := &Facts{PID: pid}
	if err := p.readStat(facts); err != nil {
		return nil, err
	}
	var errs [3]error
	facts.Path, errs[0] = p.executable(pid)
	if facts.Path != "" {
		facts.Executable = filepath.Base(facts.Path)
	}
	facts.Env, errs[1] = p.environ(pid)
	errs[2] = p.readCgroup(facts)
	for _, err := range errs {
		switch {
		case err == nil:
		case errors.Is(err, fs.ErrPermission):
			facts.Hidden = errors.Join(facts.Hidden, err)
		default:
			return nil, err
		}
	}
	facts.Own = p.own(facts)
	return facts, nil
}

// own says whether the process is the collector or descends from it.
func (p Proc) own(facts *Facts) bool {
	self, pid, parent := p.Self(), facts.PID, facts.Parent
	for range maxDepth {
		if pid == self {
			return true
		}
		if parent == 0 {
			return false
		}
		ancestor := Facts{PID: parent}
		if p.readStat(&ancestor) != nil {
			return false
		}
		pid, parent = parent, ancestor.Parent
	}
	return false
}

// readStat fills in what /proc/PID/stat tells (proc_pid_stat(5)).
func (p Proc) readStat(facts *Facts) error {
	text, err := os.ReadFile(p.Path(facts.PID, "stat"))
	if err != nil {
		return vanished(err)
	}
	return parseStat(string(text), facts)
}

func parseStat(text string, facts *Facts) error {
	// The name may hold spaces and parentheses; nothing after it does.
	open, end := strings.IndexByte(text, '('), strings.LastIndexByte(text, ')')
	if open < 0 || end < open {
		return fmt.Errorf("stat of process %d has no name", facts.PID)
	}
	facts.Comm = text[open+1 : end]
	const (
		parent  = 4 - 3
		flags   = 9 - 3
		started = 22 - 3
		// kernelThread is PF_KTHREAD in include/linux/sched.h.
		kernelThread = 0x00200000
	)
	fields := strings.Fields(text[end+1:])
	if len(fields) <= started {
		return fmt.Errorf("stat of process %d has too few fields", facts.PID)
	}
	ppid, err1 := strconv.ParseUint(fields[parent], 10, 32)
	bits, err2 := strconv.ParseUint(fields[flags], 10, 64)
	ticks, err3 := strconv.ParseUint(fields[started], 10, 64)
	if err := errors.Join(err1, err2, err3); err != nil {
		return fmt.Errorf("stat of process %d: %w", facts.PID, err)
	}
	facts.Parent, facts.Started = uint32(ppid), ticks
	facts.KernelThread = bits&kernelThread != 0
	return nil
}

// executable returns the path of the executable file; empty where there is none
// (kernel threads, zombies).
func (p Proc) executable(pid uint32) (string, error) {
	target, err := os.Readlink(p.Path(pid, "exe"))
	switch {
	case err == nil:
		return strings.TrimSuffix(target, " (deleted)"), nil
	case errors.Is(err, fs.ErrNotExist):
		return "", nil
	default:
		return "", vanished(err)
	}
}

func (p Proc) environ(pid uint32) (map[string]string, error) {
	file, err := os.Open(p.Path(pid, "environ"))
	if err != nil {
		return nil, vanished(err)
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, maxEnviron))
	if err != nil {
		return nil, vanished(err)
	}
	return parseEnviron(content), nil
}

// parseEnviron reads NUL-terminated NAME=value strings. Of two with one name the
// first counts, as for getenv(3). A last string without its end is cut off by the
// limit and left out.
func parseEnviron(content []byte) map[string]string {
	variables := map[string]string{}
	if len(content) >= maxEnviron {
		content = content[:bytes.LastIndexByte(content, 0)+1]
	}
	for {
		line, rest, _ := bytes.Cut(content, []byte{0})
		name, value, found := strings.Cut(string(line), "=")
		if _, known := variables[name]; found && name != "" && !known {
			variables[name] = value
		}
		if content = rest; len(content) == 0 {
			return variables
		}
	}
}

func (p Proc) readCgroup(facts *Facts) error {
	text, err := os.ReadFile(p.Path(facts.PID, "cgroup"))
	if err != nil {
		return vanished(err)
	}
	c := parseCgroup(string(text))
	facts.Cgroups, facts.ContainerID, facts.PodUID = c.paths, c.container, c.pod
	return nil
}

// vanished gives the errors of a process that ends while it is read one name.
func vanished(err error) error {
	if errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("%w: %w", fs.ErrNotExist, err)
	}
	return err
}
