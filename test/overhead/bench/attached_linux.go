package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"

	"github.com/seqlink/seqlink/bpf"
	"github.com/seqlink/seqlink/test/internal/collector"
)

// attached is what is attached to the kernel during a measurement.
type attached struct {
	floor []link.Link
	agent *collector.Collector
	dir   string
}

// The variants that are compared.
const (
	bare    = "bare"
	floor   = "floor"
	plain   = "plain"
	full    = "full"
	thinned = "thinned"
)

// variants are those of a server, in the order in which they are printed.
func variants(server string) []string {
	switch server {
	case "nginx":
		return []string{bare, floor, full, thinned}
	case "go", "node":
		return []string{bare, floor, plain, full}
	}
	return []string{bare, floor, full}
}

// receivers configure the variants that have an agent, beside what it traces. What is not read in
// time is lost and counted, so that the full capture is full.
var receivers = map[string]string{
	full:    ", budget: {overload: drop}",
	plain:   ", budget: {overload: drop}, causality: {hooks: false}",
	thinned: ", budget: {overload: drop, requests: 10%}",
}

// thinnedAfter is when the kernel side leaves requests out, too.
const thinnedAfter = 3 * time.Second

// attach attaches what a variant needs to trace the server, and nothing else.
func (o *options) attach(variant string, s *server) (a *attached, err error) {
	a = &attached{}
	if options, ok := receivers[variant]; ok {
		receiver := fmt.Sprintf("{processes: {pids: %s}%s}", list(s.pids()), options)
		err = a.startAgent(o.binary, receiver, "debug: {verbosity: basic}")
		if variant == thinned {
			time.Sleep(thinnedAfter)
		}
	} else if variant == floor {
		a.floor, err = attachEmpty()
	}
	if err != nil {
		return nil, errors.Join(err, a.detach())
	}
	return a, nil
}

func (a *attached) detach() error {
	var errs []error
	for _, l := range a.floor {
		errs = append(errs, l.Close())
	}
	if a.agent != nil {
		errs = append(errs, a.agent.Stop(os.Interrupt))
	}
	if a.dir != "" {
		errs = append(errs, os.RemoveAll(a.dir))
	}
	return errors.Join(errs...)
}

// attachEmpty attaches programs that do nothing to the hooks of the agent's that this
// kernel has.
func attachEmpty() (links []link.Link, err error) {
	for _, load := range []func() (*ebpf.CollectionSpec, error){bpf.LoadTCP, bpf.LoadProcess} {
		spec, err := load()
		if err != nil {
			return links, err
		}
		for name, p := range spec.Programs {
			if strings.HasPrefix(p.SectionName, "tracepoint/") {
				continue // the agent has these only where the kernel preempts programs at the raw ones
			}
			l, err := attachEmptyAt(p)
			if errors.Is(err, fs.ErrNotExist) {
				continue // the tracepoint of io_uring has one of two names
			}
			if err != nil {
				return links, fmt.Errorf("an empty program in place of %s: %w", name, err)
			}
			links = append(links, l)
		}
	}
	return links, nil
}

func attachEmptyAt(like *ebpf.ProgramSpec) (link.Link, error) {
	empty, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Type: like.Type, AttachType: like.AttachType, AttachTo: like.AttachTo, License: "Dual BSD/GPL",
		Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 0), asm.Return()},
	})
	if err != nil {
		return nil, err
	}
	defer empty.Close() // the link holds it
	parts := strings.Split(like.SectionName, "/")
	switch parts[0] {
	case "raw_tracepoint":
		return link.AttachRawTracepoint(link.RawTracepointOptions{Name: parts[1], Program: empty})
	case "tp_btf":
		return link.AttachTracing(link.TracingOptions{Program: empty})
	default:
		return nil, fmt.Errorf("unknown section %q", like.SectionName)
	}
}

const agentConfig = `
receivers:
  ebpf_span: %s
exporters:
  %s
extensions:
  health_check: {endpoint: %q}
  pprof: {endpoint: %q}
service:
  extensions: [health_check, pprof]
  telemetry: %s
  pipelines:
    traces: {receivers: [ebpf_span], exporters: [%s]}
`

// startAgent starts the collector with a configuration of its receiver and one exporter.
// The debug exporter writes nothing at the level "warn".
func (a *attached) startAgent(binary, receiver, exporter string) (err error) {
	if a.dir, err = os.MkdirTemp("", "seqlink-overhead-agent-"); err != nil {
		return err
	}
	health := collector.FreeAddress()
	options := collector.Options{
		Binary: binary, Dir: a.dir, Ready: "http://" + health, Metrics: collector.FreeAddress(), Pprof: collector.FreeAddress(),
	}
	name, _, _ := strings.Cut(exporter, ":")
	options.Config = fmt.Sprintf(agentConfig, receiver, exporter, health, options.Pprof, collector.Telemetry(options.Metrics), name)
	a.agent, err = collector.Start(options)
	return err
}

// list writes process ids as YAML does.
func list(pids []int) string { return strings.ReplaceAll(fmt.Sprint(pids), " ", ", ") }
