// Command leaf is the last service of every workload: it answers after a random delay,
// so that answers overtake each other, and repeats the token that it was asked with.
package main

import (
	"fmt"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"strings"
	"time"
)

func main() {
	delay, err := time.ParseDuration(os.Getenv("DELAY"))
	if err != nil {
		log.Fatalf("DELAY: %v", err)
	}
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	server := http.Server{Protocols: &protocols, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		serve(w, r, time.Duration(rand.Int64N(int64(delay))))
	})}
	failed := make(chan error)
	for address := range strings.SplitSeq(os.Getenv("LISTEN"), ",") {
		listener, err := net.Listen("tcp", address)
		if err != nil {
			log.Fatal(err)
		}
		go func() { failed <- server.Serve(listener) }()
	}
	log.Fatal(<-failed)
}

// serve answers late, with slow=1 by 5 ms at least; with fail=1 it refuses.
func serve(w http.ResponseWriter, r *http.Request, late time.Duration) {
	query := r.URL.Query()
	if query.Get("slow") == "1" {
		late = max(late, 5*time.Millisecond)
	}
	time.Sleep(late)
	if query.Get("fail") == "1" {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	fmt.Fprintf(w, "%s answers %s\n", r.URL.Path, query.Get("truth"))
}
