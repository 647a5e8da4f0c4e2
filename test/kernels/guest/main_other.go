//go:build !linux

// Command guest is the first program of a virtual machine; it runs on Linux only.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "this is the first program of a virtual Linux machine: run `make kernels` on Linux")
	os.Exit(1)
}
