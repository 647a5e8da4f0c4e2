package ebpfspanreceiver

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"k8s.io/apimachinery/pkg/labels"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/discover"
)

// ProcessesConfig selects processes: with All everything, otherwise what meets any
// one of the other rules. Exclusions win. Where no rule selects, processes are traced
// that name their service.
type ProcessesConfig struct {
	All                 bool             `mapstructure:"all"`
	Env                 []string         `mapstructure:"env"`
	ExcludeEnv          []string         `mapstructure:"exclude_env"`
	Names               []string         `mapstructure:"names"`
	ExcludeNames        []string         `mapstructure:"exclude_names"`
	PIDs                []int64          `mapstructure:"pids"`
	Executables         []string         `mapstructure:"executables"`
	ExcludeExecutables  []string         `mapstructure:"exclude_executables"`
	Cgroups             []string         `mapstructure:"cgroups"`
	ExcludeCgroups      []string         `mapstructure:"exclude_cgroups"`
	ContainerIDs        []string         `mapstructure:"container_ids"`
	ExcludeContainerIDs []string         `mapstructure:"exclude_container_ids"`
	Ports               []any            `mapstructure:"ports"`
	ExcludePorts        []any            `mapstructure:"exclude_ports"`
	Kubernetes          KubernetesConfig `mapstructure:"kubernetes"`
}

// KubernetesConfig selects processes by the pods that they belong to.
type KubernetesConfig struct {
	// Node is the name of the node that the collector runs on.
	Node string `mapstructure:"node"`
	// Kubeconfig is the path of a configuration for the API, if not that of the pod's
	// service account.
	Kubeconfig string `mapstructure:"kubeconfig"`
	// Pods select pods, ExcludePods exclude them.
	Pods        []PodsConfig `mapstructure:"pods"`
	ExcludePods []PodsConfig `mapstructure:"exclude_pods"`
}

// PodsConfig matches pods that are in one of the namespaces, any where there is none,
// and have the labels.
type PodsConfig struct {
	Namespaces []string `mapstructure:"namespaces"`
	// Labels is a label selector as kubectl takes it.
	Labels string `mapstructure:"labels"`
}

// namedServices are the variables by which processes are selected where no rule is given.
var namedServices = []string{"SEQLINK_SERVICE", "OTEL_SERVICE_NAME", "DD_SERVICE", "DK_BPFTRACE_SERVICE"}

// selection translates the configuration, with the default where nothing selects. The
// error joins those of all rules that cannot be understood.
func (p *ProcessesConfig) selection() (discover.Selection, error) {
	include, err1 := ruleConfig{
		"", p.Env, p.Names, p.PIDs, p.Executables, p.Cgroups, p.ContainerIDs, p.Ports, p.Kubernetes.Pods,
	}.rules()
	exclude, err2 := ruleConfig{
		"exclude_", p.ExcludeEnv, p.ExcludeNames, nil, p.ExcludeExecutables, p.ExcludeCgroups, p.ExcludeContainerIDs,
		p.ExcludePorts, p.Kubernetes.ExcludePods,
	}.rules()
	if !p.All && include.Empty() {
		include.Env = namedServices
	}
	return discover.Selection{All: p.All, Include: include, Exclude: exclude}, errors.Join(err1, err2)
}

func (p *ProcessesConfig) validate() error {
	selection, err := p.selection()
	if p.All && !selection.Include.Empty() {
		err = errors.Join(err, errors.New(
			"processes::all: true selects everything: remove the other rules that select (those that exclude may stay), or set all to false"))
	}
	if err == nil && selection.NeedsPods() && p.Kubernetes.Node == "" {
		return errors.New("processes::kubernetes::node: empty, but pods are asked for: give the name of the collector's node, " +
			"${env:K8S_NODE_NAME} for example")
	}
	if err == nil && !selection.NeedsPods() && p.Kubernetes.Node+p.Kubernetes.Kubeconfig != "" {
		return errors.New("processes::kubernetes: selects nothing without pods and exclude_pods: add one of them, or remove kubernetes")
	}
	return err
}

// ruleConfig are the rules that select, or with a prefix those that exclude.
type ruleConfig struct {
	prefix                          string
	env, names                      []string
	pids                            []int64
	executables, cgroups, container []string
	ports                           []any
	pods                            []PodsConfig
}

func (r ruleConfig) rules() (rules discover.Rules, err error) {
	errs := []error{
		validateNames(r.prefix+"env", r.env),
		validateNames(r.prefix+"names", r.names),
	}
	rules.Env, rules.Names = r.env, r.names
	for _, pid := range r.pids {
		if pid < 1 || pid > 1<<22 {
			errs = append(errs, fmt.Errorf("processes::%spids: %d is no process id: give 1 to %d", r.prefix, pid, 1<<22))
		}
		rules.PIDs = append(rules.PIDs, uint32(pid))
	}
	rules.Executables, err = paths(r.prefix+"executables", r.executables)
	errs = append(errs, err)
	rules.Cgroups, err = paths(r.prefix+"cgroups", r.cgroups)
	errs = append(errs, err)
	rules.Containers, err = containers(r.prefix+"container_ids", r.container)
	errs = append(errs, err)
	for _, text := range r.ports {
		ports, err := discover.ParsePortRange(fmt.Sprint(text))
		if err != nil {
			errs = append(errs, fmt.Errorf("processes::%sports: %w", r.prefix, err))
		}
		rules.Ports = append(rules.Ports, ports)
	}
	rules.Pods, err = podSelectors(r.prefix+"pods", r.pods)
	return rules, errors.Join(append(errs, err)...)
}

func validateNames(key string, names []string) error {
	var errs []error
	for _, name := range names {
		if name == "" || strings.ContainsAny(name, "=/\x00") {
			errs = append(errs, fmt.Errorf("processes::%s: %q cannot be a name: give it without '=' and '/', not empty", key, name))
		}
	}
	return errors.Join(errs...)
}

// paths compiles patterns for absolute paths.
func paths(key string, patterns []string) (globs []discover.Glob, err error) {
	var errs []error
	for _, pattern := range patterns {
		g, err := discover.NewGlob(pattern)
		if err == nil && !strings.HasPrefix(pattern, "/") && !strings.HasPrefix(pattern, "**") {
			err = fmt.Errorf("%q matches no path", pattern)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("processes::%s: %w: begin it with / or **/, with * for what is in one folder", key, err))
			continue
		}
		globs = append(globs, g)
	}
	return globs, errors.Join(errs...)
}

// containerID is what `docker ps` or `crictl ps` show, or all of it.
var containerID = regexp.MustCompile(`^[0-9a-f]{12,64}$`)

func containers(key string, ids []string) ([]string, error) {
	var errs []error
	for _, id := range ids {
		if !containerID.MatchString(id) {
			errs = append(errs, fmt.Errorf(
				"processes::%s: %q is no container id: give its first 12 to 64 hexadecimal digits, in quotes and lower case", key, id))
		}
	}
	return ids, errors.Join(errs...)
}

func podSelectors(key string, configs []PodsConfig) (selectors []discover.PodSelector, err error) {
	var errs []error
	for _, c := range configs {
		selector, err := labels.Parse(c.Labels)
		switch {
		case err != nil:
			errs = append(errs, fmt.Errorf(
				"processes::kubernetes::%s: labels: %q cannot be understood: write app=orders,tier!=cache for example (%s)",
				key, c.Labels, strings.ReplaceAll(err.Error(), "\n", " ")))
		case len(c.Namespaces) == 0 && selector.Empty():
			errs = append(errs, fmt.Errorf("processes::kubernetes::%s: an entry without namespaces and labels matches every pod: "+
				"give namespaces, labels, or both", key))
		}
		selectors = append(selectors, discover.PodSelector{Namespaces: c.Namespaces, Labels: selector})
	}
	return selectors, errors.Join(errs...)
}
