package discover

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestContainerID(t *testing.T) {
	id, other := strings.Repeat("0123456789abcdef", 4), strings.Repeat("ab", 32)
	tests := map[string]struct{ text, want string }{
		"no container":          {"0::/user.slice/user-0.slice/session-1.scope\n", ""},
		"empty":                 {"", ""},
		"docker v1":             {"12:pids:/docker/" + id + "\n11:cpu,cpuacct:/docker/" + id + "\n", id},
		"docker v2, systemd":    {"0::/system.slice/docker-" + id + ".scope\n", id},
		"docker v2, cgroupfs":   {"0::/docker/" + id + "\n", id},
		"kubernetes containerd": {"0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod9f.slice/cri-containerd-" + id + ".scope\n", id},
		"kubernetes cgroupfs":   {"4:memory:/kubepods/besteffort/pod8e4f1b2c-0000/" + id + "\n", id},
		"containerd, mixed":     {"0::/system.slice/containerd.service/kubepods-burstable-pod9f.slice:cri-containerd:" + id + "\n", id},
		"cri-o":                 {"0::/kubepods.slice/kubepods-pod1.slice/crio-" + id + ".scope\n", id},
		"cri-o v1":              {"3:devices:/kubepods/pod1/crio-" + id + "\n", id},
		"podman":                {"0::/machine.slice/libpod-" + id + ".scope/container\n", id},
		"podman, rootless":      {"0::/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" + id + ".scope\n", id},
		"conmon watches":        {"0::/machine.slice/libpod-conmon-" + id + ".scope\n", ""},
		"innermost":             {"0::/docker/" + other + "/kubelet/kubepods/pod1/" + id + "\n", id},
		"inside of a container": {"0::/docker/" + id + "/init.scope\n", id},
		"another namespace":     {"0::/../" + id + "\n", id},
		"named hierarchy first": {"9:name=systemd:/\n8:pids:/docker/" + id + "\n", id},
		"colons in the path":    {"0::/a:b:" + id + "\n", id},
		"too short":             {"0::/docker/" + id[1:] + "\n", ""},
		"too long":              {"0::/docker/" + id + "0\n", ""},
		"upper case":            {"0::/docker/" + strings.ToUpper(id) + "\n", ""},
		"garbage":               {"nonsense\n\n::", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, test.want, containerID(test.text))
		})
	}
}

func FuzzContainerID(f *testing.F) {
	f.Add("0::/docker-" + strings.Repeat("0f", 32) + ".scope\n")
	f.Add("1:a:/\n0::")
	valid := regexp.MustCompile(`^([0-9a-f]{64})?$`)
	f.Fuzz(func(t *testing.T, text string) {
		id := containerID(text)
		assert.Regexp(t, valid, id)
		assert.Contains(t, text, id)
	})
}
