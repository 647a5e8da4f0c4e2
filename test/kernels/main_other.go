//go:build !linux

// Command kernels boots Debian's kernels in QEMU; it runs on Linux only.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "kernels: it needs Debian's package tools and so Linux")
	os.Exit(2)
}
