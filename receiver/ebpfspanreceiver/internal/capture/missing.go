package capture

import "fmt"

// MissingError says which privilege or kernel feature is missing and what cures it.
type MissingError struct {
	// What is missing, as a noun phrase.
	What string
	// Cure is what the user can do about it.
	Cure string
	// Err is the kernel's own answer, if there was one.
	Err error
}

// Error implements error on one line.
func (e *MissingError) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("missing %s: %s", e.What, e.Cure)
	}
	return fmt.Sprintf("missing %s: %s (%v)", e.What, e.Cure, e.Err)
}

// Unwrap returns the kernel's answer.
func (e *MissingError) Unwrap() error { return e.Err }
