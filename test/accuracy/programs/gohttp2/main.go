// Command gohttp2 is a net/http service that makes one call for each request, by HTTP/2 without
// TLS: all calls share one connection. It answers HTTP/1 and HTTP/2. The token goes along in the query.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strings"
)

func main() {
	var both, second http.Protocols
	both.SetHTTP1(true)
	both.SetUnencryptedHTTP2(true)
	second.SetUnencryptedHTTP2(true)
	client := &http.Client{Transport: &http.Transport{Protocols: &second}}
	server := http.Server{Addr: os.Getenv("LISTEN"), Protocols: &both}
	server.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		truth := r.URL.Query().Get("truth")
		if err := call(r.Context(), client, truth); err != nil {
			log.Print(err)
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		fmt.Fprintf(w, "answer to %s\n", truth)
	})
	log.Fatal(server.ListenAndServe())
}

// call asks the next service, and checks that its answer is to this request.
func call(ctx context.Context, client *http.Client, truth string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+os.Getenv("NEXT")+"/call?truth="+truth, nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.ProtoMajor != 2 || !strings.Contains(string(body), truth) {
		return fmt.Errorf("%s was answered by %s with %q", truth, response.Proto, body)
	}
	return nil
}
