package capture

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/rlimit"
	"golang.org/x/sys/unix"

	"github.com/seqlink/seqlink/bpf"
)

const (
	vmlinuxBTF = "/sys/kernel/btf/vmlinux"
	tracefs    = "/sys/kernel/tracing"
)

// programs are the loaded BPF objects. They share the maps of the first one.
type programs struct {
	events, losses, processes, calls *ebpf.Map
	thinnings, marks, omissions      *ebpf.Map
	// roundTripMulti is nil where the kernel has no uprobe_multi links.
	roundTrip, roundTripMulti *ebpf.Program

	attachable  []attachable
	collections []*ebpf.Collection
	links       []link.Link
}

// attachable is a program and where it belongs, as its section name says.
type attachable struct {
	section string
	program *ebpf.Program
}

func loadPrograms(options KernelOptions) (*programs, error) {
	if _, err := os.Stat(vmlinuxBTF); errors.Is(err, fs.ErrNotExist) {
		return nil, &MissingError{
			What: "kernel type information (" + vmlinuxBTF + ")",
			Cure: "run a kernel built with CONFIG_DEBUG_INFO_BTF=y",
		}
	}
	if err := ensureTracefs(); err != nil {
		return nil, err
	}
	if err := rlimit.RemoveMemlock(); err != nil {
		return nil, &MissingError{What: "the right to lock memory", Cure: "add CAP_SYS_RESOURCE, or raise RLIMIT_MEMLOCK", Err: err}
	}
	p := &programs{}
	if err := p.load(options); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

// ensureTracefs mounts tracefs at its usual place where nobody did.
func ensureTracefs() error {
	for _, dir := range []string{tracefs, "/sys/kernel/debug/tracing"} {
		if _, err := os.Stat(dir + "/events/syscalls"); err == nil {
			return nil
		} else if errors.Is(err, fs.ErrPermission) {
			return &MissingError{What: "access to " + dir, Cure: "run as root or add CAP_DAC_READ_SEARCH", Err: err}
		}
	}
	if _, err := os.Stat(tracefs + "/events"); err == nil {
		return &MissingError{What: "syscall tracepoints", Cure: "run a kernel built with CONFIG_FTRACE_SYSCALLS=y"}
	}
	if err := unix.Mount("nodev", tracefs, "tracefs", 0, ""); err != nil {
		return &MissingError{What: "tracefs", Cure: "mount -t tracefs nodev " + tracefs, Err: err}
	}
	return nil
}

func (p *programs) load(options KernelOptions) error {
	shared := make(map[string]*ebpf.Map)
	for _, object := range []struct {
		name string
		load func() (*ebpf.CollectionSpec, error)
	}{
		{"tcp", bpf.LoadTCP},
		{"process", bpf.LoadProcess},
		{"gohttp", bpf.LoadGoHTTP},
	} {
		spec, err := object.load()
		if err != nil {
			return fmt.Errorf("read the BPF object %s: %w", object.name, err)
		}
		if err := configure(spec, options); err != nil {
			return fmt.Errorf("configure the BPF object %s: %w", object.name, err)
		}
		if err := p.loadObject(spec, shared); err != nil {
			return explainLoad(object.name, err)
		}
	}
	p.events, p.losses = shared["events"], shared["losses"]
	p.processes, p.calls = shared["processes"], shared["calls"]
	p.thinnings, p.marks, p.omissions = shared["thinnings"], shared["marks"], shared["omissions"]
	return nil
}

func configure(spec *ebpf.CollectionSpec, options KernelOptions) error {
	if m := spec.Maps["events"]; m != nil {
		m.MaxEntries = uint32(options.RingBufferSize)
	}
	if m := spec.Maps["scratches"]; m != nil {
		m.MaxEntries = uint32(ebpf.MustPossibleCPU())
	}
	all := uint8(0)
	if options.All {
		all = 1
	}
	for name, value := range map[string]any{
		"trace_all":    all,
		"payload_size": uint32(options.PayloadSize),
		"wakeup_bytes": uint64(options.RingBufferSize / 8),
	} {
		if v := spec.Variables[name]; v != nil {
			if err := v.Set(value); err != nil {
				return fmt.Errorf("set %s: %w", name, err)
			}
		}
	}
	return nil
}

// loadObject loads one object, whose maps are those of earlier objects where the
// names are equal.
func (p *programs) loadObject(spec *ebpf.CollectionSpec, shared map[string]*ebpf.Map) error {
	replacements := make(map[string]*ebpf.Map)
	for name := range spec.Maps {
		if m := shared[name]; m != nil {
			replacements[name] = m
		}
	}
	if spec.Programs[roundTrip] != nil {
		return p.loadUprobes(spec, replacements)
	}
	c, err := ebpf.NewCollectionWithOptions(spec, ebpf.CollectionOptions{MapReplacements: replacements})
	if err != nil {
		return err
	}
	p.collections = append(p.collections, c)
	for name, m := range c.Maps {
		if _, ok := shared[name]; !ok && !strings.HasPrefix(name, ".") {
			shared[name] = m
		}
	}
	for name, program := range c.Programs {
		p.attachable = append(p.attachable, attachable{spec.Programs[name].SectionName, program})
	}
	return nil
}

func explainLoad(object string, err error) error {
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
		return &MissingError{
			What: "the privilege to load BPF programs",
			Cure: "run as root, or add CAP_BPF and CAP_PERFMON",
			Err:  err,
		}
	}
	return fmt.Errorf("load the BPF object %s: %w", object, err)
}

// attach attaches every program but the uprobes. All links are kept.
func (p *programs) attach() error {
	for _, a := range p.attachable {
		l, err := attachSection(a.section, a.program)
		if err != nil {
			return explainAttach(a.section, err)
		}
		p.links = append(p.links, l)
	}
	return nil
}

func attachSection(section string, program *ebpf.Program) (link.Link, error) {
	parts := strings.Split(section, "/")
	switch {
	case parts[0] == "tp_btf" && len(parts) == 2:
		return link.AttachTracing(link.TracingOptions{Program: program})
	case parts[0] == "raw_tracepoint" && len(parts) == 2:
		return link.AttachRawTracepoint(link.RawTracepointOptions{Name: parts[1], Program: program})
	default:
		return nil, fmt.Errorf("unknown section %q", section)
	}
}

func explainAttach(section string, err error) error {
	switch {
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		return &MissingError{
			What: "the privilege to attach to " + section,
			Cure: "run as root, or add CAP_PERFMON and lower kernel.perf_event_paranoid to 2 or less",
			Err:  err,
		}
	case errors.Is(err, fs.ErrNotExist):
		return &MissingError{What: "the hook " + section, Cure: "run a kernel that has it", Err: err}
	default:
		return fmt.Errorf("attach to %s: %w", section, err)
	}
}

// Close detaches and frees the programs and maps.
func (p *programs) Close() error {
	var errs []error
	for _, l := range p.links {
		errs = append(errs, l.Close())
	}
	for _, c := range p.collections {
		c.Close()
	}
	return errors.Join(errs...)
}
