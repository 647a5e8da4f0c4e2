package discover

import (
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestParseResourceAttributes(t *testing.T) {
	tests := map[string]struct {
		text string
		want map[string]string
		err  string
	}{
		"empty":            {want: map[string]string{}},
		"one":              {text: "a=b", want: map[string]string{"a": "b"}},
		"spaces, trailing": {text: " a = b , c=d, ", want: map[string]string{"a": "b", "c": "d"}},
		"percent-encoded":  {text: "a%2Cb=c%3Dd%20%C3%A9", want: map[string]string{"a,b": "c=d é"}},
		"plus is a plus":   {text: "a=1+1", want: map[string]string{"a": "1+1"}},
		"'=' in the value": {text: "a=b=c", want: map[string]string{"a": "b=c"}},
		"empty value":      {text: "a=", want: map[string]string{"a": ""}},
		"last one counts":  {text: "a=1,a=2", want: map[string]string{"a": "2"}},
		"no '='":           {text: "a=b,c", err: `"c" has no '='`},
		"no key":           {text: "=b", err: "has no key"},
		"bad escape":       {text: "a=%zz", err: "invalid URL escape"},
		"not UTF-8":        {text: "a=%ff", err: "not UTF-8"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := parseResourceAttributes(test.text)
			if test.err != "" {
				require.ErrorContains(t, err, test.err)
				require.ErrorContains(t, err, resourceVariable)
				assert.Nil(t, got, "all are discarded")
				return
			}
			require.NoError(t, err)
			assert.Equal(t, test.want, got)
		})
	}
}

func FuzzParseResourceAttributes(f *testing.F) {
	for _, seed := range []string{"", "a=b,c=%20", "service.name=x,,=", "%,%=%"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		attributes, err := parseResourceAttributes(text)
		assert.Equal(t, err != nil, attributes == nil)
		for key, value := range attributes {
			assert.NotEmpty(t, key)
			assert.True(t, utf8.ValidString(key) && utf8.ValidString(value))
		}
	})
}
