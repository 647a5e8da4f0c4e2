package capture

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestOwnProbesAreToldFromOthers(t *testing.T) {
	assert.Equal(t, []string{"seqlink_00ff/r_tcp_recvmsg", "seqlink_01/r_tcp_sendmsg"}, ownProbes(
		"p:kprobes/p_tcp_recvmsg_0 tcp_recvmsg\n"+
			"r4096:seqlink_00ff/r_tcp_recvmsg tcp_recvmsg\n"+
			"r4096:ebpf_00ff/r_tcp_recvmsg tcp_recvmsg\n"+
			"r4096:seqlink_01/r_tcp_sendmsg tcp_sendmsg\n"+
			"garbage\n\n"))
}
