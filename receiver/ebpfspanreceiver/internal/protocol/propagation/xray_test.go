package propagation

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
)

const (
	xrayRoot   = "5759e988-bd862e3fe1be46a994272793"
	xrayTrace  = "5759e988bd862e3fe1be46a994272793"
	xrayParent = "53995c3f42cd8ad8"
)

func TestXRay(t *testing.T) {
	const root, parent = "Root=1-" + xrayRoot, "Parent=" + xrayParent
	for name, c := range map[string]struct {
		value    string
		decision decision
	}{
		"the manual's example":  {root + ";" + parent + ";Sampled=1", keep},
		"not sampled":           {root + ";" + parent + ";Sampled=0", drop},
		"asks for a decision":   {root + ";" + parent + ";Sampled=?", none},
		"no decision":           {root + ";" + parent, none},
		"empty decision":        {root + ";" + parent + ";Sampled=", none},
		"unknown decision":      {root + ";" + parent + ";Sampled=true", none},
		"decisions disagree":    {root + ";" + parent + ";Sampled=1;Sampled=0", none},
		"another order":         {"Sampled=1;" + parent + ";" + root, keep},
		"white space":           {" " + root + " ; " + parent + ";\tSampled = 1 ", keep},
		"ends with a semicolon": {root + ";" + parent + ";Sampled=1;", keep},
		"capital digits":        {"Root=1-5759E988-BD862E3FE1BE46A994272793;Parent=53995C3F42CD8AD8", none},
		"load balancer":         {"Self=1-67891234-12456789abcdef0123456789;" + root + ";" + parent + ";Sampled=1", keep},
		"lambda":                {root + ";" + parent + ";Sampled=1;Lineage=a87bd80c:1|68fd508a:5|c512fbe3:2", keep},
		"part of another":       {root + ";CalledFrom=app;" + parent + ";ParentX=1;RootX", none},
	} {
		want := contextOf(t, "xray", xrayTrace, xrayParent, c.decision)
		assert.Equal(t, []protocol.TraceContext{want}, Extract(list{{"X-Amzn-Trace-Id", c.value}}), name)
		assert.Equal(t, []protocol.TraceContext{want}, Extract(list{{"x-amzn-trace-id", c.value}}), name)
	}
}

func TestXRayInvalid(t *testing.T) {
	const root, parent = "Root=1-" + xrayRoot, "Parent=" + xrayParent
	for name, value := range map[string]string{
		"empty":                  "",
		"only separators":        ";;=;",
		"no parent":              root + ";Sampled=1",
		"no parent, self":        "Self=1-67891234-12456789abcdef0123456789;" + root,
		"no root":                parent + ";Sampled=1",
		"empty parent":           root + ";Parent=;Sampled=1",
		"short parent":           root + ";Parent=53995c3f42cd8ad",
		"long parent":            root + ";Parent=053995c3f42cd8ad8",
		"parent of zero":         root + ";Parent=0000000000000000;Sampled=0",
		"parent with a letter":   root + ";Parent=g3995c3f42cd8ad8",
		"two parents":            root + ";" + parent + ";" + parent,
		"two roots":              root + ";" + root + ";" + parent,
		"root of zero":           "Root=1-00000000-000000000000000000000000;" + parent,
		"root, version 2":        "Root=2-" + xrayRoot + ";" + parent,
		"root, no version":       "Root=" + xrayRoot + ";" + parent,
		"root, no dash":          "Root=1-" + xrayTrace + ";" + parent,
		"root, dash misplaced":   "Root=1-5759e988b-d862e3fe1be46a994272793;" + parent,
		"root, a digit less":     "Root=1-" + xrayRoot[:32] + ";" + parent,
		"root, a digit more":     "Root=1-" + xrayRoot + "0;" + parent,
		"root, a part more":      "Root=1-" + xrayRoot + "-0;" + parent,
		"root with a letter":     "Root=1-g" + xrayRoot[1:] + ";" + parent,
		"separated by commas":    root + "," + parent,
		"a trace id of another":  "00-" + xrayTrace + "-" + xrayParent + "-01",
		"names in another case":  "root=1-" + xrayRoot + ";parent=" + xrayParent,
		"root in place of names": "1-" + xrayRoot + ";" + xrayParent,
	} {
		assert.Empty(t, Extract(list{{"x-amzn-trace-id", value}}), name)
	}
	whole := root + ";" + parent
	assert.Empty(t, Extract(list{{"x-amzn-trace-id", whole}, {"X-Amzn-Trace-Id", whole}}), "two of them")
}
