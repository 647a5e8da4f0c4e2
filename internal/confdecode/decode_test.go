package confdecode

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/confmap"
)

// nested has every kind of field that Decode words.
type nested struct {
	Name  string        `mapstructure:"name"`
	Wait  time.Duration `mapstructure:"wait"`
	Count int           `mapstructure:"count"`
	Inner inner         `mapstructure:"inner"`
}

type inner struct {
	All   bool     `mapstructure:"all"`
	Names []string `mapstructure:"names"`
}

func TestDecodeWordsMistakes(t *testing.T) {
	tests := []struct {
		name string
		conf map[string]any
		want []string
	}{
		{"unknown_key", map[string]any{"nmae": "x"}, []string{"unknown key nmae; remove it or use one of count, inner, name, wait"}},
		{"unknown_inner_key", map[string]any{"inner": map[string]any{"al": true}}, []string{"unknown key al; remove it or use one of all, names"}},
		{"number", map[string]any{"count": "many"}, []string{`count: "many" is not a number; write digits without a unit`}},
		{"duration", map[string]any{"wait": "soon"}, []string{`wait: "soon" is not a duration; write a number with a unit, such as 200ms or 5s`}},
		{"string", map[string]any{"name": 7}, []string{`name: 7 is not a string; put it in quotes`}},
		{"boolean", map[string]any{"inner": map[string]any{"all": "yes"}}, []string{`inner::all: "yes" is not a boolean; write true or false`}},
		{"list", map[string]any{"inner": map[string]any{"names": 7}}, []string{`inner::names: 7 is not a list; write [a, b]`}},
		{"map", map[string]any{"inner": 7}, []string{`inner: 7 is not a map; write one of its keys below it: all, names`}},
		{"empty_number", map[string]any{"count": ""}, []string{"count: the value is empty, which is not a number; write digits without a unit, or remove the key"}},
		{"empty_boolean", map[string]any{"inner": map[string]any{"all": nil}}, []string{"inner::all: the value is empty, which is not a boolean"}},
		{"empty_durations", map[string]any{"wait": "", "count": nil}, []string{"count: the value is empty", "wait: the value is empty, which is not a duration"}},
		{"two", map[string]any{"count": "many", "x": 1}, []string{`count: "many" is not a number`, "unknown key x"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := Decode(confmap.NewFromStringMap(tt.conf), &nested{})
			require.Error(t, err)
			lines := strings.Split(err.Error(), "\n")
			assert.Len(t, lines, len(tt.want), err.Error())
			for _, want := range tt.want {
				assert.Contains(t, err.Error(), want)
			}
		})
	}
}

func TestDecodeKeepsDefaults(t *testing.T) {
	cfg := &nested{Name: "default", Inner: inner{All: true}}
	require.NoError(t, Decode(confmap.NewFromStringMap(map[string]any{"count": 3, "inner": map[string]any{"names": []any{"a"}}}), cfg))
	assert.Equal(t, &nested{Name: "default", Count: 3, Inner: inner{All: true, Names: []string{"a"}}}, cfg)
}

// What may be empty keeps its meaning: no text, and the defaults of a map or list.
func TestDecodeTakesEmptyTextMapsAndLists(t *testing.T) {
	cfg := &nested{Name: "default", Inner: inner{All: true, Names: []string{"a"}}}
	require.NoError(t, Decode(confmap.NewFromStringMap(map[string]any{"name": "", "inner": nil}), cfg))
	assert.Equal(t, &nested{Inner: inner{All: true, Names: []string{"a"}}}, cfg)
}
