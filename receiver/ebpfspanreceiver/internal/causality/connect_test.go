package causality

import (
	"testing"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
)

// A request connects for one of its two calls, and is answered when the other one is, before the connection is there. What is
// written on it first is the request's own call, unless something that was just read leads to it: then a pool kept the
// connection for others.
func TestAnsweredBeforeItsConnectionIsThere(t *testing.T) {
	for name, kept := range map[string]bool{"its own call": false, "a pool's connection": true} {
		t.Run(name, func(t *testing.T) {
			l := loopOf(t, 2)
			l.turn++
			r := l.reads(inTurn(l.turn))
			connected := l.connects(inTurn(l.turn))
			answered := l.calls(inTurn(l.turn))
			l.turn++
			l.completes(answered, inTurn(l.turn))
			l.responds(r, inTurn(l.turn))

			var k *protocol.Exchange
			other, made := l.request(2, func() {
				l.turn++
				next := l.reads(inTurn(l.turn))
				if kept {
					k = l.begins(inTurn(l.turn), &protocol.Exchange{Connected: connected})
				}
				second := []*protocol.Exchange{l.calls(inTurn(l.turn))}
				if !kept {
					second = append(second, l.calls(inTurn(l.turn)))
					k = l.begins(inTurn(l.turn), &protocol.Exchange{Connected: connected})
				}
				l.turn++
				l.completes(k, inTurn(l.turn))
				for _, c := range second {
					l.turn++
					l.completes(c, inTurn(l.turn))
				}
				l.responds(next, inTurn(l.turn))
				if kept {
					r = next
				}
			})
			method := MethodConnect
			if kept {
				method = MethodLoop
			}
			l.linked(k, r, method)
			for _, c := range made {
				l.linked(c, other, MethodThread)
			}
		})
	}
}
