//go:build !linux

package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "accuracy: it traces with BPF and so needs Linux")
	os.Exit(2)
}
