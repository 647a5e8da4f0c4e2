// Command go-orders is one of the demo's services. It answers GET /orders/ID, after
// asking the next service for /inventory/ID where there is one.
package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"time"
)

type orders struct {
	// next is the address of the next service, or empty.
	next   string
	client *http.Client
}

func main() {
	listen := flag.String("listen", os.Getenv("LISTEN"), "address to listen on (or the variable LISTEN)")
	next := flag.String("next", os.Getenv("NEXT"), "address of the next service (or the variable NEXT); none if empty")
	flag.Parse()
	service := &orders{next: *next, client: &http.Client{
		Timeout:   30 * time.Second,
		Transport: &http.Transport{MaxIdleConnsPerHost: 64},
	}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /orders/{id}", service.order)
	server := &http.Server{
		Addr:              cmp.Or(*listen, "127.0.0.1:8081"),
		Handler:           mux,
		ReadHeaderTimeout: time.Minute,
	}
	log.Fatal(server.ListenAndServe())
}

func (o *orders) order(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	if o.next == "" {
		fmt.Fprintf(w, "order %s\n", id)
		return
	}
	status, stock, err := o.inventory(r, id)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	w.WriteHeader(status)
	fmt.Fprintf(w, "order %s: %s", id, stock)
}

// inventory asks the next service, and reads the answer whole so that the
// connection can be used again.
func (o *orders) inventory(r *http.Request, id string) (status int, body []byte, err error) {
	request, err := http.NewRequestWithContext(r.Context(), http.MethodGet, "http://"+o.next+"/inventory/"+id, nil)
	if err != nil {
		return 0, nil, fmt.Errorf("make the request for the inventory: %w", err)
	}
	response, err := o.client.Do(request)
	if err != nil {
		return 0, nil, fmt.Errorf("ask for the inventory: %w", err)
	}
	body, err = io.ReadAll(response.Body)
	return response.StatusCode, body, errors.Join(err, response.Body.Close())
}
