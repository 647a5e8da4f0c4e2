package capture

import (
	"os"
	"strings"

	"github.com/cilium/ebpf/link"
)

// probeGroup begins the names of the kretprobes in tracefs. A random part follows.
const probeGroup = "seqlink"

// maxWaiting is how many threads may be in a function at one time and still have their
// return seen by a kretprobe: as many as the kernel allows (kernel/trace/trace_kprobe.c,
// KRETPROBE_MAXACTIVE_MAX), because threads that wait for a request are in tcp_recvmsg.
// The kernel takes this number through tracefs only.
const maxWaiting = 4096

const kprobeEvents = "/sys/kernel/tracing/kprobe_events"

func kretprobeOptions() *link.KprobeOptions {
	return &link.KprobeOptions{RetprobeMaxActive: maxWaiting, TraceFSPrefix: probeGroup}
}

// removeStaleProbes removes the kretprobes that collectors left which were killed. Those
// of a running one are busy, and stay.
func removeStaleProbes() {
	text, err := os.ReadFile(kprobeEvents)
	if err != nil {
		return // the kernel has none, or attaching says what is missing
	}
	for _, event := range ownProbes(string(text)) {
		file, err := os.OpenFile(kprobeEvents, os.O_WRONLY|os.O_APPEND, 0)
		if err != nil {
			return
		}
		_, _ = file.WriteString("-:" + event)
		_ = file.Close()
	}
}

// ownProbes returns the group and name of each of our probes in a list of kprobe events
// (Documentation/trace/kprobetrace.rst).
func ownProbes(list string) (events []string) {
	for line := range strings.Lines(list) {
		definition, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		_, event, _ := strings.Cut(definition, ":")
		if strings.HasPrefix(event, probeGroup+"_") {
			events = append(events, event)
		}
	}
	return events
}
