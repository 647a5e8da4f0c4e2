package capture

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestPreemptionFromWhatTheKernelTells(t *testing.T) {
	const (
		dynamic   = "#1 SMP PREEMPT_DYNAMIC Debian 6.12.95-1 (2026-07-05)"
		voluntary = "CONFIG_PREEMPT_BUILD=y\n# CONFIG_PREEMPT_NONE is not set\nCONFIG_PREEMPT_VOLUNTARY=y\n"
		lazy      = "CONFIG_PREEMPT_BUILD=y\nCONFIG_PREEMPT_LAZY=y\nCONFIG_PREEMPTION=y\n"
	)
	for name, test := range map[string]struct {
		kernel preemption
		want   bool
	}{
		"none compiled in":                     {preemption{version: "#1 SMP Debian 5.10.223-1 (2024-08-10)"}, false},
		"full compiled in":                     {preemption{version: "#1 SMP PREEMPT Mon Jan 5 2026"}, true},
		"real time":                            {preemption{version: "#1 SMP PREEMPT_RT Debian 6.12.95-1"}, true},
		"voluntary by default":                 {preemption{version: dynamic, config: voluntary}, false},
		"full by default":                      {preemption{version: dynamic, config: "# CONFIG_PREEMPT_NONE is not set\nCONFIG_PREEMPT=y\n"}, true},
		"lazy by default":                      {preemption{version: dynamic, config: lazy}, true},
		"full by argument":                     {preemption{version: dynamic, config: voluntary, arguments: "quiet preempt=full\n"}, true},
		"none by argument":                     {preemption{version: dynamic, config: voluntary, arguments: "preempt=none"}, false},
		"none by an argument that is ignored":  {preemption{version: dynamic, config: lazy, arguments: "preempt=none"}, true},
		"unknown":                              {preemption{version: dynamic}, true},
		"the kernel knows better than others":  {preemption{version: dynamic, config: lazy, debug: "none (voluntary) full lazy\n"}, false},
		"the kernel knows better, and it does": {preemption{version: dynamic, config: voluntary, debug: "full (lazy)\n"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, test.want, test.kernel.possible())
		})
	}
}
