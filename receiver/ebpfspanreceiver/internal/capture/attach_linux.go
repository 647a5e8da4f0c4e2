package capture

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

// attached is a program that runs.
type attached struct {
	program *ebpf.Program
	link    link.Link
	// twin says that it is the one before it once more.
	twin bool
}

// attachable is a program and where it belongs, as its section name says.
type attachable struct {
	section string
	program *ebpf.Program
}

// add loads and attaches one program.
func (p *programs) add(spec *ebpf.CollectionSpec, name string) error {
	section := spec.Programs[name].SectionName
	kind, function, _ := strings.Cut(section, "/")
	if strings.HasSuffix(kind, "probe") && p.types.parameters(function) == 0 {
		return explainAttach(section, fs.ErrNotExist) // it need not be verified to find out
	}
	program, err := p.loadProgram(only(spec, name), name)
	if err != nil {
		return explainLoad(name, err)
	}
	l, err := attachSection(section, program)
	if err != nil {
		return explainAttach(section, err)
	}
	p.keep(program, l)
	return nil
}

// addTwin loads and attaches once more the program that was added last.
func (p *programs) addTwin(spec *ebpf.CollectionSpec, name string) error {
	spec = spec.Copy()
	if err := spec.Variables["first_room"].Set(uint32(rooms)); err != nil {
		return fmt.Errorf("set first_room: %w", err)
	}
	if err := p.add(spec, name); err != nil {
		return err
	}
	p.attached[len(p.attached)-1].twin = true
	return nil
}

// attach attaches what every strategy shares, but for the uprobes. All links are kept.
func (p *programs) attach() error {
	for _, a := range p.attachable {
		l, err := attachSection(a.section, a.program)
		if err != nil {
			return explainAttach(a.section, err)
		}
		p.keep(a.program, l)
	}
	return nil
}

func (p *programs) keep(program *ebpf.Program, l link.Link) {
	p.attached = append(p.attached, attached{program: program, link: l})
}

func attachSection(section string, program *ebpf.Program) (link.Link, error) {
	kind, hook, _ := strings.Cut(section, "/")
	switch kind {
	case "tp_btf", "fentry", "fexit":
		return link.AttachTracing(link.TracingOptions{Program: program})
	case "raw_tracepoint":
		return link.AttachRawTracepoint(link.RawTracepointOptions{Name: hook, Program: program})
	case "tracepoint":
		group, event, _ := strings.Cut(hook, "/")
		return link.Tracepoint(group, event, program, nil)
	case "kprobe":
		return link.Kprobe(hook, program, nil)
	case "kretprobe":
		return link.Kretprobe(hook, program, kretprobeOptions())
	default:
		return nil, fmt.Errorf("unknown section %q", section)
	}
}

func explainAttach(section string, err error) error {
	switch {
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		return &MissingError{
			What: "the privilege to attach to " + section,
			Cure: "the capabilities are there, so look at the seccomp profile and at kernel lockdown",
			Err:  err,
		}
	case errors.Is(err, fs.ErrNotExist):
		return &MissingError{What: "the hook " + section, Cure: "run a kernel that has it", Err: err}
	default:
		return fmt.Errorf("attach to %s: %w", section, err)
	}
}

// missed returns how often a program was left out because it, or another one, ran on
// the same processor already, or because too many threads were in a function. Of twins
// both must have been left out: at most as often as either was.
func (p *programs) missed() (total uint64) {
	if w := p.wakes.threads; w != nil {
		if stats, err := w.Stats(); err == nil {
			total += stats.RecursionMisses
		}
	}
	var before uint64
	for _, a := range p.attached {
		n := a.missed()
		if a.twin {
			total -= before - min(before, n)
		} else {
			total += n
		}
		before = n
	}
	return total
}

func (a attached) missed() (n uint64) {
	if stats, err := a.program.Stats(); err == nil {
		n += stats.RecursionMisses
	}
	if info, err := a.link.Info(); err == nil {
		if kprobe := info.PerfEvent(); kprobe != nil && kprobe.Kprobe() != nil {
			n += kprobe.Kprobe().Missed
		}
	}
	return n
}
