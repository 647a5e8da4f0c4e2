// Package discover is the stage that decides which processes are traced and
// gathers the facts about them that spans are described with.
package discover

import (
	"fmt"
	"slices"
	"strings"
)

// Selection says which processes are traced: with All every one, otherwise those
// that meet any of the rules in Include. Who meets any of the rules in Exclude is not
// traced, nor are the collector itself and its descendants, whatever else is said.
type Selection struct {
	All              bool
	Include, Exclude Rules
}

// Rules describe processes by single features; a process meets them if it has any
// one of the features.
type Rules struct {
	// Env names environment variables, whatever their value.
	Env []string
	// Names are names of processes: the executable's base name, or the name the
	// kernel shows (comm, at most 15 bytes).
	Names []string
	// PIDs are process ids as /proc shows them.
	PIDs []uint32
	// Executables match the path of the executable file as the process's own mount
	// namespace has it.
	Executables []Glob
	// Cgroups match a path in /proc/PID/cgroup.
	Cgroups []Glob
	// Containers are ids of containers, or beginnings of them.
	Containers []string
	// Ports are TCP ports where a process listens.
	Ports []PortRange
	// Pods match the Kubernetes pod that a process belongs to.
	Pods []PodSelector
}

// Empty says that there is no rule.
func (r *Rules) Empty() bool {
	return len(r.Env)+len(r.Names)+len(r.PIDs)+len(r.Executables)+len(r.Cgroups)+
		len(r.Containers)+len(r.Ports)+len(r.Pods) == 0
}

// NeedsPorts says that it matters where processes listen.
func (s *Selection) NeedsPorts() bool { return len(s.Include.Ports)+len(s.Exclude.Ports) > 0 }

// NeedsPods says that it matters to which pods processes belong.
func (s *Selection) NeedsPods() bool { return len(s.Include.Pods)+len(s.Exclude.Pods) > 0 }

// wantsPort says whether a rule asks for a port.
func (s *Selection) wantsPort(port uint16) bool {
	return portIn(port, s.Include.Ports) || portIn(port, s.Exclude.Ports)
}

// Decide says whether a process is traced, and why.
func Decide(selection *Selection, facts *Facts) (traced bool, why string) {
	switch {
	case facts.Own:
		return false, "belongs to the collector"
	case facts.KernelThread:
		return false, "is a kernel thread"
	}
	if why := selection.Exclude.met(facts); why != "" {
		return false, "exclude_" + why
	}
	if selection.All {
		return true, "all"
	}
	if why := selection.Include.met(facts); why != "" {
		return true, why
	}
	return false, "nothing selects it"
}

// met names the first rule that a process meets, by the configuration's key; "" where
// it meets none.
func (r *Rules) met(f *Facts) string {
	if name, ok := f.firstVariable(r.Env); ok {
		return "env: has the variable " + name
	}
	if name, ok := f.firstName(r.Names); ok {
		return "names: is named " + name
	}
	if slices.Contains(r.PIDs, f.PID) {
		return fmt.Sprintf("pids: is process %d", f.PID)
	}
	if g, ok := firstMatch(r.Executables, f.Path); ok {
		return fmt.Sprintf("executables: %s matches %s", f.Path, g)
	}
	for _, path := range f.Cgroups {
		if g, ok := firstMatch(r.Cgroups, path); ok {
			return fmt.Sprintf("cgroups: %s matches %s", path, g)
		}
	}
	for _, id := range r.Containers {
		if f.ContainerID != "" && strings.HasPrefix(f.ContainerID, id) {
			return "container_ids: is in container " + f.ContainerID
		}
	}
	for _, port := range f.Ports {
		if portIn(port, r.Ports) {
			return fmt.Sprintf("ports: listens at %d", port)
		}
	}
	for _, pods := range r.Pods {
		if f.Pod != nil && pods.matches(f.Pod) {
			return fmt.Sprintf("pods: is in pod %s of namespace %s", f.Pod.Name, f.Pod.Namespace)
		}
	}
	return ""
}
