package discover

import (
	"regexp"
	"slices"
	"strings"
)

// cgroup is what the content of /proc/PID/cgroup tells.
type cgroup struct {
	// paths are those of all hierarchies, without the roots; one with cgroup v2.
	paths []string
	// container is the 64-digit id of the innermost container, pod the uid of the
	// innermost Kubernetes pod; empty where there is none.
	container, pod string
}

// parseCgroup reads hierarchy:controllers:path lines (cgroups(7)).
func parseCgroup(text string) (c cgroup) {
	for line := range strings.Lines(text) {
		fields := strings.SplitN(strings.TrimRight(line, "\n"), ":", 3)
		if len(fields) != 3 || fields[2] == "/" || fields[2] == "" || slices.Contains(c.paths, fields[2]) {
			continue
		}
		c.paths = append(c.paths, fields[2])
		if c.container == "" {
			c.container = containerInPath(fields[2])
		}
		if c.pod == "" {
			c.pod = podInPath(fields[2])
		}
	}
	return c
}

// podSegment matches one segment of a cgroup's path that names a Kubernetes pod
// (kubelet's pkg/kubelet/cm/pod_container_manager_linux.go):
//
//	pod<uid>                                 cgroupfs driver
//	kubepods-burstable-pod<uid>.slice        systemd driver, with _ in place of -
//	kubelet-kubepods-pod<uid>.slice          the same below a cgroup root, as kind has it
//	kubepods-pod<uid>.slice:cri-containerd:… where the runtime mixes the drivers up
//
// The uid of a static pod is a hash of 32 digits.
var podSegment = regexp.MustCompile(
	`^(?:[^:]*-)?pod([0-9a-f]{8}(?:[-_][0-9a-f]{4}){3}[-_][0-9a-f]{12}|[0-9a-f]{32})(?:\.slice)?(?::.*)?$`)

func podInPath(path string) string {
	var uid string
	for segment := range strings.SplitSeq(path, "/") {
		if match := podSegment.FindStringSubmatch(segment); match != nil {
			uid = strings.ReplaceAll(match[1], "_", "-")
		}
	}
	return uid
}
