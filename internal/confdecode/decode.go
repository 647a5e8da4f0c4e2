// Package confdecode fills component configurations with errors that a user can
// act on.
package confdecode

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/go-viper/mapstructure/v2"
	"go.opentelemetry.io/collector/confmap"
)

// invalidKeys is how mapstructure begins its error about keys that no field takes.
// It has no type of its own.
const invalidKeys = "has invalid keys: "

// Decode fills cfg, a pointer to a struct, from conf. Each mistake becomes one line
// that names the key, its value and what is allowed, where the Collector would
// spread it over several.
func Decode(conf *confmap.Conf, cfg any) error {
	if empty := emptyValues(conf, reflect.TypeOf(cfg)); len(empty) > 0 {
		return errors.Join(empty...)
	}
	err := conf.Unmarshal(cfg)
	if err == nil {
		return nil
	}
	var worded []error
	for _, leaf := range decodeErrors(err) {
		worded = append(worded, wordDecodeError(leaf, conf, reflect.TypeOf(cfg)))
	}
	if len(worded) == 0 {
		return err
	}
	return errors.Join(worded...)
}

// decodeErrors returns the innermost decode errors of err's tree.
func decodeErrors(err error) []*mapstructure.DecodeError {
	var found []*mapstructure.DecodeError
	switch wrapper := err.(type) { //nolint:errorlint // the tree is walked node by node
	case interface{ Unwrap() []error }:
		for _, each := range wrapper.Unwrap() {
			found = append(found, decodeErrors(each)...)
		}
	case interface{ Unwrap() error }:
		found = decodeErrors(wrapper.Unwrap())
	}
	var own *mapstructure.DecodeError
	if len(found) == 0 && errors.As(err, &own) {
		found = append(found, own)
	}
	return found
}

func wordDecodeError(err *mapstructure.DecodeError, conf *confmap.Conf, cfg reflect.Type) error {
	if keys, ok := strings.CutPrefix(err.Unwrap().Error(), invalidKeys); ok {
		return wordUnknownKeys(err.Name(), keys, cfg)
	}
	path := strings.ReplaceAll(err.Name(), ".", confmap.KeyDelimiter)
	if field := fieldType(cfg, err.Name()); field != nil {
		return fmt.Errorf("%s: %v is not %s", path, quoted(conf.Get(path)), wordType(field))
	}
	return fmt.Errorf("%s: %v: %s", path, quoted(conf.Get(path)), strings.ReplaceAll(err.Unwrap().Error(), "\n", " "))
}

// wordUnknownKeys names the keys that exist where the unknown ones were found.
func wordUnknownKeys(name, keys string, cfg reflect.Type) error {
	at := fieldType(cfg, name)
	if at == nil {
		at = cfg
	}
	return fmt.Errorf("unknown key %s; remove it or use one of %s", keys, strings.Join(knownKeys(at), ", "))
}

func quoted(value any) any {
	if s, ok := value.(string); ok {
		return fmt.Sprintf("%q", s)
	}
	return value
}

func wordType(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[time.Duration]():
		return "a duration; write a number with a unit, such as 200ms or 5s"
	case t.Kind() == reflect.Bool:
		return "a boolean; write true or false"
	case t.Kind() == reflect.String:
		return "a string; put it in quotes"
	case t.Kind() == reflect.Slice:
		return "a list; write [a, b]"
	case t.Kind() == reflect.Struct:
		return "a map; write one of its keys below it: " + strings.Join(knownKeys(t), ", ")
	default:
		return "a number; write digits without a unit"
	}
}

// fieldType follows a dotted path of keys through a struct, and returns nil where
// it leads nowhere.
func fieldType(t reflect.Type, path string) reflect.Type {
	for key := range strings.SplitSeq(path, ".") {
		if t = fieldOf(t, key); t == nil {
			return nil
		}
	}
	return t
}

func fieldOf(t reflect.Type, key string) reflect.Type {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return nil
	}
	for field := range fields(t) {
		if keyOf(field) == key {
			return field.Type
		}
	}
	return nil
}

func knownKeys(t reflect.Type) []string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	var keys []string
	for field := range fields(t) {
		keys = append(keys, keyOf(field))
	}
	slices.Sort(keys)
	return keys
}

func fields(t reflect.Type) func(yield func(reflect.StructField) bool) {
	return slices.Values(reflect.VisibleFields(t))
}

func keyOf(field reflect.StructField) string {
	key, _, _ := strings.Cut(field.Tag.Get("mapstructure"), ",")
	return key
}
