package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"regexp"
	"time"

	"github.com/seqlink/seqlink/test/kernels/report"
)

const captureTests = "/" + report.CaptureTests

var verdict = regexp.MustCompile(`(?m)^--- (PASS|FAIL): (\S+)`)

// testsTimeout is for all tests with one strategy: emulated processors are slow.
const testsTimeout = 20 * time.Minute

// runTests runs the tests of the capture stage that use this kernel, with one strategy.
func runTests(strategy string) (t report.Tests) {
	ctx, cancel := context.WithTimeout(context.Background(), testsTimeout)
	defer cancel()
	command := exec.CommandContext(ctx, captureTests, "-test.v", "-test.run=^TestKernel", "-test.timeout="+testsTimeout.String())
	command.Env = append(os.Environ(), "SEQLINK_CAPTURE_TEST_STRATEGY="+strategy)
	var output bytes.Buffer
	command.Stdout = io.MultiWriter(&output, os.Stdout)
	command.Stderr = command.Stdout
	err := command.Run()
	out := output.Bytes()
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

var choice = regexp.MustCompile(`auto takes (\w+)`)

// chosen returns the strategy that is taken where nobody names one.
func chosen() string {
	out, err := exec.Command(captureTests, "-test.v", "-test.run=^TestKernelChoosesAStrategy$").CombinedOutput()
	if err != nil {
		return err.Error()
	}
	if found := choice.FindSubmatch(out); found != nil {
		return string(found[1])
	}
	return ""
}
