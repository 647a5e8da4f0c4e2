// Command streams contains gRPC's client and server and the servers of both HTTP/2 libraries.
package main

import (
	"context"
	"log"
	"net"
	"net/http"

	"golang.org/x/net/http2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	go func() { log.Print(grpc.NewServer().Serve(listener)) }()
	client, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		log.Fatal(err)
	}
	log.Print(client.Invoke(context.Background(), "/a.B/C", nil, nil))
	near, _ := net.Pipe()
	new(http2.Server).ServeConn(near, nil)
	log.Print(http.ListenAndServe("127.0.0.1:0", nil))
}
