package discover

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// Paths as the runtimes make them. ID, OTHER, UID, U_I_D and HASH stand for ids of 64
// digits, a pod's uid, the same with underscores, and a static pod's.
func TestParseCgroup(t *testing.T) {
	const (
		id, other = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"
		uid       = "8e4f1b2c-9d3a-4c5e-8f7a-0b1c2d3e4f5a"
		hash      = "9f86d081884c7d659a2feaa0c55ad015"
	)
	replace := strings.NewReplacer("ID", id, "OTHER", other, "U_I_D", strings.ReplaceAll(uid, "-", "_"), "UU", uid, "HASH", hash)
	tests := map[string]struct{ text, container, pod string }{
		"no container":        {text: "0::/user.slice/user-0.slice/session-1.scope\n"},
		"root":                {text: "0::/\n"},
		"empty":               {},
		"systemd service":     {text: "0::/system.slice/nginx.service\n"},
		"systemd in a slice":  {text: "0::/system.slice/system-postgresql.slice/postgresql@15-main.service\n"},
		"lxc":                 {text: "0::/lxc.payload.web/init.scope\n"},
		"docker v1":           {text: "12:pids:/docker/ID\n11:cpu,cpuacct:/docker/ID\n", container: id},
		"docker v1, systemd":  {text: "1:name=systemd:/system.slice/docker-ID.scope\n0::/system.slice/docker-ID.scope\n", container: id},
		"docker v1, parent":   {text: "4:memory:/shop/ID\n", container: id},
		"docker v2, systemd":  {text: "0::/system.slice/docker-ID.scope\n", container: id},
		"docker v2, cgroupfs": {text: "0::/docker/ID\n", container: id},
		"docker, rootless":    {text: "0::/user.slice/user-1000.slice/user@1000.service/user.slice/docker-ID.scope\n", container: id},
		"buildkit":            {text: "0::/docker/buildkit/o1b2\n"},
		"containerd, ctr":     {text: "0::/default/ID\n", container: id},
		"nerdctl":             {text: "0::/system.slice/nerdctl-ID.scope\n", container: id},
		"k8s, containerd v2": {
			"0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podU_I_D.slice/cri-containerd-ID.scope\n", id, uid,
		},
		"k8s, guaranteed":          {"0::/kubepods.slice/kubepods-podU_I_D.slice/cri-containerd-ID.scope\n", id, uid},
		"k8s, docker v1":           {"9:cpu:/kubepods/burstable/podUU/ID\n1:name=systemd:/kubepods/burstable/podUU/ID\n", id, uid},
		"k8s, docker v2":           {"0::/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-podU_I_D.slice/docker-ID.scope\n", id, uid},
		"k8s, cgroupfs":            {"0::/kubepods/besteffort/podUU/ID\n", id, uid},
		"k8s, static pod":          {"0::/kubepods/burstable/podHASH/ID\n", id, hash},
		"k8s, static pod, systemd": {"0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podHASH.slice/crio-ID.scope\n", id, hash},
		"k8s, cri-o":               {"0::/kubepods.slice/kubepods-podU_I_D.slice/crio-ID.scope\n", id, uid},
		"k8s, cri-o, inner":        {"0::/kubepods.slice/kubepods-podU_I_D.slice/crio-ID.scope/container\n", id, uid},
		"k8s, cri-o v1":            {"3:devices:/kubepods/podUU/crio-ID\n", id, uid},
		"k8s, crun":                {"0::/kubepods.slice/kubepods-podU_I_D.slice/crio-ID.scope/system.slice/nginx.service\n", id, uid},
		"k8s, conmon of cri-o":     {"0::/kubepods.slice/kubepods-podU_I_D.slice/crio-conmon-ID.scope\n", "", uid},
		"k8s, mixed drivers":       {"0::/system.slice/containerd.service/kubepods-burstable-podU_I_D.slice:cri-containerd:ID\n", id, uid},
		"k8s, own cgroup root":     {"0::/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-podU_I_D.slice/cri-containerd-ID.scope\n", id, uid},
		"k8s, k3s":                 {"0::/k3s.slice/k3s-kubepods.slice/k3s-kubepods-podU_I_D.slice/cri-containerd-ID.scope\n", id, uid},
		"kind v1":                  {"5:cpu:/docker/OTHER/kubelet/kubepods/besteffort/podUU/ID\n", id, uid},
		"kind v2": {
			"0::/system.slice/docker-OTHER.scope/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/" +
				"kubelet-kubepods-burstable-podU_I_D.slice/cri-containerd-ID.scope\n", id, uid,
		},
		"kind, the node itself":     {"0::/system.slice/docker-ID.scope/system.slice/containerd.service\n", id, ""},
		"docker in a pod":           {"0::/kubepods/podUU/OTHER/docker/ID\n", id, uid},
		"from a pod's own cgroup":   {"0::/../../kubepods-besteffort-podU_I_D.slice/cri-containerd-ID.scope\n", id, uid},
		"from a sibling container":  {"0::/../cri-containerd-ID.scope\n", id, ""},
		"podman":                    {text: "0::/machine.slice/libpod-ID.scope/container\n", container: id},
		"podman, cgroupfs":          {text: "0::/libpod_parent/libpod-ID\n", container: id},
		"podman, crun":              {text: "0::/machine.slice/libpod-ID.scope/libpod-payload-ID\n", container: id},
		"podman, pod":               {text: "0::/machine.slice/machine-libpod_pod_OTHER.slice/libpod-ID.scope\n", container: id},
		"podman, rootless":          {text: "0::/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-ID.scope\n", container: id},
		"podman, conmon watches":    {text: "0::/machine.slice/libpod-conmon-ID.scope\n"},
		"inside of a container":     {text: "0::/docker/ID/init.scope\n", container: id},
		"another namespace":         {text: "0::/../ID\n", container: id},
		"hybrid: v1 names it":       {text: "1:name=systemd:/docker/ID\n0::/\n", container: id},
		"named hierarchy first":     {text: "9:name=systemd:/\n8:pids:/docker/ID\n", container: id},
		"colons in the path":        {text: "0::/a:b:ID\n", container: id},
		"too short":                 {text: "0::/docker/" + id[1:] + "\n"},
		"too long":                  {text: "0::/docker/" + id + "0\n"},
		"upper case":                {text: "0::/docker/" + strings.ToUpper(id) + "\n"},
		"a pod's name is no uid":    {text: "0::/kubepods/podorders/x\n"},
		"a uid alone is no pod":     {text: "0::/vm/UU\n"},
		"garbage":                   {text: "nonsense\n\n::"},
		"a service called podthing": {text: "0::/system.slice/podthing.service\n"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := parseCgroup(replace.Replace(test.text))
			assert.Equal(t, test.container, c.container)
			assert.Equal(t, test.pod, c.pod)
		})
	}
}

func TestCgroupPaths(t *testing.T) {
	assert.Equal(t, []string{"/a", "/b:c"}, parseCgroup("12:pids:/a\n11:cpu:/\n10:cpuset:/a\n1:name=systemd:/b:c\n0::/\n").paths)
	assert.Empty(t, parseCgroup("0::/\n").paths)
}

func FuzzParseCgroup(f *testing.F) {
	f.Add("0::/docker-" + strings.Repeat("0f", 32) + ".scope\n")
	f.Add("0::/kubepods-pod8e4f1b2c_9d3a_4c5e_8f7a_0b1c2d3e4f5a.slice:cri-containerd:x")
	f.Add("1:a:/\n0::")
	container := regexp.MustCompile(`^([0-9a-f]{64})?$`)
	pod := regexp.MustCompile(`^([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{32})?$`)
	f.Fuzz(func(t *testing.T, text string) {
		c := parseCgroup(text)
		assert.Regexp(t, container, c.container)
		assert.Regexp(t, pod, c.pod)
		for _, path := range append(c.paths, c.container) {
			assert.Contains(t, text, path)
		}
	})
}
