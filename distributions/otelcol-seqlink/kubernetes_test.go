package distribution

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"
)

// objects are the Kubernetes objects of the folder kubernetes, by kind and name.
type objects map[string]any

func newObject(kind string) any {
	switch kind {
	case "Namespace":
		return &corev1.Namespace{}
	case "ServiceAccount":
		return &corev1.ServiceAccount{}
	case "ConfigMap":
		return &corev1.ConfigMap{}
	case "Service":
		return &corev1.Service{}
	case "ClusterRole":
		return &rbacv1.ClusterRole{}
	case "ClusterRoleBinding":
		return &rbacv1.ClusterRoleBinding{}
	case "DaemonSet":
		return &appsv1.DaemonSet{}
	case "StatefulSet":
		return &appsv1.StatefulSet{}
	}
	return nil
}

func readObjects(t *testing.T) objects {
	t.Helper()
	paths, err := filepath.Glob("kubernetes/*.yaml")
	require.NoError(t, err)
	found := objects{}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		for _, document := range strings.Split(string(text), "\n---\n") {
			found.add(t, path, document)
		}
	}
	return found
}

// add decodes a document strictly: an unknown or repeated key fails.
func (o objects) add(t *testing.T, path, document string) {
	t.Helper()
	var head struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
		Metadata   struct {
			Name string `json:"name"`
		} `json:"metadata"`
	}
	require.NoError(t, yaml.Unmarshal([]byte(document), &head), path)
	object := newObject(head.Kind)
	require.NotNil(t, object, "%s: kind %q", path, head.Kind)
	require.NoError(t, yaml.UnmarshalStrict([]byte(document), object), "%s: %s %s", path, head.Kind, head.Metadata.Name)
	assert.Equal(t, apiVersion(object), head.APIVersion, "%s: %s", path, head.Kind)
	o[head.Kind+"/"+head.Metadata.Name] = object
}

func apiVersion(object any) string {
	switch object.(type) {
	case *rbacv1.ClusterRole, *rbacv1.ClusterRoleBinding:
		return rbacv1.SchemeGroupVersion.String()
	case *appsv1.DaemonSet, *appsv1.StatefulSet:
		return appsv1.SchemeGroupVersion.String()
	default:
		return corev1.SchemeGroupVersion.String()
	}
}

func (o objects) agent() *appsv1.DaemonSet { return o["DaemonSet/seqlink-agent"].(*appsv1.DaemonSet) }

func (o objects) linker() *appsv1.StatefulSet {
	return o["StatefulSet/seqlink-linker"].(*appsv1.StatefulSet)
}

// config is the collector's configuration in a ConfigMap.
func (o objects) config(t *testing.T, name string) map[string]any {
	t.Helper()
	var config map[string]any
	text := o["ConfigMap/"+name].(*corev1.ConfigMap).Data["config.yaml"]
	require.NoError(t, yaml.UnmarshalStrict([]byte(text), &config))
	return config
}

func TestKubernetesObjectsDecodeStrictly(t *testing.T) {
	assert.Len(t, readObjects(t), 10)
}

func TestKubernetesConfigsUseWhatIsBuiltIn(t *testing.T) {
	o := readObjects(t)
	for _, name := range []string{"seqlink-agent", "seqlink-linker"} {
		readManifest(t).assertComponents(t, o.config(t, name))
	}
}

func TestKubernetesPodsReferToWhatExists(t *testing.T) {
	o := readObjects(t)
	assertPod(t, o, o.agent().Spec.Template.Spec, nil)
	assertPod(t, o, o.linker().Spec.Template.Spec, o.linker().Spec.VolumeClaimTemplates)
	assert.Equal(t, o.agent().Spec.Selector.MatchLabels, o.agent().Spec.Template.Labels)
	assert.Equal(t, o.linker().Spec.Selector.MatchLabels, o.linker().Spec.Template.Labels)

	service := o["Service/seqlink-linker"].(*corev1.Service)
	assert.Equal(t, o.linker().Spec.ServiceName, service.Name)
	assert.Equal(t, o.linker().Spec.Template.Labels, service.Spec.Selector)
	assert.Contains(t, portNames(o.linker().Spec.Template.Spec), service.Spec.Ports[0].TargetPort.StrVal)

	binding := o["ClusterRoleBinding/seqlink-agent"].(*rbacv1.ClusterRoleBinding)
	assert.Contains(t, o, "ClusterRole/"+binding.RoleRef.Name)
	assert.Equal(t, o.agent().Spec.Template.Spec.ServiceAccountName, binding.Subjects[0].Name)
}

func assertPod(t *testing.T, o objects, pod corev1.PodSpec, claims []corev1.PersistentVolumeClaim) {
	t.Helper()
	assert.Contains(t, o, "ServiceAccount/"+pod.ServiceAccountName)
	volumes := map[string]bool{}
	for _, volume := range pod.Volumes {
		volumes[volume.Name] = true
		if volume.ConfigMap != nil {
			assert.Contains(t, o, "ConfigMap/"+volume.ConfigMap.Name)
		}
	}
	for _, claim := range claims {
		volumes[claim.Name] = true
	}
	container := pod.Containers[0]
	for _, mount := range container.VolumeMounts {
		assert.True(t, volumes[mount.Name], "mount of no volume: %s", mount.Name)
	}
	assert.Contains(t, portNames(pod), container.LivenessProbe.HTTPGet.Port.StrVal)
	assert.Contains(t, portNames(pod), container.ReadinessProbe.HTTPGet.Port.StrVal)
}

func portNames(pod corev1.PodSpec) []string {
	var names []string
	for _, port := range pod.Containers[0].Ports {
		names = append(names, port.Name)
	}
	return names
}

// agentCapabilities are those that the receiver needs, and no more.
var agentCapabilities = []corev1.Capability{"BPF", "PERFMON", "SYS_PTRACE", "DAC_READ_SEARCH", "SYS_RESOURCE"}

func TestKubernetesPrivileges(t *testing.T) {
	o := readObjects(t)
	agent := o.agent().Spec.Template.Spec
	assert.True(t, agent.HostPID)
	assert.False(t, agent.HostNetwork)
	assert.False(t, *agent.Containers[0].SecurityContext.Privileged)
	assert.Equal(t, agentCapabilities, agent.Containers[0].SecurityContext.Capabilities.Add)
	assert.Equal(t, []corev1.Capability{"ALL"}, agent.Containers[0].SecurityContext.Capabilities.Drop)

	linker := o.linker().Spec.Template.Spec
	assert.False(t, linker.HostPID)
	assert.True(t, *linker.SecurityContext.RunAsNonRoot)
	assert.Empty(t, linker.Containers[0].SecurityContext.Capabilities.Add)
}
