package confdecode

import (
	"fmt"
	"reflect"
	"slices"

	"go.opentelemetry.io/collector/confmap"
)

// emptyValues returns an error for each key below conf that is written without a
// value and is neither a string nor a map or list: the Collector reads a number
// without a value, which an environment variable that is set to nothing is, as 0.
func emptyValues(conf *confmap.Conf, cfg reflect.Type) []error {
	var found []error
	walkEmpty(conf.ToStringMap(), cfg, "", func(path string, field reflect.Type) {
		found = append(found, fmt.Errorf("%s: the value is empty, which is not %s, or remove the key for its default; an environment variable set to nothing has to be unset",
			path, wordType(field)))
	})
	return found
}

func walkEmpty(values map[string]any, cfg reflect.Type, prefix string, report func(path string, field reflect.Type)) {
	keys := make([]string, 0, len(values))
	for key := range values {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		field := fieldOf(cfg, key)
		if field == nil {
			continue
		}
		if below, ok := values[key].(map[string]any); ok {
			walkEmpty(below, field, prefix+key+confmap.KeyDelimiter, report)
		}
		if (values[key] == nil || values[key] == "") && needsValue(field) {
			report(prefix+key, field)
		}
	}
}

// needsValue reports whether nothing is no value of t: it is for a string, and the
// Collector keeps the defaults of a map or list that is written without one.
func needsValue(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Bool, reflect.Int, reflect.Int32, reflect.Int64, reflect.Uint, reflect.Uint32, reflect.Uint64, reflect.Float64:
		return true
	default:
		return false
	}
}
