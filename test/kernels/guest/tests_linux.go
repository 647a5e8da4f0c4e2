package main

import (
	"bytes"
	"context"
	"os/exec"
	"regexp"
	"time"

	"github.com/seqlink/seqlink/test/kernels/report"
)

var verdict = regexp.MustCompile(`(?m)^--- (PASS|FAIL): (\S+)`)

// withoutPython leaves out the test that traces programs in Python: there is none here.
const withoutPython = "-test.skip=TestKernelAdoptsBlockedReceives"

// runTests runs the tests of the capture stage that use this kernel.
func runTests() (t report.Tests) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, captureTests, "-test.v", "-test.run=^TestKernel", withoutPython)
	out, err := command.CombinedOutput()
	for _, found := range verdict.FindAllSubmatch(out, -1) {
		if string(found[1]) == "PASS" {
			t.Passed++
		} else {
			t.Failed = append(t.Failed, string(found[2]))
		}
	}
	if err != nil && len(t.Failed) == 0 {
		t.Failed = append(t.Failed, err.Error())
	}
	if len(t.Failed) > 0 {
		t.Log = string(bytes.TrimSpace(out[max(0, len(out)-8000):]))
	}
	return t
}
