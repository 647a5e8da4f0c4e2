package identity

import (
	"slices"
	"strconv"
	"strings"
)

// counter finds a figure in /proc/net/snmp or /proc/net/netstat: pairs of lines, of
// which the first names what the second counts.
func counter(text, name string) (int, bool) {
	lines := strings.Split(text, "\n")
	for i := 0; i+1 < len(lines); i += 2 {
		names, values := strings.Fields(lines[i]), strings.Fields(lines[i+1])
		if at := slices.Index(names, name); at > 0 && at < len(values) {
			value, err := strconv.Atoi(values[at])
			return value, err == nil
		}
	}
	return 0, false
}
