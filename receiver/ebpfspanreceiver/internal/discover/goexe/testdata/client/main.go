// Command client uses net/http's client.
package main

import (
	"net/http"
	"os"
)

func main() {
	response, err := http.Get(os.Args[1])
	if err == nil {
		_ = response.Body.Close()
	}
}
