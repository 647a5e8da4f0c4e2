package http1

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/conn"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol/protocoltest"
)

func TestQuery(t *testing.T) {
	const query = "id=7&name=a=b&flag&empty=&Token=s3cret&page=2&&next=http%3A%2F%2Fu%3Ap%40h%2F"
	show, hide := []string{"page", "id", "next"}, []string{"token", "NAME"}
	for name, c := range map[string]struct {
		query Query
		want  string
	}{
		"nothing said": {Query{}, "id=REDACTED&name=REDACTED&REDACTED&empty=REDACTED&Token=REDACTED&page=REDACTED&&next=REDACTED"},
		"redact":       {NewQuery(QueryRedact, nil, hide), "id=REDACTED&name=REDACTED&REDACTED&empty=REDACTED&Token=REDACTED&page=REDACTED&&next=REDACTED"},
		"redact, some": {NewQuery(QueryRedact, show, nil), "id=7&name=REDACTED&REDACTED&empty=REDACTED&Token=REDACTED&page=2&&next=REDACTED"},
		"keep":         {NewQuery(QueryKeep, nil, hide), "id=7&name=REDACTED&flag&empty=&Token=REDACTED&page=2&&next=REDACTED"},
		"drop":         {NewQuery(QueryDrop, show, nil), ""},
	} {
		assert.Equal(t, c.want, c.query.Apply([]byte(query)), name)
		assert.Empty(t, c.query.Apply(nil), name)
	}
	keep := NewQuery(QueryKeep, nil, []string{"token", "X-Amz-Signature"})
	for query, want := range map[string]string{
		"%74oken=s3cret":         "%74oken=REDACTED",
		"x-amz-signature=s3cret": "x-amz-signature=REDACTED",
		"bad%zzname=s3cret":      "bad%zzname=REDACTED",
		"a=bad%zzvalue":          "a=REDACTED",
		"https://u:p@h/x":        "https://REDACTED:REDACTED@h/x",
		"a=\xff":                 "a=\uFFFD",
	} {
		assert.Equal(t, want, keep.Apply([]byte(query)), query)
	}
}

func TestCredentials(t *testing.T) {
	for text, want := range map[string]string{
		"":                                "",
		"/a/b@c":                          "/a/b@c",
		"http://h/x@y":                    "http://h/x@y",
		"http://u:p@h/x":                  "http://REDACTED:REDACTED@h/x",
		"http://u@h":                      "http://REDACTED:REDACTED@h",
		"/fetch/https://u:p@ss@h:1/x?y":   "/fetch/https://REDACTED:REDACTED@h:1/x?y",
		"a://b:c@d e://f:g@h":             "a://REDACTED:REDACTED@d e://REDACTED:REDACTED@h",
		"bot (+http://u:p@h/) (me@there)": "bot (+http://REDACTED:REDACTED@h/) (me@there)",
		"://@":                            "://REDACTED:REDACTED@",
		"://":                             "://",
	} {
		assert.Equal(t, want, Credentials(text), text)
		assert.Equal(t, want, Credentials(want), "nothing is left to hide")
	}
}

// Wherever in a request a secret stands, no attribute tells it.
func TestNoSecretLeaves(t *testing.T) {
	const secret = "hunter2"
	for name, head := range map[string]string{
		"query":                 "GET /x?password=" + secret + " HTTP/1.1\r\nHost: h\r\n",
		"query without a name":  "GET /x?" + secret + " HTTP/1.1\r\nHost: h\r\n",
		"absolute target":       "GET http://user:" + secret + "@h/x HTTP/1.1\r\nHost: h\r\n",
		"proxied target":        "GET /http://user:" + secret + "@h/x HTTP/1.1\r\nHost: h\r\n",
		"connect":               "CONNECT user:" + secret + "@h:443 HTTP/1.1\r\nHost: h\r\n",
		"host":                  "GET /x HTTP/1.1\r\nHost: user:" + secret + "@h\r\n",
		"agent":                 "GET /x HTTP/1.1\r\nHost: h\r\nUser-Agent: bot http://u:" + secret + "@h/\r\n",
		"authorization":         "GET /x HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer " + secret + "\r\n",
		"proxy authorization":   "GET /x HTTP/1.1\r\nHost: h\r\nProxy-Authorization: Basic " + secret + "\r\n",
		"cookie":                "GET /x HTTP/1.1\r\nHost: h\r\nCookie: session=" + secret + "\r\n",
		"key":                   "GET /x HTTP/1.1\r\nHost: h\r\nX-Api-Key: " + secret + "\r\n",
		"referer":               "GET /x HTTP/1.1\r\nHost: h\r\nReferer: http://h/?token=" + secret + "\r\n",
		"trailing body":         "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 7\r\n",
		"unknown header fields": "GET /x HTTP/1.1\r\nHost: h\r\n" + secret + ": " + secret + "\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, everything)
			body := ""
			if strings.HasPrefix(head, "POST") {
				body = secret
			}
			f.received(head + "\r\n" + body)
			f.sent("HTTP/1.1 200 OK\r\nSet-Cookie: session=" + secret + "\r\nLocation: http://h/?token=" + secret +
				"\r\nContent-Length: 7\r\n\r\n" + secret)
			f.close(conn.EOF)
			for _, e := range f.sink.exchanges {
				assert.NotContains(t, e.Name+e.ErrorMessage, secret)
				for key, value := range protocoltest.AttributesOf(e).All() {
					assert.NotContains(t, value.AsString(), secret, key)
				}
			}
			assert.NotEmpty(t, f.sink.exchanges)
		})
	}
}

func FuzzCredentials(f *testing.F) {
	f.Add("https://u:p@h/x?y=http://a:b@c")
	f.Fuzz(func(t *testing.T, text string) {
		once := Credentials(text)
		if Credentials(once) != once {
			t.Fatalf("%q became %q, and then something else", text, once)
		}
	})
}
