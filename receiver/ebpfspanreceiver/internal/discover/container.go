package discover

import (
	"regexp"
	"strings"
)

// containerSegment matches one segment of a cgroup's path that names a container:
//
//	<id>                        Docker, containerd with the cgroupfs driver
//	docker-<id>.scope           Docker with the systemd driver
//	cri-containerd-<id>.scope   containerd with the systemd driver
//	…:cri-containerd:<id>       containerd, where the runtime mixes the drivers up
//	crio-<id>, crio-<id>.scope  CRI-O
//	libpod-<id>.scope           Podman
var containerSegment = regexp.MustCompile(`^(?:.*[:-])?([0-9a-f]{64})(?:\.scope)?$`)

// monitor marks the cgroup of conmon, which watches a container from outside.
const monitor = "conmon-"

// containerInPath finds the container in a cgroup's path. Of nested ones the innermost
// counts.
func containerInPath(path string) string {
	var id string
	for segment := range strings.SplitSeq(path, "/") {
		if match := containerSegment.FindStringSubmatch(segment); match != nil && !strings.Contains(segment, monitor) {
			id = match[1]
		}
	}
	return id
}
