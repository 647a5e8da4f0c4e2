package ebpfspanreceiver

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/capture"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/conn"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol/database"
)

func TestUnreadableIsReportedOnceForEachProgram(t *testing.T) {
	core, logs := observer.New(zap.InfoLevel)
	u := newUnreadable(map[uint32]*capture.Process{
		7: {PID: 7, Service: "shop", Executable: "psql"}, 8: {PID: 8, Service: "shop", Executable: "psql"},
		9: {PID: 9, Service: "shop", Executable: "psql", ContainerID: "c1"},
	}, zap.New(core))
	tls := database.Unreadable{Protocol: "postgresql", By: "TLS", Option: "sslmode=disable"}
	peer := netip.MustParseAddrPort("10.0.0.2:5432")
	for _, pid := range []uint32{7, 7, 8, 9, 10} {
		u.Unreadable(&conn.Conn{PID: pid, Remote: peer}, tls)
	}
	u.Unreadable(&conn.Conn{PID: 7}, database.Unreadable{Protocol: "mysql", By: "TLS"})
	var pids []any
	for _, entry := range logs.All() {
		assert.Equal(t, zap.WarnLevel, entry.Level)
		pids = append(pids, entry.ContextMap()["pid"])
	}
	assert.Equal(t, []any{uint32(7), uint32(9), uint32(10), uint32(7)}, pids, "8 is the same program as 7, 10 is not known")
	assert.Equal(t, map[string]any{
		"protocol": "postgresql", "hidden_by": "TLS", "option": "sslmode=disable", "pid": uint32(7),
		"executable": "psql", "service": "shop", "local": "invalid AddrPort", "peer": "10.0.0.2:5432",
	}, logs.All()[0].ContextMap())
}

func TestUnreadableIsBounded(t *testing.T) {
	core, logs := observer.New(zap.InfoLevel)
	processes := make(map[uint32]*capture.Process)
	u := newUnreadable(processes, zap.New(core))
	for pid := range uint32(2 * maxReported) {
		processes[pid] = &capture.Process{Executable: fmt.Sprint(pid)}
		u.Unreadable(&conn.Conn{PID: pid}, database.Unreadable{Protocol: "mysql", By: "TLS"})
	}
	assert.Equal(t, maxReported, logs.Len())
	assert.Len(t, u.reported, maxReported)
}
