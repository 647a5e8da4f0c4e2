package distribution

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"
)

// values is the part of the opentelemetry-collector chart's values that the files
// here use. The chart's schema refuses other keys at its top level, and so does
// strict decoding into this type.
type values struct {
	Mode             string `json:"mode"`
	FullnameOverride string `json:"fullnameOverride"`
	ReplicaCount     int    `json:"replicaCount"`
	Image            struct {
		Repository string `json:"repository"`
		Tag        string `json:"tag"`
	} `json:"image"`
	Command struct {
		Name string `json:"name"`
	} `json:"command"`
	HostPID            bool                        `json:"hostPID"`
	PodSecurityContext corev1.PodSecurityContext   `json:"podSecurityContext"`
	SecurityContext    corev1.SecurityContext      `json:"securityContext"`
	ExtraVolumes       []corev1.Volume             `json:"extraVolumes"`
	ExtraVolumeMounts  []corev1.VolumeMount        `json:"extraVolumeMounts"`
	ExtraEnvs          []corev1.EnvVar             `json:"extraEnvs"`
	Tolerations        []corev1.Toleration         `json:"tolerations"`
	Resources          corev1.ResourceRequirements `json:"resources"`
	ClusterRole        struct {
		Create bool                `json:"create"`
		Rules  []rbacv1.PolicyRule `json:"rules"`
	} `json:"clusterRole"`
	StatefulSet struct {
		VolumeClaimTemplates []corev1.PersistentVolumeClaim `json:"volumeClaimTemplates"`
	} `json:"statefulset"`
	Ports map[string]struct {
		Enabled bool `json:"enabled"`
	} `json:"ports"`
	AlternateConfig map[string]any `json:"alternateConfig"`
}

// hostVolumes are the folders of the host that a pod mounts.
func hostVolumes(pod corev1.PodSpec) []corev1.Volume {
	var found []corev1.Volume
	for _, volume := range pod.Volumes {
		if volume.HostPath != nil {
			found = append(found, volume)
		}
	}
	return found
}

func readValues(t *testing.T, path string) values {
	t.Helper()
	var v values
	readYAML(t, path, &v)
	return v
}

func TestAgentValuesAgreeWithKubernetesObjects(t *testing.T) {
	v, o := readValues(t, "values-opentelemetry-collector.yaml"), readObjects(t)
	pod := o.agent().Spec.Template.Spec
	assert.Equal(t, "daemonset", v.Mode)
	assert.Equal(t, pod.HostPID, v.HostPID)
	assert.Equal(t, pod.Containers[0].SecurityContext, &v.SecurityContext)
	assert.Equal(t, pod.Tolerations, v.Tolerations)
	assert.Empty(t, append(v.ExtraVolumes, hostVolumes(pod)...), "nothing of the host is mounted")
	assert.Empty(t, v.ExtraVolumeMounts)
	assert.Equal(t, o["ClusterRole/seqlink-agent"].(*rbacv1.ClusterRole).Rules, v.ClusterRole.Rules)
	assertSameConfig(t, o.config(t, "seqlink-agent"), v.AlternateConfig)
}

func TestLinkerValuesAgreeWithKubernetesObjects(t *testing.T) {
	v, o := readValues(t, "values-opentelemetry-collector-linker.yaml"), readObjects(t)
	pod := o.linker().Spec.Template.Spec
	assert.Equal(t, "statefulset", v.Mode)
	assert.EqualValues(t, *o.linker().Spec.Replicas, v.ReplicaCount)
	assert.Equal(t, pod.SecurityContext, &v.PodSecurityContext)
	assert.Equal(t, pod.Containers[0].SecurityContext, &v.SecurityContext)
	assert.Equal(t, o.linker().Spec.VolumeClaimTemplates, v.StatefulSet.VolumeClaimTemplates)
	assertSameConfig(t, o.config(t, "seqlink-linker"), v.AlternateConfig)
}

// assertSameConfig compares all but the address of the next hop, which names a
// namespace only where the objects do.
func assertSameConfig(t *testing.T, object, chart map[string]any) {
	t.Helper()
	for _, config := range []map[string]any{object, chart} {
		delete(config["exporters"].(map[string]any)["otlp_grpc"].(map[string]any), "endpoint")
	}
	want, err := json.Marshal(object)
	require.NoError(t, err)
	got, err := json.Marshal(chart)
	require.NoError(t, err)
	assert.JSONEq(t, string(want), string(got))
}

func TestAgentSendsToTheLinker(t *testing.T) {
	agent := readValues(t, "values-opentelemetry-collector.yaml")
	linker := readValues(t, "values-opentelemetry-collector-linker.yaml")
	endpoint := agent.AlternateConfig["exporters"].(map[string]any)["otlp_grpc"].(map[string]any)["endpoint"]
	assert.Equal(t, linker.FullnameOverride+":4317", endpoint)
}

func TestStrictDecodingRefusesUnknownKeys(t *testing.T) {
	assert.Error(t, yaml.UnmarshalStrict([]byte("mode: daemonset\nhostpids: true\n"), &values{}))
	assert.Error(t, yaml.UnmarshalStrict([]byte("securityContext: {priviledged: true}\n"), &values{}))
}
