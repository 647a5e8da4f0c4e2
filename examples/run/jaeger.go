package run

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// Jaeger is a running Jaeger v2 that keeps traces in memory and listens on
// loopback only.
type Jaeger struct {
	*Process
	otlp, query string
}

// jaegerUI is where people expect Jaeger's pages.
const jaegerUI = "127.0.0.1:16686"

// StartJaeger starts the Jaeger at path, with its files in dir.
func StartJaeger(ctx context.Context, path, dir string) (*Jaeger, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("find Jaeger: %w", err)
	}
	addresses, err := FreeAddresses(3)
	if err != nil {
		return nil, err
	}
	if listening(jaegerUI)(ctx) != nil {
		addresses[1] = jaegerUI
	}
	config := filepath.Join(dir, "jaeger.yaml")
	if err := writeJaegerConfig(config, addresses); err != nil {
		return nil, err
	}
	process, err := Command{Name: "jaeger", Path: path, Args: []string{"--config", config}, Dir: dir}.Start()
	if err != nil {
		return nil, err
	}
	j := &Jaeger{Process: process, otlp: addresses[0], query: "http://" + addresses[1]}
	if err := errors.Join(waitFor(ctx, process, listening(addresses[0])), waitFor(ctx, process, answers(j.query+"/api/services"))); err != nil {
		return nil, errors.Join(err, process.Stop())
	}
	return j, nil
}

// writeJaegerConfig takes the addresses for OTLP, and for the query API over HTTP
// and over gRPC. Where one is not given Jaeger listens on all interfaces.
func writeJaegerConfig(path string, addresses []string) error {
	config, err := json.MarshalIndent(map[string]any{
		"extensions": map[string]any{
			"jaeger_storage": map[string]any{"backends": map[string]any{
				"memory": map[string]any{"memory": map[string]any{"max_traces": 100_000}},
			}},
			"jaeger_query": map[string]any{
				"storage": map[string]any{"traces": "memory"},
				// Jaeger's traces of itself would go to a port that nobody listens on.
				"enable_tracing": false,
				"http":           map[string]any{"endpoint": addresses[1]},
				"grpc":           map[string]any{"endpoint": addresses[2]},
			},
		},
		"receivers": map[string]any{"otlp": map[string]any{"protocols": map[string]any{
			"grpc": map[string]any{"endpoint": addresses[0]},
		}}},
		"exporters": map[string]any{"jaeger_storage_exporter": map[string]any{"trace_storage": "memory"}},
		"service": map[string]any{
			"extensions": []string{"jaeger_storage", "jaeger_query"},
			"telemetry":  map[string]any{"metrics": map[string]any{"level": "none"}},
			"pipelines": map[string]any{"traces": map[string]any{
				"receivers": []string{"otlp"}, "exporters": []string{"jaeger_storage_exporter"},
			}},
		},
	}, "", "  ")
	if err != nil {
		return fmt.Errorf("make Jaeger's configuration: %w", err)
	}
	if err := os.WriteFile(path, config, 0o644); err != nil {
		return fmt.Errorf("write Jaeger's configuration: %w", err)
	}
	return nil
}

// OTLPGRPC is the configuration of an otlp_grpc exporter to this Jaeger.
func (j *Jaeger) OTLPGRPC() map[string]any {
	return map[string]any{"endpoint": j.otlp, "tls": map[string]any{"insecure": true}}
}

// URL is where a person looks at a trace.
func (j *Jaeger) URL(trace pcommon.TraceID) string { return j.query + "/trace/" + trace.String() }

// Trace reads a trace back through /api/traces, and waits until so many of its
// spans are stored.
func (j *Jaeger) Trace(ctx context.Context, id pcommon.TraceID, spans int, timeout time.Duration) ([]Span, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	for {
		body, err := get(ctx, j.query+"/api/traces/"+id.String())
		var found []Span
		if err == nil {
			found, err = parseJaegerTrace(body)
		}
		if err == nil && len(found) >= spans {
			return found, nil
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(fmt.Errorf("jaeger has %d of the %d spans of trace %s", len(found), spans, id), err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

type jaegerTrace struct {
	Spans []struct {
		TraceID    string      `json:"traceID"`
		SpanID     string      `json:"spanID"`
		ProcessID  string      `json:"processID"`
		Tags       []jaegerTag `json:"tags"`
		References []struct {
			RefType string `json:"refType"`
			SpanID  string `json:"spanID"`
			TraceID string `json:"traceID"`
		} `json:"references"`
	} `json:"spans"`
	Processes map[string]struct {
		ServiceName string `json:"serviceName"`
	} `json:"processes"`
}

type jaegerTag struct {
	Key   string `json:"key"`
	Value any    `json:"value"`
}

func parseJaegerTrace(body []byte) ([]Span, error) {
	var answer struct {
		Data []jaegerTrace `json:"data"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, fmt.Errorf("read Jaeger's answer: %w", err)
	}
	var spans []Span
	for _, trace := range answer.Data {
		for i := range trace.Spans {
			spans = append(spans, trace.span(i))
		}
	}
	return spans, nil
}

func (t *jaegerTrace) span(i int) Span {
	s := t.Spans[i]
	path := tag(s.Tags, "url.path")
	span := Span{
		Service: t.Processes[s.ProcessID].ServiceName,
		Kind:    jaegerKinds[tag(s.Tags, "span.kind")],
		Request: lastSegment(path),
		Method:  tag(s.Tags, "seqlink.link.method"),
	}
	fromHex(span.Trace[:], s.TraceID)
	fromHex(span.ID[:], s.SpanID)
	for _, reference := range s.References {
		if reference.RefType == "CHILD_OF" && reference.TraceID == s.TraceID {
			fromHex(span.Parent[:], reference.SpanID)
		}
	}
	return span
}

var jaegerKinds = map[string]ptrace.SpanKind{"server": ptrace.SpanKindServer, "client": ptrace.SpanKindClient}

func tag(tags []jaegerTag, key string) string {
	for _, t := range tags {
		if text, ok := t.Value.(string); ok && t.Key == key {
			return text
		}
	}
	return ""
}

// fromHex leaves the id empty where it is malformed, which no check lets pass.
func fromHex(id []byte, text string) {
	if decoded, err := hex.DecodeString(text); err == nil && len(decoded) == len(id) {
		copy(id, decoded)
	}
}
