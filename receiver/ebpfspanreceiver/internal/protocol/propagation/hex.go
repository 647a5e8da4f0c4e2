package propagation

import "encoding/hex"

// hexID fills id, right-aligned, from 1 to 2*len(id) hexadecimal digits of either
// case, and reports whether it is not zero.
func hexID(id []byte, s string) bool {
	if s == "" || len(s) > 2*len(id) {
		return false
	}
	if len(s)%2 == 1 {
		s = "0" + s
	}
	if _, err := hex.Decode(id[len(id)-len(s)/2:], []byte(s)); err != nil {
		return false
	}
	for _, b := range id {
		if b != 0 {
			return true
		}
	}
	return false
}

// only returns the value of the one field called name; none and several are nothing.
func only(f Fields, name string) (string, bool) {
	values := f.Values(name)
	if len(values) != 1 {
		return "", false
	}
	return trim(values[0]), true
}
