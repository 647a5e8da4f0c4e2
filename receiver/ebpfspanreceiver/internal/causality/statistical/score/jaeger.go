package main

import (
	"archive/tar"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// document is what Jaeger's API and UI give for download; only what is used is named.
// Times are microseconds.
type document struct {
	Data []jaegerTrace `json:"data"`
}

type jaegerTrace struct {
	TraceID   string                   `json:"traceID"`
	Spans     []jaegerSpan             `json:"spans"`
	Processes map[string]jaegerProcess `json:"processes"`
}

type jaegerSpan struct {
	SpanID        string `json:"spanID"`
	OperationName string `json:"operationName"`
	References    []struct {
		RefType string `json:"refType"`
		SpanID  string `json:"spanID"`
	} `json:"references"`
	StartTime int64  `json:"startTime"`
	Duration  int64  `json:"duration"`
	Tags      []tag  `json:"tags"`
	ProcessID string `json:"processID"`
}

type jaegerProcess struct {
	ServiceName string `json:"serviceName"`
	Tags        []tag  `json:"tags"`
}

type tag struct {
	Key   string `json:"key"`
	Value any    `json:"value"`
}

// find returns the first of some tags that is there, as text.
func find(tags []tag, keys ...string) string {
	for _, key := range keys {
		for _, t := range tags {
			if t.Key == key {
				return fmt.Sprint(t.Value)
			}
		}
	}
	return ""
}

// readTraces reads all Jaeger JSON (.json, .json.gz) below a folder, or in a .tar.xz archive, in the
// order of the files' names.
func readTraces(path string) ([]jaegerTrace, error) {
	if strings.HasSuffix(path, ".tar.xz") {
		return readArchive(path)
	}
	var traces []jaegerTrace
	err := filepath.WalkDir(path, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(name, ".json") && !strings.HasSuffix(name, ".json.gz") {
			return err
		}
		content, err := readFile(name)
		if err != nil {
			return err
		}
		more, err := parse(name, content)
		traces = append(traces, more...)
		return err
	})
	return traces, err
}

// readFile reads a file, unpacked where it ends in .gz.
func readFile(name string) ([]byte, error) {
	if !strings.HasSuffix(name, ".gz") {
		return os.ReadFile(name)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	packed, err := gzip.NewReader(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return io.ReadAll(packed)
}

// readArchive unpacks with the program xz, which Go's library has no counterpart of.
func readArchive(path string) (traces []jaegerTrace, err error) {
	cmd := exec.Command("xz", "--decompress", "--stdout", path)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("%s: unpacking needs the program xz (package xz-utils): %w", path, err)
	}
	byName := map[string][]jaegerTrace{}
	archive := tar.NewReader(out)
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", path, err), cmd.Wait())
		}
		if filepath.Ext(header.Name) != ".json" {
			continue
		}
		content, err := io.ReadAll(archive)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		if byName[header.Name], err = parse(header.Name, content); err != nil {
			return nil, err
		}
	}
	names := make([]string, 0, len(byName))
	for name := range byName {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		traces = append(traces, byName[name]...)
	}
	return traces, cmd.Wait()
}

func parse(name string, content []byte) ([]jaegerTrace, error) {
	var d document
	if err := json.Unmarshal(content, &d); err != nil {
		return nil, fmt.Errorf("%s: not Jaeger's JSON: %w", name, err)
	}
	return d.Data, nil
}
