package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The traces and the method are the same everywhere, so is the result.
func TestHotel(t *testing.T) {
	traces, err := readTraces("testdata")
	if err != nil {
		t.Fatal(err)
	}
	if len(traces) != 60 {
		t.Fatalf("%d traces, want 60", len(traces))
	}
	for _, want := range []struct {
		compress, right, whole, calibration float64
	}{
		{1, 1, 1, 0.03},
		{4, 1, 1, 0.03},
		{16, 0.98, 0.93, 0.03},
	} {
		c := score(traces, want.compress, replayer{})
		if c.Links != 300 {
			t.Errorf("×%v: %d links, want 300", want.compress, c.Links)
		}
		if c.Right < want.right || c.Whole < want.whole || c.Calibration > want.calibration {
			t.Errorf("×%v: right %v, whole traces %v, calibration error %v", want.compress, c.Right, c.Whole, c.Calibration)
		}
	}
}

func TestToldLinksAreNotScored(t *testing.T) {
	traces, err := readTraces("testdata")
	if err != nil {
		t.Fatal(err)
	}
	c := score(traces, 16, replayer{exact: 0.5})
	if c.Links < 100 || c.Links > 200 {
		t.Errorf("%d of 300 links are scored, want about half", c.Links)
	}
}

// The parent of a call is found through spans in between, but not in another process.
func TestTruth(t *testing.T) {
	const doc = `{"data":[{"traceID":"1","processes":{"p1":{"serviceName":"a"},"p2":{"serviceName":"b"}},"spans":[
		{"spanID":"s","operationName":"serve","startTime":10,"duration":90,"processID":"p1","tags":[{"key":"span.kind","value":"server"}]},
		{"spanID":"i","operationName":"work","startTime":20,"duration":60,"processID":"p1","references":[{"refType":"CHILD_OF","spanID":"s"}]},
		{"spanID":"c","operationName":"call","startTime":30,"duration":10,"processID":"p1","tags":[{"key":"span.kind","value":"client"}],"references":[{"refType":"CHILD_OF","spanID":"i"}]},
		{"spanID":"o","operationName":"call","startTime":30,"duration":10,"processID":"p2","tags":[{"key":"span.kind","value":"client"}],"references":[{"refType":"CHILD_OF","spanID":"s"}]}
	]}]}`
	traces, err := parse("doc", []byte(doc))
	if err != nil {
		t.Fatal(err)
	}
	processes := facts(traces, 1)
	if len(processes) != 2 {
		t.Fatalf("%d processes, want 2", len(processes))
	}
	a, b := processes[0].spans, processes[1].spans
	if len(a) != 2 || !a[1].call || a[1].truth != a[0] {
		t.Errorf("the call's parent is %+v", a[1].truth)
	}
	if len(b) != 1 || b[0].truth != nil {
		t.Errorf("the other process' call has a parent")
	}
}

func TestErrorsSayWhatIsWanted(t *testing.T) {
	broken := t.TempDir()
	if err := os.WriteFile(filepath.Join(broken, "x.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "out.json")
	for _, c := range []struct{ path, compress, want string }{
		{"", "1", "TRACES="},
		{"testdata", "1,x", "COMPRESS"},
		{"testdata", "-1", "COMPRESS"},
		{broken, "1", "x.json"},
		{t.TempDir(), "1", "no trace"},
		{"/does/not/exist", "1", "/does/not/exist"},
	} {
		err := run(c.path, c.compress, out, replayer{})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("run(%q, %q) = %v, want %q in it", c.path, c.compress, err, c.want)
		}
	}
}
