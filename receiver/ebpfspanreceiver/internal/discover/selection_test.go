package discover

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestDecide(t *testing.T) {
	tests := map[string]struct {
		selection Selection
		mutate    func(*Facts)
		traced    bool
		why       string
	}{
		"nothing selects": {why: "nothing selects it"},
		"all":             {selection: Selection{All: true}, traced: true, why: "all"},
		"env":             {selection: Selection{Env: []string{"NONE", "TRACE_ME"}}, traced: true, why: "env: has the variable TRACE_ME"},
		"env, not set":    {selection: Selection{Env: []string{"NONE"}}, why: "nothing selects it"},
		"env, empty value": {
			selection: Selection{Env: []string{"EMPTY"}}, traced: true, why: "env: has the variable EMPTY",
		},
		"name of the executable": {selection: Selection{Names: []string{"python3.11"}}, traced: true, why: "names: is named python3.11"},
		"name of the task":       {selection: Selection{Names: []string{"python3"}}, traced: true, why: "names: is named python3"},
		"other name":             {selection: Selection{Names: []string{"python"}}, why: "nothing selects it"},
		"empty name": {
			selection: Selection{Names: []string{""}}, mutate: func(f *Facts) { f.Executable = "" }, why: "nothing selects it",
		},
		"pid":       {selection: Selection{PIDs: []uint32{1, 42}}, traced: true, why: "pids: is process 42"},
		"other pid": {selection: Selection{PIDs: []uint32{1}}, why: "nothing selects it"},
		"exclude_env beats all": {
			selection: Selection{All: true, ExcludeEnv: []string{"EMPTY"}}, why: "exclude_env: has the variable EMPTY",
		},
		"exclude_env beats pid": {
			selection: Selection{PIDs: []uint32{42}, ExcludeEnv: []string{"TRACE_ME"}}, why: "exclude_env: has the variable TRACE_ME",
		},
		"exclude_names beats env": {
			selection: Selection{Env: []string{"TRACE_ME"}, ExcludeNames: []string{"python3"}}, why: "exclude_names: is named python3",
		},
		"exclusion of others": {
			selection: Selection{All: true, ExcludeEnv: []string{"NONE"}, ExcludeNames: []string{"nginx"}}, traced: true, why: "all",
		},
		"own process": {
			selection: Selection{All: true, PIDs: []uint32{42}}, mutate: func(f *Facts) { f.Own = true }, why: "belongs to the collector",
		},
		"kernel thread": {
			selection: Selection{All: true}, mutate: func(f *Facts) { f.KernelThread = true }, why: "is a kernel thread",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			facts := &Facts{PID: 42, Comm: "python3", Executable: "python3.11", Env: map[string]string{"TRACE_ME": "1", "EMPTY": ""}}
			if test.mutate != nil {
				test.mutate(facts)
			}
			traced, why := Decide(test.selection, facts)
			assert.Equal(t, test.traced, traced)
			assert.Equal(t, test.why, why)
		})
	}
}
