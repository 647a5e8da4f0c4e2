package propagation

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
)

const (
	// javaSW8 is a header as the Java agent writes it. Its ids are
	// a4ec6fc8ccab4bb4b682064698cc97e6.74.16218381104550009 and, for the segment,
	// the same with an 8 at the end.
	javaSW8 = "1-YTRlYzZmYzhjY2FiNGJiNGI2ODIwNjQ2OThjYzk3ZTYuNzQuMTYyMTgzODExMDQ1NTAwMDk=-" +
		"YTRlYzZmYzhjY2FiNGJiNGI2ODIwNjQ2OThjYzk3ZTYuNzQuMTYyMTgzODExMDQ1NTAwMDg=-2-" +
		"b25lbW9yZS1h-ZTFkMmZiYjYzYmJhNDMwNDk5YWY4OTVjMDQwZTMyZmVAMTkyLjE2OC4xLjEwMQ==-" +
		"L29uZW1vcmUtYS9nZXQ=-MTkyLjE2OC4xLjEwMjo4MA=="

	swUUID    = "de5980b8-fce3-4a37-aab9-b4ac3af7eedd"
	swDigits  = "de5980b8fce34a37aab9b4ac3af7eedd"
	swSegment = "4f2f27748b8e44ecaf18fe0347194e86.33.16560607369950066"
)

// sw8 makes a header with the given sample flag, trace id, parent segment id and
// parent span id.
func sw8(sample, traceID, segmentID, spanID string) string {
	encode := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	return strings.Join([]string{
		sample, encode(traceID), encode(segmentID), spanID,
		encode("shop"), encode("shop-1"), encode("/orders"), encode("127.0.0.1:80"),
	}, "-")
}

// The numbers for the ids without a comment are those in the Collector's own test,
// skywalkingproto_to_traces_test.go.
func TestSkyWalking(t *testing.T) {
	const normal = "e9c455a82542306a" // segment swSegment, span 123
	for name, c := range map[string]struct {
		fields          list
		traceID, spanID string
		decision        decision
	}{
		"trace id of 36": {list{{"sw8", sw8("1", swUUID, swSegment, "123")}}, swDigits, normal, keep},
		"trace id of 32": {list{{"sw8", sw8("1", swDigits, swSegment, "123")}}, swDigits, normal, keep},
		"not sampled":    {list{{"sw8", sw8("0", swUUID, swSegment, "123")}}, swDigits, normal, drop},
		"capitals":       {list{{"SW8", sw8("1", strings.ToUpper(swUUID), swSegment, "123")}}, swDigits, normal, keep},
		"white space":    {list{{"Sw8", "\t" + sw8("1", swUUID, swSegment, "123") + " "}}, swDigits, normal, keep},
		"java trace id": {
			list{{"sw8", sw8("1", swDigits+".1.16563474296430001", swSegment, "123")}},
			"de5980b8fde34a371be41bcd5e2fd4dd", normal, keep,
		},
		"segment id of 32": {
			list{{"sw8", sw8("1", swUUID, "4f2f27748b8e44ecaf18fe0347194e86", "123")}},
			swDigits, "9b37d977cc970a6a", keep,
		},
		// The Collector stops at the first dash.
		"segment id of 36": {list{{"sw8", sw8("1", swUUID, swUUID, "123")}}, swDigits, "de5980b800000000", keep},
		// Computed with the Collector's functions.
		"whole header of a java agent": {
			list{{"sw8", javaSW8}}, "a4ec6fc886ab4bb4cf12975a1052aee6", "68fef89296f9e552", keep,
		},
		"a dash in the address": {
			list{{"sw8", sw8("1", swUUID, swSegment, "123") + "-more"}}, swDigits, normal, keep,
		},
	} {
		want := contextOf(t, "skywalking", c.traceID, c.spanID, c.decision)
		assert.Equal(t, []protocol.TraceContext{want}, Extract(c.fields), name)
	}
}

// The spans of one segment differ by their number, and segments by each of theirs.
func TestSkyWalkingIDsDiffer(t *testing.T) {
	seen := map[[8]byte]bool{}
	add := func(segment, span string) {
		found := Extract(list{{"sw8", sw8("1", swUUID, segment, span)}})
		if assert.Len(t, found, 1) {
			seen[found[0].SpanID] = true
		}
	}
	for _, span := range []string{"0", "1", "256", "2147483647"} {
		add(swSegment, span)
	}
	add(strings.TrimSuffix(swSegment, "6")+"7", "0")
	add(strings.Replace(swSegment, ".33.", ".34.", 1), "0")
	assert.Len(t, seen, 6-1, "segment ...66 with span 1 is segment ...67 with span 0, as in the Collector")
}

func TestSkyWalkingInvalid(t *testing.T) {
	zero := strings.Repeat("0", 32)
	header := strings.Split(sw8("1", swUUID, swSegment, "123"), "-")
	for name, value := range map[string]string{
		"empty":                         "",
		"seven parts":                   strings.Join(header[:7], "-"),
		"unknown sample flag":           sw8("2", swUUID, swSegment, "123"),
		"no sample flag":                sw8("", swUUID, swSegment, "123"),
		"no base64, trace id":           strings.Replace(javaSW8, "1-YT", "1-*T", 1),
		"no base64, segment id":         strings.Replace(javaSW8, "=-YT", "=-*T", 1),
		"empty trace id":                sw8("1", "", swSegment, "123"),
		"short trace id":                sw8("1", "de59", swSegment, "123"),
		"trace id of 31 digits":         sw8("1", swDigits[1:], swSegment, "123"),
		"trace id with a letter":        sw8("1", "g"+swDigits[1:], swSegment, "123"),
		"trace id, dash misplaced":      sw8("1", "de5980b8f-ce3-4a37-aab9-b4ac3af7eedd", swSegment, "123"),
		"trace id, word":                sw8("1", "N/A", swSegment, "123"),
		"trace id, dashes and numbers":  sw8("1", swUUID+".12.16563474296430001", swSegment, "123"),
		"trace id, one number":          sw8("1", swDigits+".16563474296430001", swSegment, "123"),
		"trace id, three numbers":       sw8("1", swDigits+".1.2.16563474296430001", swSegment, "123"),
		"trace id, no number":           sw8("1", swDigits+".x.16563474296430001", swSegment, "123"),
		"trace id, number of 65 bits":   sw8("1", swDigits+".1.18446744073709551616", swSegment, "123"),
		"trace id of zero":              sw8("1", zero, swSegment, "123"),
		"trace id of zero with numbers": sw8("1", zero+".00.00", swSegment, "123"),
		"empty segment id":              sw8("1", swUUID, "", "123"),
		"short segment id":              sw8("1", swUUID, "16560607369950066", "12"),
		"segment id with a letter":      sw8("1", swUUID, strings.Replace(swSegment, "f", "g", 1), "123"),
		"segment id, only a dot":        sw8("1", swUUID, swDigits+".", "123"),
		"segment id, one number":        sw8("1", swUUID, swDigits+".1", "123"),
		"segment id, dashes, letter":    sw8("1", swUUID, strings.Replace(swUUID, "d", "g", 1), "123"),
		"segment id, longer digits":     sw8("1", swUUID, swDigits+"0.1.2", "123"),
		"span id of zero":               sw8("1", swUUID, zero, "0"),
		"no span id":                    sw8("1", swUUID, swSegment, ""),
		"hexadecimal span id":           sw8("1", swUUID, swSegment, "a"),
		"no parent span":                sw8("1", swUUID, swSegment, "+1"),
		"span id of 32 bits":            sw8("1", swUUID, swSegment, "2147483648"),
	} {
		assert.Empty(t, Extract(list{{"sw8", value}}), name)
	}
	assert.Empty(t, Extract(list{{"sw8", javaSW8}, {"SW8", javaSW8}}), "two of them")
	assert.Empty(t, Extract(list{{"sw6", javaSW8}, {"sw8-x", "0-1"}, {"sw8-correlation", "YQ==:Yg=="}}), "other fields")
}
