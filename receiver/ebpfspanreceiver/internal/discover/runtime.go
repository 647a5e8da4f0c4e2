package discover

import (
	"math"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/capture"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/discover/goexe"
)

// goRuntime puts what is known of a Go program into the form the kernel side
// takes; nil where goroutines cannot be told apart, which makes the probe useless too.
func goRuntime(program *goexe.Program) *capture.GoRuntime {
	if program == nil || program.Goroutine == nil || !fits(program.Goroutine) {
		return nil
	}
	g := program.Goroutine
	target := &capture.GoRuntime{
		GOffset:          int32(g.TLSOffset),
		GoidOffset:       uint16(g.Goid),
		ParentGoidOffset: uint16(g.ParentGoid),
	}
	if trip := program.RoundTrip; trip != nil && trip.Conn <= math.MaxUint16 {
		target.ConnOffset = uint16(trip.Conn)
		target.RoundTrip = trip.FileOffset
	}
	if r := program.Ready; r != nil && r.M <= math.MaxUint16 && r.Curg <= math.MaxUint16 {
		target.MOffset, target.CurgOffset = uint16(r.M), uint16(r.Curg)
		target.Ready = r.FileOffset
	}
	for i, s := range program.Streams {
		if s != nil {
			target.Streams[i] = capture.GoStreams{Function: s.FileOffset, Conn: s.Conn, Via: s.Via, ID: s.ID}
		}
	}
	return target
}

func fits(g *goexe.Goroutine) bool {
	return g.TLSOffset >= math.MinInt32 && g.Goid <= math.MaxUint16 && g.ParentGoid <= math.MaxUint16
}
