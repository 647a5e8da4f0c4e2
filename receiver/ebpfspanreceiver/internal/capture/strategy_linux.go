package capture

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"go.uber.org/zap"

	"github.com/seqlink/seqlink/bpf"
)

// strategy is a way to see what processes send and receive. All give the
// same events; see docs/kernels.md.
type strategy struct {
	name string
	load func() (*ebpf.CollectionSpec, error)
	// programs are those of the object that belong to the strategy; nil means all.
	programs []string
	// rooms is how many scratch buffers each processor has (enum room in bpf/include/payload.h).
	rooms int
	// twins says that where tasks are preempted each program has a twin, which does what
	// the other one is left out for.
	twins bool
	// possible returns why the kernel must not be asked for it, nil where it may.
	possible func(kernelTypes) error
	// prepare cleans up before programs are attached; nil where there is nothing to do.
	prepare func()
}

const (
	// rooms is ROOMS in bpf/include/payload.h.
	rooms = 15
	// callRooms are those of the programs at system calls: the first three.
	callRooms = 3
)

var (
	fentry     = strategy{name: StrategyFentry, load: bpf.LoadFentry, rooms: rooms, twins: true, possible: keepsTrampolines}
	kprobe     = strategy{name: StrategyKprobe, load: bpf.LoadKprobe, rooms: 1, prepare: removeStaleProbes}
	tracepoint = strategy{
		name: StrategyTracepoint, load: bpf.LoadTCP, rooms: callRooms,
		programs: []string{
			"sys_enter_perf", "sys_exit_perf", "sys_enter", "sys_exit", "io_uring_submit_req", "io_uring_submit_sqe",
		},
	}
)

// strategies returns all there are, best first: a trampoline costs a quarter of a kprobe,
// and both see what passes no system call of its own. Where tasks are preempted in the
// kernel a kprobe is better, because it holds its processor and misses nothing.
func strategies(preempted bool) []strategy {
	if preempted {
		return []strategy{kprobe, fentry, tracepoint}
	}
	return []strategy{fentry, kprobe, tracepoint}
}

// spare are the programs without which a strategy is as good: their hooks are not on
// every kernel, and where one is missing its work comes to another.
var spare = []string{
	"tcp_sendpage_enter", "tcp_sendpage_exit", // until Linux 6.4
	"tcp_cleanup_rbuf_inner", "tcp_cleanup_rbuf", // since 6.2, and before
	"mptcp_accept_enter", "mptcp_accept_exit", // CONFIG_MPTCP
	// Where IPv6 is no module.
	"udpv6_sendmsg_enter", "udpv6_sendmsg_exit", "udpv6_recvmsg_enter", "udpv6_recvmsg_exit", "udpv6_destroy_sock",
	// Where Unix sockets are no module.
	"unix_sendmsg_enter", "unix_sendmsg_exit", "unix_recvmsg_enter", "unix_recvmsg_exit",
	"unix_connect", "unix_accept_enter", "unix_accept_exit", "unix_release",
	"io_uring_submit_req", "io_uring_submit_sqe", // since 6.4, and before
	"sys_enter_perf", "sys_exit_perf", // where tracefs is mounted
}

// substitutes names, for a program that may not be needed, the one that does its work where
// it is attached.
var substitutes = map[string]string{
	"tcp_cleanup_rbuf": "tcp_cleanup_rbuf_inner",
	"sys_enter":        "sys_enter_perf", "sys_exit": "sys_exit_perf",
}

// costly are the programs that are attached only where others would miss something.
var costly = []string{"sys_enter_perf", "sys_exit_perf"}

// single are the programs that have no twin: both would report what they see.
var single = []string{"inet_stream_connect", "unix_connect"}

// errReplaced is the verdict on a program that another one substitutes.
var errReplaced = errors.New("not needed on this kernel")

// choose attaches the programs of the strategy that the options name, of the first
// that works for StrategyAuto, and returns its name.
func (p *programs) choose(options KernelOptions) (string, error) {
	var refusals []error
	for _, s := range strategies(p.preempted) {
		if options.Strategy != s.name && options.Strategy != StrategyAuto && options.Strategy != "" {
			continue
		}
		verdicts, err := p.use(s, options)
		logVerdicts(options.Logger, s.name, verdicts, err)
		if err == nil {
			return s.name, nil
		}
		refusals = append(refusals, fmt.Errorf("%s: %w", s.name, err))
	}
	return "", refused(refusals)
}

// refused explains why no strategy works. Of several, the last one asks for least.
func refused(refusals []error) error {
	if len(refusals) == 0 {
		return errors.New("no such capture strategy")
	}
	err := refusals[len(refusals)-1]
	var missing *MissingError
	if errors.As(err, &missing) {
		return &MissingError{What: missing.What, Cure: missing.Cure, Err: errors.Join(refusals...)}
	}
	return errors.Join(refusals...)
}

// use loads and attaches a strategy's programs: all that are not spare, or none.
func (p *programs) use(s strategy, options KernelOptions) (verdicts []Verdict, err error) {
	if s.possible != nil {
		if err := s.possible(p.types); err != nil {
			return nil, err
		}
	}
	if s.prepare != nil {
		s.prepare()
	}
	spec, err := s.load()
	if err != nil {
		return nil, fmt.Errorf("read the BPF object: %w", err)
	}
	twins := s.twins && p.preempted
	if twins {
		s.rooms *= 2
	}
	if err := configure(spec, options, p.types, s.rooms); err != nil {
		return nil, err
	}
	before := p.mark()
	attached := make(map[string]bool)
	for _, name := range s.order(spec) {
		v := Verdict{Program: name, Hook: spec.Programs[name].SectionName}
		if attached[substitutes[name]] || slices.Contains(costly, name) && !p.missesCalls() {
			v.Err = errReplaced
		} else {
			v.Err = p.add(spec, name)
		}
		if v.Err == nil && twins && !slices.Contains(single, name) {
			v.Err = p.addTwin(spec, name)
		}
		attached[name] = v.Err == nil
		verdicts = append(verdicts, v)
		if v.Err != nil && !errors.Is(v.Err, errReplaced) && !slices.Contains(spare, name) {
			return verdicts, errors.Join(v.Err, p.rewind(before))
		}
	}
	return verdicts, nil
}

// order returns the strategy's programs, with those last that others may replace.
func (s strategy) order(spec *ebpf.CollectionSpec) (names []string) {
	all := s.programs
	if all == nil {
		all = slices.Sorted(maps.Keys(spec.Programs))
	}
	var last []string
	for _, name := range all {
		if substitutes[name] == "" {
			names = append(names, name)
		} else {
			last = append(last, name)
		}
	}
	return append(names, last...)
}

func logVerdicts(logger *zap.Logger, strategy string, verdicts []Verdict, err error) {
	var attached, others []string
	for _, v := range verdicts {
		if v.Err == nil {
			attached = append(attached, v.Hook)
		} else {
			others = append(others, v.String())
		}
	}
	if err != nil {
		logger.Info("A capture strategy is not supported here.",
			zap.String("strategy", strategy), zap.Strings("programs", others), zap.Error(err))
		return
	}
	logger.Info("Capture strategy chosen.",
		zap.String("strategy", strategy), zap.Strings("attached", attached), zap.Strings("others", others))
}

// missesCalls tells whether the programs of raw tracepoints at system calls can be
// preempted. They can since Linux 7.2, where such programs may sleep, and this function
// is for those of perf's tracepoints that do.
func (p *programs) missesCalls() bool {
	return p.preempted && p.types.parameters("trace_call_bpf_faultable") > 0
}

// keepsTrampolines refuses kernels that may free a trampoline while a task sleeps in the
// function behind it. Since 5.12 they count who is inside, in a structure of this name
// (kernel/bpf/trampoline.c); stable kernels have it from earlier on.
func keepsTrampolines(k kernelTypes) error {
	var image *btf.Struct
	if err := k.spec.TypeByName("bpf_tramp_image", &image); err != nil {
		return fmt.Errorf("this kernel may free trampolines that are in use (fixed in Linux 5.12): %w", err)
	}
	return nil
}
