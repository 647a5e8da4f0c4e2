package identity

import (
	"encoding/json"
	"fmt"
	"os"
	"testing"
)

const (
	// roleVariable makes the test binary act as one of the programs below.
	roleVariable = "SEQLINK_IDENTITY_ROLE"
	// optionsVariable holds the role's options in JSON.
	optionsVariable = "SEQLINK_IDENTITY_OPTIONS"
)

// roles are the programs that the tests start.
var roles = map[string]func(options []byte) error{
	"agent":    role(runAgent),
	"client":   role(runClient),
	"server":   role(runServer),
	"shuffler": role(runShuffler),
}

func TestMain(m *testing.M) {
	name := os.Getenv(roleVariable)
	if name == "" {
		os.Exit(m.Run())
	}
	if err := roles[name]([]byte(os.Getenv(optionsVariable))); err != nil {
		fmt.Fprintln(os.Stderr, name+":", err)
		os.Exit(1)
	}
}

// role decodes a program's options before it runs.
func role[T any](run func(T) error) func([]byte) error {
	return func(encoded []byte) error {
		var options T
		if err := json.Unmarshal(encoded, &options); err != nil {
			return err
		}
		return run(options)
	}
}
