package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path"
	"time"
)

// serve is a service at the address args[0], which asks the one at args[1], if there is
// one, for the same path before it answers.
func serve(args []string) {
	client := &http.Client{Timeout: time.Minute}
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(args) > 1 {
			if err := ask(client, "http://"+args[1]+r.URL.Path); err != nil {
				http.Error(w, err.Error(), http.StatusBadGateway)
				return
			}
		}
		fmt.Fprintf(w, "done: %s\n", path.Base(r.URL.Path))
	})
	server := &http.Server{Addr: args[0], Handler: handler, ReadHeaderTimeout: time.Minute}
	fmt.Fprintln(os.Stderr, server.ListenAndServe())
	os.Exit(1)
}

// ask reads the whole answer, so that the connection can be used again.
func ask(client *http.Client, url string) error {
	response, err := client.Get(url)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body)
	return err
}
