package tracetreeexporter

import "hash/fnv"

// style is the parameter of an SGR escape sequence (ECMA-48 8.3.117); empty is plain.
type style string

const (
	plain  style = ""
	bold   style = "1"
	faint  style = "2"
	red    style = "31"
	yellow style = "33"
)

// serviceStyles leaves out red and yellow, which mark faults.
var serviceStyles = []style{"36", "32", "34", "35", "96", "92", "94", "95"}

// serviceStyle gives a service the same colour in every trace.
func serviceStyle(service string) style {
	h := fnv.New32a()
	h.Write([]byte(service))
	return serviceStyles[h.Sum32()%uint32(len(serviceStyles))]
}

// painter applies styles, or none where colours are off.
type painter bool

func (p painter) paint(s style, text string) string {
	if !p || s == plain || text == "" {
		return text
	}
	return "\x1b[" + string(s) + "m" + text + "\x1b[0m"
}
