package discover

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/labels"
)

func globs(t *testing.T, patterns ...string) []Glob {
	var all []Glob
	for _, pattern := range patterns {
		g, err := NewGlob(pattern)
		require.NoError(t, err)
		all = append(all, g)
	}
	return all
}

func podSelector(t *testing.T, text string, namespaces ...string) []PodSelector {
	parsed, err := labels.Parse(text)
	require.NoError(t, err)
	return []PodSelector{{Namespaces: namespaces, Labels: parsed}}
}

// theProcess is what the rules of these tests are put to.
func theProcess() *Facts {
	return &Facts{
		PID: 42, Comm: "python3", Executable: "python3.11", Path: "/usr/bin/python3.11",
		Env:         map[string]string{"TRACE_ME": "1", "EMPTY": ""},
		Cgroups:     []string{"/docker/x", "/kubepods.slice/kubepods-pod1.slice/cri-containerd-2.scope"},
		ContainerID: strings.Repeat("0123456789abcdef", 4),
		Ports:       []uint16{80, 8080},
		Pod:         &Pod{Namespace: "shop", Name: "orders-1", Labels: map[string]string{"app": "orders", "tier": "web"}},
	}
}

// Each kind of rule selects and excludes alike.
func TestRules(t *testing.T) {
	tests := map[string]struct {
		rules Rules
		why   string
	}{
		"none":                   {},
		"env":                    {Rules{Env: []string{"NONE", "TRACE_ME"}}, "env: has the variable TRACE_ME"},
		"env, not set":           {Rules{Env: []string{"NONE"}}, ""},
		"env, empty value":       {Rules{Env: []string{"EMPTY"}}, "env: has the variable EMPTY"},
		"name of the executable": {Rules{Names: []string{"python3.11"}}, "names: is named python3.11"},
		"name of the task":       {Rules{Names: []string{"python3"}}, "names: is named python3"},
		"other name":             {Rules{Names: []string{"python"}}, ""},
		"pid":                    {Rules{PIDs: []uint32{1, 42}}, "pids: is process 42"},
		"other pid":              {Rules{PIDs: []uint32{1}}, ""},
		"path":                   {Rules{Executables: globs(t, "/usr/bin/python3.11")}, "executables: /usr/bin/python3.11 matches /usr/bin/python3.11"},
		"path in a folder":       {Rules{Executables: globs(t, "/opt/**", "/usr/bin/*")}, "executables: /usr/bin/python3.11 matches /usr/bin/*"},
		"path in any folder":     {Rules{Executables: globs(t, "**/python3*")}, "executables: /usr/bin/python3.11 matches **/python3*"},
		"path of alternatives":   {Rules{Executables: globs(t, "/usr/{bin,sbin}/python?.1[0-9]")}, "executables: /usr/bin/python3.11 matches /usr/{bin,sbin}/python?.1[0-9]"},
		"star stays in a folder": {Rules{Executables: globs(t, "/usr/*", "*/python3.11")}, ""},
		"path is matched whole":  {Rules{Executables: globs(t, "/usr/bin", "/usr/bin/python3", "bin/python3.11")}, ""},
		"cgroup":                 {Rules{Cgroups: globs(t, "/kubepods.slice/**")}, "cgroups: /kubepods.slice/kubepods-pod1.slice/cri-containerd-2.scope matches /kubepods.slice/**"},
		"cgroup of the other":    {Rules{Cgroups: globs(t, "/docker/*")}, "cgroups: /docker/x matches /docker/*"},
		"other cgroup":           {Rules{Cgroups: globs(t, "/system.slice/**", "/docker")}, ""},
		"container":              {Rules{Containers: []string{theProcess().ContainerID}}, "container_ids: is in container " + theProcess().ContainerID},
		"container, shortened":   {Rules{Containers: []string{"0123456789ab"}}, "container_ids: is in container " + theProcess().ContainerID},
		"other container":        {Rules{Containers: []string{"123456789abc"}}, ""},
		"port":                   {Rules{Ports: []PortRange{{8080, 8080}}}, "ports: listens at 8080"},
		"range of ports":         {Rules{Ports: []PortRange{{1, 79}, {80, 90}}}, "ports: listens at 80"},
		"other ports":            {Rules{Ports: []PortRange{{1, 79}, {81, 8079}, {8081, 65535}}}, ""},
		"pod by labels":          {Rules{Pods: podSelector(t, "app=orders,tier!=cache")}, "pods: is in pod orders-1 of namespace shop"},
		"pod by namespace":       {Rules{Pods: podSelector(t, "", "other", "shop")}, "pods: is in pod orders-1 of namespace shop"},
		"pod, other namespace":   {Rules{Pods: podSelector(t, "app=orders", "other")}, ""},
		"pod, other label":       {Rules{Pods: podSelector(t, "app in (prices, stock)", "shop")}, ""},
		"second of two kinds":    {Rules{Names: []string{"nginx"}, Ports: []PortRange{{80, 80}}}, "ports: listens at 80"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			traced, why := Decide(&Selection{Include: test.rules}, theProcess())
			assert.Equal(t, test.why != "", traced)
			excluded, whyNot := Decide(&Selection{All: true, Exclude: test.rules}, theProcess())
			assert.Equal(t, test.why == "", excluded)
			if test.why == "" {
				assert.Equal(t, "nothing selects it", why)
				assert.Equal(t, "all", whyNot)
				return
			}
			assert.Equal(t, test.why, why)
			assert.Equal(t, "exclude_"+test.why, whyNot)
		})
	}
}

// A process of which little is known meets no rule by what is missing.
func TestRulesWithoutFacts(t *testing.T) {
	everything := Rules{
		Names: []string{""}, Executables: globs(t, "**", "*", ""), Cgroups: globs(t, "**", ""), Containers: []string{"0123456789ab"},
		Ports: []PortRange{{1, 65535}}, Pods: podSelector(t, ""),
	}
	traced, why := Decide(&Selection{Include: everything}, &Facts{PID: 42})
	assert.False(t, traced, why)
}

func TestDecide(t *testing.T) {
	include := Rules{Env: []string{"TRACE_ME"}, PIDs: []uint32{42}}
	tests := map[string]struct {
		selection Selection
		mutate    func(*Facts)
		why       string
	}{
		"exclusion beats all":       {selection: Selection{All: true, Exclude: Rules{Env: []string{"EMPTY"}}}, why: "exclude_env: has the variable EMPTY"},
		"exclusion beats selection": {selection: Selection{Include: include, Exclude: Rules{Names: []string{"python3"}}}, why: "exclude_names: is named python3"},
		"own process": {
			selection: Selection{All: true, Include: include}, mutate: func(f *Facts) { f.Own = true }, why: "belongs to the collector",
		},
		"kernel thread": {selection: Selection{All: true}, mutate: func(f *Facts) { f.KernelThread = true }, why: "is a kernel thread"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			facts := theProcess()
			if test.mutate != nil {
				test.mutate(facts)
			}
			traced, why := Decide(&test.selection, facts)
			assert.False(t, traced)
			assert.Equal(t, test.why, why)
		})
	}
	traced, why := Decide(&Selection{Include: include, Exclude: Rules{Env: []string{"NONE"}, Names: []string{"nginx"}}}, theProcess())
	assert.True(t, traced, why)
}

func TestGlobErrors(t *testing.T) {
	for _, pattern := range []string{"[", "{a", "a[b", "a}", `a\`} {
		_, err := NewGlob(pattern)
		require.ErrorContains(t, err, pattern)
	}
}
