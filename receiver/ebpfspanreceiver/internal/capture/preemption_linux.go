package capture

import (
	"compress/gzip"
	"io"
	"os"
	"regexp"
	"strings"

	"golang.org/x/sys/unix"
)

// preemption is what a running kernel tells of its preemption model, from the best
// source to the worst. What could not be read is empty.
type preemption struct {
	// debug is /sys/kernel/debug/sched/preempt: all models, the one in force in brackets.
	debug string
	// version is that of uname(2): it names the model where it cannot be changed.
	version string
	// arguments are those of the kernel: preempt= chooses the model.
	arguments string
	// config is the kernel's, which says what is taken by default.
	config string
}

var (
	preemptInForce  = regexp.MustCompile(`\((\w+)\)`)
	preemptArgument = regexp.MustCompile(`(?:^|\s)preempt=(\w+)`)
	preemptDefault  = regexp.MustCompile(`(?m)^CONFIG_PREEMPT(_LAZY|_NONE|_VOLUNTARY)?=y$`)
)

// possible tells whether a task may lose its processor while it runs in the kernel, so in
// a BPF program too. Then programs at trampolines and at raw tracepoints are left out for
// whoever comes to them on that processor before the first one goes on
// (kernel/bpf/trampoline.c, __bpf_prog_enter_recur). Where the kernel does not say, it may.
func (p preemption) possible() bool {
	if found := preemptInForce.FindStringSubmatch(p.debug); found != nil {
		return preemptsIn(found[1])
	}
	words := " " + p.version + " "
	if !strings.Contains(words, " PREEMPT_DYNAMIC ") {
		return strings.Contains(words, " PREEMPT")
	}
	// Since 7.0 most kernels have no models without it, and ignore an argument that asks for one.
	if found := preemptArgument.FindStringSubmatch(p.arguments); found != nil &&
		(preemptsIn(found[1]) || strings.Contains(p.config, "CONFIG_PREEMPT_NONE")) {
		return preemptsIn(found[1])
	}
	if found := preemptDefault.FindStringSubmatch(p.config); found != nil {
		return found[1] == "" || found[1] == "_LAZY"
	}
	return true
}

func preemptsIn(model string) bool { return model == "full" || model == "lazy" }

// readPreemption looks at the running kernel.
func readPreemption() (p preemption) {
	var name unix.Utsname
	release := ""
	if unix.Uname(&name) == nil {
		p.version = unix.ByteSliceToString(name.Version[:])
		release = unix.ByteSliceToString(name.Release[:])
	}
	p.debug = text("/sys/kernel/debug/sched/preempt")
	p.arguments = text("/proc/cmdline")
	if p.config = text("/boot/config-" + release); p.config == "" {
		p.config = zipped("/proc/config.gz")
	}
	return p
}

// text returns what is in a file, nothing where it cannot be read.
func text(file string) string {
	content, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	return string(content)
}

func zipped(file string) string {
	f, err := os.Open(file)
	if err != nil {
		return ""
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return ""
	}
	content, err := io.ReadAll(z)
	if err != nil {
		return ""
	}
	return string(content)
}
