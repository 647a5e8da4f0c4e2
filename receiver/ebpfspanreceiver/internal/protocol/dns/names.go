package dns

import (
	"net/netip"
	"strconv"
	"strings"

	"golang.org/x/net/dns/dnsmessage"
)

// codes are the names of response codes, by IANA's registry "DNS RCODEs", up to what fits
// into a header.
var codes = [...]string{
	"NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED", "YXDOMAIN", "YXRRSET", "NXRRSET", "NOTAUTH", "NOTZONE",
}

// codeText is the name of a response code.
func codeText(c dnsmessage.RCode) string {
	if int(c) < len(codes) {
		return codes[c]
	}
	return "RCODE" + strconv.Itoa(int(c))
}

// types are names that dnsmessage does not have, by IANA's registry "Resource Record (RR) TYPEs".
var types = map[dnsmessage.Type]string{
	35: "NAPTR", 37: "CERT", 39: "DNAME", 43: "DS", 44: "SSHFP", 46: "RRSIG", 47: "NSEC", 48: "DNSKEY", 50: "NSEC3",
	51: "NSEC3PARAM", 52: "TLSA", 59: "CDS", 60: "CDNSKEY", 64: "SVCB", 65: "HTTPS", 251: "IXFR", 252: "AXFR", 255: "ANY", 257: "CAA",
}

// typeText is the name of a type. There are few: others are all called the same.
func typeText(t dnsmessage.Type) string {
	if name, ok := types[t]; ok {
		return name
	}
	if name, ok := strings.CutPrefix(t.String(), "Type"); ok {
		return name
	}
	return "OTHER"
}

// netipText is an address as text.
func netipText(b []byte) string {
	a, _ := netip.AddrFromSlice(b)
	return a.String()
}
