package ebpfspanreceiver

import (
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/pdata/pcommon"
)

// replayAttribute is the attribute of the status that tells of a replay, replayEnded its value once the next consumer has
// taken the spans of the whole recording. The collector runs on, so nothing else tells it.
const (
	replayAttribute = "seqlink.replay"
	replayEnded     = "ended"
)

// replayed is the status of a receiver that has played its recording to the end.
func replayed() *componentstatus.Event {
	attributes := pcommon.NewMap()
	attributes.PutStr(replayAttribute, replayEnded)
	return componentstatus.NewEvent(componentstatus.StatusOK, componentstatus.WithAttributes(attributes))
}
