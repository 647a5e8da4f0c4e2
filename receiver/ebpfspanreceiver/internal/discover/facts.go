package discover

import (
	"strings"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/capture"
)

// Facts are what /proc tells about a process.
type Facts struct {
	PID, Parent uint32
	// Started is when the process began, in clock ticks since the machine booted.
	// With PID it names a process even after PID was given to another.
	Started uint64
	// Comm is the name the kernel shows, at most 15 bytes.
	Comm string
	// Executable is the base name of the executable file; empty for kernel threads
	// and where it may not be read.
	Executable string
	// Path is that of the executable file as the process's own mount namespace has it;
	// empty where Executable is.
	Path string
	// Env is the environment the program was started with. A program that
	// overwrites it to show a longer title (nginx, PostgreSQL) loses it.
	Env map[string]string
	// Cgroups are the paths in /proc/PID/cgroup, as they show from the collector's own
	// cgroup namespace, but for root cgroups.
	Cgroups []string
	// ContainerID is the 64-digit id of the process's container, or empty.
	ContainerID string
	// PodUID is the uid of its Kubernetes pod, or empty.
	PodUID string
	// Pod is what is known of that pod, nil where nothing is, or where no rule asks.
	Pod *Pod
	// Ports are those TCP ports where it listens that a rule asks for.
	Ports []uint16
	// Own is true for the collector itself and its descendants.
	Own bool
	// KernelThread is true for threads of the kernel, which run no program.
	KernelThread bool
	// Hidden says what could not be read for lack of privilege, nil where all could.
	Hidden error
}

func (f *Facts) firstVariable(names []string) (string, bool) {
	for _, name := range names {
		if _, ok := f.Env[name]; ok {
			return name, true
		}
	}
	return "", false
}

func (f *Facts) firstName(names []string) (string, bool) {
	for _, name := range names {
		if name != "" && (name == f.Executable || name == f.Comm) {
			return name, true
		}
	}
	return "", false
}

// process describes a process for spans. The error tells of resource attributes
// that were declared but cannot be understood; the rest holds nevertheless.
func (f *Facts) process() (*capture.Process, error) {
	attributes, err := parseResourceAttributes(f.Env[resourceVariable])
	p := &capture.Process{
		PID:         f.PID,
		Service:     f.service(attributes),
		Executable:  f.name(),
		ContainerID: f.ContainerID,
		PodUID:      f.PodUID,
	}
	delete(attributes, serviceAttribute)
	if len(attributes) > 0 {
		p.Attributes = attributes
	}
	return p, err
}

// serviceVariables are asked for the service's name in this order, before
// OTEL_RESOURCE_ATTRIBUTES.
var serviceVariables = []string{"SEQLINK_SERVICE", "OTEL_SERVICE_NAME", "DD_SERVICE", "DK_BPFTRACE_SERVICE"}

// unknownService is what the semantic conventions call a service without a name.
const unknownService = "unknown_service"

func (f *Facts) service(attributes map[string]string) string {
	for _, variable := range serviceVariables {
		if name := strings.TrimSpace(f.Env[variable]); name != "" {
			return strings.ToValidUTF8(name, "\uFFFD")
		}
	}
	if name := strings.TrimSpace(attributes[serviceAttribute]); name != "" {
		return name
	}
	if name := f.name(); name != "" {
		return name
	}
	return unknownService
}

func (f *Facts) name() string {
	if f.Executable != "" {
		return strings.ToValidUTF8(f.Executable, "\uFFFD")
	}
	return strings.ToValidUTF8(f.Comm, "\uFFFD")
}
