// Package discover is the stage that decides which processes are traced and
// gathers the facts about them that spans are described with.
package discover

import (
	"fmt"
	"slices"
)

// Selection says which processes are traced. Exclusions win over everything, and
// the collector itself and its descendants are never traced.
type Selection struct {
	// All traces every process that is not excluded.
	All bool
	// Env names environment variables: a process that has one of them is traced,
	// whatever its value. ExcludeEnv excludes in the same way.
	Env, ExcludeEnv []string
	// Names are names of processes: the executable's base name, or the name the
	// kernel shows (comm, at most 15 bytes). ExcludeNames excludes in the same way.
	Names, ExcludeNames []string
	// PIDs are process ids as /proc shows them.
	PIDs []uint32
}

// Decide says whether a process is traced, and why.
func Decide(selection Selection, facts *Facts) (traced bool, why string) {
	if why := excluded(selection, facts); why != "" {
		return false, why
	}
	if why := selected(selection, facts); why != "" {
		return true, why
	}
	return false, "nothing selects it"
}

func excluded(selection Selection, facts *Facts) string {
	if facts.Own {
		return "belongs to the collector"
	}
	if facts.KernelThread {
		return "is a kernel thread"
	}
	if name, ok := facts.firstVariable(selection.ExcludeEnv); ok {
		return fmt.Sprintf("exclude_env: has the variable %s", name)
	}
	if name, ok := facts.firstName(selection.ExcludeNames); ok {
		return fmt.Sprintf("exclude_names: is named %s", name)
	}
	return ""
}

func selected(selection Selection, facts *Facts) string {
	if selection.All {
		return "all"
	}
	if name, ok := facts.firstVariable(selection.Env); ok {
		return fmt.Sprintf("env: has the variable %s", name)
	}
	if name, ok := facts.firstName(selection.Names); ok {
		return fmt.Sprintf("names: is named %s", name)
	}
	if slices.Contains(selection.PIDs, facts.PID) {
		return fmt.Sprintf("pids: is process %d", facts.PID)
	}
	return ""
}
