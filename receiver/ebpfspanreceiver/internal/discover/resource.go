package discover

import (
	"fmt"
	"net/url"
	"strings"
	"unicode/utf8"

	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
)

const (
	resourceVariable = "OTEL_RESOURCE_ATTRIBUTES"
	serviceAttribute = string(semconv.ServiceNameKey)
)

// parseResourceAttributes reads the value of OTEL_RESOURCE_ATTRIBUTES:
// comma-separated key=value pairs, percent-encoded. As the OpenTelemetry
// specification asks (Resource SDK, "Specifying resource information via an
// environment variable"), one pair that cannot be decoded discards them all.
func parseResourceAttributes(text string) (map[string]string, error) {
	attributes := map[string]string{}
	for pair := range strings.SplitSeq(text, ",") {
		if strings.TrimSpace(pair) == "" {
			continue
		}
		key, value, err := parsePair(pair)
		if err != nil {
			return nil, fmt.Errorf("%s: %w; write key=value pairs separated by commas, with other characters percent-encoded", resourceVariable, err)
		}
		attributes[key] = value
	}
	return attributes, nil
}

func parsePair(pair string) (key, value string, err error) {
	key, value, found := strings.Cut(pair, "=")
	if !found {
		return "", "", fmt.Errorf("%q has no '='", pair)
	}
	if key, err = decode(key); err != nil {
		return "", "", err
	}
	if key == "" {
		return "", "", fmt.Errorf("%q has no key", pair)
	}
	value, err = decode(value)
	return key, value, err
}

func decode(text string) (string, error) {
	decoded, err := url.PathUnescape(strings.TrimSpace(text))
	if err != nil {
		return "", err
	}
	if !utf8.ValidString(decoded) {
		return "", fmt.Errorf("%q is not UTF-8", decoded)
	}
	return decoded, nil
}
