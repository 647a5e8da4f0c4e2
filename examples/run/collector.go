package run

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
)

// CollectorConfig says what a collector does.
type CollectorConfig struct {
	// Binary is the otelcol-seqlink to run; Dir takes its files.
	Binary, Dir string
	// Receiver is the configuration of ebpf_span.
	Receiver map[string]any
	// Exporters are configured by their ids; all get every trace.
	Exporters map[string]any
	// Window is how long the linker waits, as in "3s".
	Window string
	// Stdout takes what the collector prints. Its log goes to a file in Dir.
	Stdout io.Writer
	// Wrapper is a program that becomes the collector: it is given the collector's
	// command line as its arguments. Without it the collector is started itself.
	Wrapper string
}

// Collector is a running collector.
type Collector struct {
	*Process
	metrics string
}

// StartCollector starts a collector and waits until it is healthy.
func StartCollector(ctx context.Context, c CollectorConfig) (*Collector, error) {
	binary, err := filepath.Abs(c.Binary)
	if err != nil {
		return nil, fmt.Errorf("find the collector: %w", err)
	}
	if _, err := os.Stat(binary); err != nil {
		return nil, fmt.Errorf("the collector is not there: run `make build`: %w", err)
	}
	addresses, err := FreeAddresses(2)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(c.Dir, "collector.yaml")
	if err := c.write(path, addresses[0], addresses[1]); err != nil {
		return nil, err
	}
	command := Command{Name: "otelcol-seqlink", Path: binary, Args: []string{"--config", path}, Dir: c.Dir, Stdout: c.Stdout}
	if c.Wrapper != "" {
		command.Path, command.Args = c.Wrapper, append([]string{binary}, command.Args...)
	}
	process, err := command.Start()
	if err != nil {
		return nil, err
	}
	if err := waitFor(ctx, process, answers("http://"+addresses[0])); err != nil {
		return nil, errors.Join(err, process.Stop())
	}
	return &Collector{Process: process, metrics: "http://" + addresses[1] + "/metrics"}, nil
}

// write writes the configuration as JSON, which is YAML too.
func (c CollectorConfig) write(path, health, metrics string) error {
	host, port, err := net.SplitHostPort(metrics)
	if err != nil {
		return fmt.Errorf("address for metrics: %w", err)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return fmt.Errorf("address for metrics: %w", err)
	}
	var exporters []string
	for id := range c.Exporters {
		exporters = append(exporters, id)
	}
	reader := map[string]any{"pull": map[string]any{"exporter": map[string]any{
		"prometheus": map[string]any{"host": host, "port": number},
	}}}
	config, err := json.MarshalIndent(map[string]any{
		"extensions": map[string]any{"health_check": map[string]any{"endpoint": health}},
		"receivers":  map[string]any{"ebpf_span": c.Receiver},
		"processors": map[string]any{"seqlink": map[string]any{"window": c.Window}},
		"exporters":  c.Exporters,
		"service": map[string]any{
			"extensions": []string{"health_check"},
			"telemetry": map[string]any{
				"metrics": map[string]any{"level": "detailed", "readers": []any{reader}},
			},
			"pipelines": map[string]any{"traces": map[string]any{
				"receivers": []string{"ebpf_span"}, "processors": []string{"seqlink"}, "exporters": exporters,
			}},
		},
	}, "", "  ")
	if err != nil {
		return fmt.Errorf("make the collector's configuration: %w", err)
	}
	if err := os.WriteFile(path, config, 0o644); err != nil {
		return fmt.Errorf("write the collector's configuration: %w", err)
	}
	return nil
}

// OTLPHTTP is the configuration of an otlp_http exporter to a Sink.
func (s *Sink) OTLPHTTP() map[string]any {
	return map[string]any{"endpoint": s.Endpoint, "compression": "none"}
}

func answers(url string) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := get(ctx, url)
		return err
	}
}

func get(ctx context.Context, url string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, fmt.Errorf("get %s: %w", url, err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, fmt.Errorf("get %s: %w", url, err)
	}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("get %s: status %d: %.200s", url, response.StatusCode, body)
	}
	return body, nil
}
