// Command hello answers every HTTP request with one line: the smallest server that Go's
// net/http makes. It listens on the address that is its only argument.
package main

import (
	"fmt"
	"net/http"
	"os"
)

func main() {
	http.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "hello world") })
	fmt.Fprintln(os.Stderr, http.ListenAndServe(os.Args[1], nil)) //nolint:gosec // loopback, for seconds
	os.Exit(1)
}
