package capture

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/rlimit"
	"golang.org/x/sys/unix"

	"github.com/seqlink/seqlink/bpf"
)

const vmlinuxBTF = "/sys/kernel/btf/vmlinux"

// programs are the loaded BPF programs. Maps of equal names are one map.
type programs struct {
	// types are read once for all programs, which takes longest of all.
	types kernelTypes
	// preempted says that a program may have to wait for other tasks on its processor.
	preempted                        bool
	shared                           map[string]*ebpf.Map
	events, losses, processes, calls *ebpf.Map
	changes                          *ebpf.Map
	thinnings, marks, omissions      *ebpf.Map
	roundTrip                        uprobe
	streams                          [StreamLibraries]uprobe
	wakes                            wakePrograms

	attachable  []attachable
	attached    []attached
	collections []*ebpf.Collection
}

// object is a compiled file of the kernel side, and those of its programs that every
// strategy needs.
type object struct {
	name     string
	load     func() (*ebpf.CollectionSpec, error)
	programs []string
}

func loadPrograms(options KernelOptions) (*programs, error) {
	if _, err := os.Stat(vmlinuxBTF); errors.Is(err, fs.ErrNotExist) {
		return nil, &MissingError{
			What: "kernel type information (" + vmlinuxBTF + ")",
			Cure: "run a kernel built with CONFIG_DEBUG_INFO_BTF=y",
		}
	}
	if err := checkPrivileges(); err != nil {
		return nil, err
	}
	if err := rlimit.RemoveMemlock(); err != nil {
		return nil, &MissingError{What: "the right to lock memory", Cure: "add CAP_SYS_RESOURCE, or raise RLIMIT_MEMLOCK", Err: err}
	}
	types, err := readKernelTypes()
	if err != nil {
		return nil, err
	}
	p := &programs{types: types, preempted: readPreemption().possible(), shared: make(map[string]*ebpf.Map)}
	if err := p.load(options); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

// load loads what every strategy shares: the maps, the programs at processes, at the states
// of TCP and at sockets that begin to listen, and the uprobes.
func (p *programs) load(options KernelOptions) error {
	objects := []object{
		{"process", bpf.LoadProcess, []string{"sched_process_fork", "sched_process_exec", "sched_process_exit"}},
		{"tcp", bpf.LoadTCP, []string{"inet_sock_set_state"}},
		{"gohttp", bpf.LoadGoHTTP, []string{roundTrip}},
		{"gostreams", bpf.LoadGoStreams, streamPrograms[:]},
	}
	if options.Listens {
		objects = append(objects, object{"listen", bpf.LoadListen, []string{"inet_sock_listens"}})
	}
	for _, object := range objects {
		spec, err := object.load()
		if err != nil {
			return fmt.Errorf("read the BPF object %s: %w", object.name, err)
		}
		if err := configure(spec, options, p.types, 1); err != nil {
			return fmt.Errorf("configure the BPF object %s: %w", object.name, err)
		}
		for _, name := range object.programs {
			if err := p.loadShared(spec, name); err != nil {
				return explainLoad(name, err)
			}
		}
	}
	p.events, p.losses = p.shared["events"], p.shared["losses"]
	p.processes, p.calls, p.changes = p.shared["processes"], p.shared["calls"], p.shared["process_changes"]
	p.loadWakes(options)
	return nil
}

func (p *programs) loadShared(spec *ebpf.CollectionSpec, name string) error {
	single := only(spec, name)
	if u := p.uprobe(name); u != nil {
		var err error
		*u, err = p.loadUprobe(single, name)
		return err
	}
	program, err := p.loadProgram(single, name)
	if err != nil {
		return err
	}
	p.attachable = append(p.attachable, attachable{spec.Programs[name].SectionName, program})
	return nil
}

// uprobe returns where the uprobe called name is kept, nil where it is another program.
func (p *programs) uprobe(name string) *uprobe {
	if name == roundTrip {
		return &p.roundTrip
	}
	if i := slices.Index(streamPrograms[:], name); i >= 0 {
		return &p.streams[i]
	}
	return nil
}

// configure sets the sizes of maps and the constants of programs. rooms is how many
// scratch buffers each processor has.
func configure(spec *ebpf.CollectionSpec, options KernelOptions, types kernelTypes, rooms int) error {
	if m := spec.Maps["events"]; m != nil {
		m.MaxEntries = uint32(options.RingBufferSize)
	}
	if m := spec.Maps["scratches"]; m != nil {
		m.MaxEntries = uint32(ebpf.MustPossibleCPU() * rooms)
	}
	if m := spec.Maps["callers"]; m != nil {
		m.MaxEntries = uint32(ebpf.MustPossibleCPU())
	}
	if m := spec.Maps["processes"]; m != nil && !types.allocatesInPrograms() {
		m.Flags &^= unix.BPF_F_NO_PREALLOC
	}
	for name, value := range map[string]any{
		"trace_all":                flag(options.All),
		"count_waits":              flag(!options.TransfersOnly),
		"payload_size":             uint32(options.PayloadSize),
		"wakeup_bytes":             uint64(options.RingBufferSize / 8),
		"scratch_rooms":            uint32(rooms),
		"recvmsg_arguments":        uint32(types.parameters("tcp_recvmsg")),
		"io_uring_opcode_argument": int32(types.submittedOperation()),
		"unix_salt":                rand.Uint64(),
	} {
		if v := spec.Variables[name]; v != nil {
			if err := v.Set(value); err != nil {
				return fmt.Errorf("set %s: %w", name, err)
			}
		}
	}
	return nil
}

func flag(on bool) uint8 {
	if on {
		return 1
	}
	return 0
}

// only returns the specification of one program and the maps that it uses, so that
// programs succeed or fail one by one.
func only(spec *ebpf.CollectionSpec, name string) *ebpf.CollectionSpec {
	single := spec.Copy()
	maps.DeleteFunc(single.Programs, func(other string, _ *ebpf.ProgramSpec) bool { return other != name })
	used := make(map[string]bool)
	for _, instruction := range single.Programs[name].Instructions {
		if instruction.IsLoadFromMap() {
			used[instruction.Reference()] = true
		}
	}
	maps.DeleteFunc(single.Maps, func(m string, _ *ebpf.MapSpec) bool { return !used[m] })
	maps.DeleteFunc(single.Variables, func(_ string, v *ebpf.VariableSpec) bool { return !used[v.SectionName] })
	return single
}

// replacements are the maps of a specification that exist already.
func (p *programs) replacements(spec *ebpf.CollectionSpec) map[string]*ebpf.Map {
	found := make(map[string]*ebpf.Map)
	for name := range spec.Maps {
		if m := p.shared[name]; m != nil {
			found[name] = m
		}
	}
	return found
}

// loadProgram loads the one program of a specification. Maps that it is the first to use
// are shared from then on.
func (p *programs) loadProgram(single *ebpf.CollectionSpec, name string) (*ebpf.Program, error) {
	c, err := ebpf.NewCollectionWithOptions(single, ebpf.CollectionOptions{
		MapReplacements: p.replacements(single), Cache: p.types.cache,
	})
	if err != nil {
		return nil, err
	}
	p.collections = append(p.collections, c)
	for name, m := range c.Maps {
		if _, ok := p.shared[name]; !ok && !strings.HasPrefix(name, ".") {
			p.shared[name] = m
		}
	}
	return c.Programs[name], nil
}

func explainLoad(object string, err error) error {
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
		return &MissingError{
			What: "the privilege to load BPF programs",
			Cure: "the capabilities are there, so look at the seccomp profile, at kernel lockdown, and whether" +
				" this is the initial user namespace",
			Err: err,
		}
	}
	return fmt.Errorf("load the BPF object %s: %w", object, err)
}

// mark is how many programs there are, for rewind.
type mark struct{ attached, collections int }

func (p *programs) mark() mark { return mark{len(p.attached), len(p.collections)} }

// rewind detaches and frees what was added since m, and forgets its maps.
func (p *programs) rewind(m mark) error {
	var errs []error
	for _, a := range p.attached[m.attached:] {
		errs = append(errs, a.link.Close())
	}
	for _, c := range p.collections[m.collections:] {
		for name, made := range c.Maps {
			if p.shared[name] == made {
				delete(p.shared, name)
			}
		}
		c.Close()
	}
	p.attached, p.collections = p.attached[:m.attached], p.collections[:m.collections]
	return errors.Join(errs...)
}

// Close detaches and frees the programs and maps.
func (p *programs) Close() error { return p.rewind(mark{}) }
