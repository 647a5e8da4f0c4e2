package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"time"

	"github.com/seqlink/seqlink/examples/run"
	"github.com/seqlink/seqlink/test/kernels/report"
)

const (
	requests = 40
	inFlight = 4
	// quiet is how long no span may come before the rest counts as missing: emulated
	// processors are slow.
	quiet = 30 * time.Second
)

// traceRequests sends requests through three services while the collector watches them,
// and compares the traces with what was asked.
func traceRequests(strategy string) (t report.Trace) {
	if err := trace(strategy, &t); err != nil {
		t.Fault = err.Error()
	}
	return t
}

func trace(strategy string, t *report.Trace) (err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	address, stop, err := startServices("front", "middle", "back")
	defer stop()
	if err != nil {
		return err
	}
	sink, err := run.StartSink()
	if err != nil {
		return err
	}
	defer sink.Close()
	dir, err := os.MkdirTemp("", "collector-")
	if err != nil {
		return err
	}
	collector, err := run.StartCollector(ctx, run.CollectorConfig{
		Binary: "/" + report.Collector, Dir: dir, Window: "3s",
		Receiver: map[string]any{
			"processes": map[string]any{"env": []string{serviceVariable}},
			"capture":   map[string]any{"strategy": strategy},
		},
		Exporters: map[string]any{"otlp_http": sink.OTLPHTTP()},
	})
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, collector.Stop())
		if err != nil {
			err = fmt.Errorf("%w\n%s", err, collector.LogTail())
		}
	}()
	client := run.NewClient(inFlight)
	defer client.Close()
	outcome := client.Send(ctx, run.Load{URL: "http://" + address + "/", Rate: 20, InFlight: inFlight, Requests: requests, First: 1})
	t.Requests = len(outcome.IDs)
	if err := errors.Join(outcome.Errors...); err != nil {
		return err
	}
	awaited := sink.Await(ctx, len(outcome.IDs)*run.SpansPerRequest(3), quiet)
	found := run.Check(sink.All(), outcome.IDs, []string{"front", "middle", "back"})
	t.Complete = found.Complete
	losses, err := collector.Losses(ctx)
	t.Lost = losses.Total()
	return errors.Join(awaited, found.Err(), err)
}

// serviceVariable selects the services and names them.
const serviceVariable = "SEQLINK_SERVICE"

// startServices starts one service for each name, each of which asks the next one. It
// returns the first one's address.
func startServices(names ...string) (first string, stop func(), err error) {
	var running []*exec.Cmd
	stop = func() {
		for _, c := range running {
			_ = c.Process.Kill()
			_ = c.Wait()
		}
	}
	addresses, err := run.FreeAddresses(len(names))
	if err != nil {
		return "", stop, err
	}
	for i, name := range names {
		args := []string{asService, addresses[i]}
		if i+1 < len(names) {
			args = append(args, addresses[i+1])
		}
		c := exec.Command("/proc/self/exe", args...)
		c.Env = []string{serviceVariable + "=" + name}
		c.Stderr = os.Stderr
		if err := c.Start(); err != nil {
			return "", stop, err
		}
		running = append(running, c)
	}
	for _, address := range addresses {
		if err := await(address); err != nil {
			return "", stop, err
		}
	}
	return addresses[0], stop, nil
}

func await(address string) error {
	for range 600 {
		if conn, err := net.Dial("tcp", address); err == nil {
			return conn.Close()
		}
		time.Sleep(50 * time.Millisecond)
	}
	return fmt.Errorf("nobody listens on %s", address)
}
