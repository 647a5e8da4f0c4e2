package span

import (
	"maps"
	"slices"

	"go.opentelemetry.io/collector/pdata/pcommon"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/capture"
)

// keepEnded is how long the facts about a process outlive it, in nanoseconds:
// longer than a span may wait for its parent.
const keepEnded = 60e9

// processes holds the facts about the traced processes.
type processes struct {
	facts map[uint32]*capture.Process
	// resources are the attributes made of them, as each batch needs them.
	resources map[uint32]pcommon.Map
	// ended are the processes that ended, in the order of their ends.
	ended []endedProcess
}

type endedProcess struct {
	process *capture.Process
	pid     uint32
	at      int64
}

func newProcesses() processes {
	return processes{facts: make(map[uint32]*capture.Process), resources: make(map[uint32]pcommon.Map)}
}

// Found takes the facts about a process.
func (b *Builder) Found(p *capture.Process) {
	b.processes.facts[p.PID] = p
	delete(b.processes.resources, p.PID)
	delete(b.scopes, p.PID)
}

// Exited says that a process ended. Its facts are kept for spans still to come.
func (b *Builder) Exited(pid uint32, at int64) {
	p := &b.processes
	p.ended = append(p.ended, endedProcess{p.facts[pid], pid, at})
	for len(p.ended) > 0 && at-p.ended[0].at > keepEnded {
		if first := p.ended[0]; p.facts[first.pid] == first.process {
			delete(p.facts, first.pid)
			delete(p.resources, first.pid)
		}
		p.ended = p.ended[1:]
	}
}

// resource returns the resource attributes of a process. They are not to be changed.
func (p *processes) resource(pid uint32, o *Options) pcommon.Map {
	known, ok := p.resources[pid]
	if !ok {
		known = pcommon.NewMap()
		p.describe(pid, o, known)
		if p.facts[pid] != nil {
			p.resources[pid] = known
		}
	}
	return known
}

// describe writes the resource attributes of a process.
func (p *processes) describe(pid uint32, o *Options, to pcommon.Map) {
	put := func(key, value string) {
		if value != "" {
			to.PutStr(key, value)
		}
	}
	facts := p.facts[pid]
	if facts == nil {
		facts = &capture.Process{Service: "unknown_service"}
	}
	for _, key := range slices.Sorted(maps.Keys(facts.Attributes)) {
		put(key, facts.Attributes[key])
	}
	put(string(semconv.ServiceNameKey), facts.Service)
	put(string(semconv.HostNameKey), o.HostName)
	put(string(semconv.HostIDKey), o.HostID)
	put(string(semconv.OSTypeKey), semconv.OSTypeLinux.Value.AsString())
	put(string(semconv.ContainerIDKey), facts.ContainerID)
	put(string(semconv.K8SPodUIDKey), facts.PodUID)
	put(string(semconv.ProcessExecutableNameKey), facts.Executable)
	put(string(semconv.ProcessRuntimeNameKey), facts.Runtime)
	put(string(semconv.ProcessRuntimeVersionKey), facts.RuntimeVersion)
	to.PutInt(string(semconv.ProcessPIDKey), int64(pid))
}
