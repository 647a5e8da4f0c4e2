package report

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestTasks(t *testing.T) {
	tasks := Tasks("load,trace")
	assert.True(t, tasks.Has(Load))
	assert.True(t, tasks.Has(Testing, Tracing))
	assert.False(t, tasks.Has(Testing))
	assert.NoError(t, tasks.Validate())
	assert.ErrorContains(t, Tasks("load,all").Validate(), `"all"`)
	assert.Error(t, Tasks("").Validate())
}

func TestWhatWasNotDoneIsNotRight(t *testing.T) {
	done := func() *Report {
		return &Report{
			Programs:   []Program{{Name: "sys_enter", Processed: 1}},
			Strategies: []Strategy{{Name: "fentry", Trace: Trace{Requests: 40, Complete: 40}}},
		}
	}
	assert.True(t, done().Did("load,trace"))
	assert.False(t, done().Did("load,trace,test"))
	for name, change := range map[string]func(*Report){
		"a program was refused": func(r *Report) { r.Programs[0].Refusal = "too large" },
		"nothing was loaded":    func(r *Report) { r.Programs = nil },
		"nothing was traced":    func(r *Report) { r.Strategies = nil },
		"a trace is not whole":  func(r *Report) { r.Strategies[0].Trace.Complete-- },
		"it did not end":        func(r *Report) { r.Doing = "loading the programs" },
		"it failed":             func(r *Report) { r.Failure = "no memory" },
	} {
		r := done()
		change(r)
		assert.False(t, r.Did("load,trace"), name)
	}
	tested := done()
	tested.Strategies[0].Tests = Tests{Passed: 9}
	assert.True(t, tested.Did("test"))
	tested.Strategies[0].Tests.Failed = []string{"TestKernelSeesEverything"}
	assert.False(t, tested.Did("test"))
}
