package ebpfspanreceiver

import (
	"os"
	"testing"

	"go.opentelemetry.io/collector/consumer/consumertest"
)

func TestZZ(t *testing.T) {
	var sink consumertest.TracesSink
	replay(t, os.Getenv("REC"), &sink)
	os.WriteFile("/tmp/h2probe/zz.txt", []byte(text(sink.AllTraces())), 0o644)
}
