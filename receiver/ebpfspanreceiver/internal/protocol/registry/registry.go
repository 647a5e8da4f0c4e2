// Package registry lists the protocols that the receiver understands. It is
// apart from package protocol because every protocol imports that one.
package registry

import (
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/loss"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol/dns"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol/http1"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol/http2"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol/mysql"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol/postgresql"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol/redis"
)

// Options configures the protocols.
type Options struct {
	HTTP1      http1.Options
	HTTP2      http2.Options
	Redis      redis.Options
	PostgreSQL postgresql.Options
	MySQL      mysql.Options
	DNS        dns.Options
}

// All returns every protocol, in the order in which they are asked about a
// stream's first bytes. A new protocol is one line here.
func All(o Options, losses *loss.Counts) []protocol.Protocol {
	return []protocol.Protocol{
		http2.New(o.HTTP2, losses),
		http1.New(o.HTTP1, losses),
		redis.New(o.Redis, losses),
		postgresql.New(o.PostgreSQL, losses),
		mysql.New(o.MySQL, losses),
		dns.New(o.DNS, losses),
	}
}
