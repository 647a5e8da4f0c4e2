// Command bulkgrpc is a gRPC server whose answers are long, and a client whose calls are.
//
//	bulkgrpc server PORT SIZE               answers each call with SIZE bytes, every tenth with NOT_FOUND
//	bulkgrpc client PORT SIZE N CONCURRENT  makes N calls of SIZE bytes, CONCURRENT at a time, on one connection
package main

import (
	"context"
	"fmt"
	"log"
	"net"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

const method = "/bulk.Bulk/number"

func main() {
	address, size := "127.0.0.1:"+os.Args[2], number(os.Args[3])
	if os.Args[1] == "server" {
		log.Fatal(serve(address, size))
	}
	if err := call(address, size, number(os.Args[4]), number(os.Args[5])); err != nil {
		log.Fatal(err)
	}
}

func number(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		log.Fatal(err)
	}
	return n
}

// fails tells whether a call is answered with NOT_FOUND.
func fails(i int) bool { return i%10 == 0 }

func serve(address string, size int) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	answer := wrapperspb.Bytes(make([]byte, size))
	handle := func(_ any, stream grpc.ServerStream) error {
		name, _ := grpc.MethodFromServerStream(stream)
		asked := &wrapperspb.BytesValue{}
		if err := stream.RecvMsg(asked); err != nil {
			return err
		}
		if fails(number(strings.TrimPrefix(name, method))) {
			return status.Error(codes.NotFound, "no such number")
		}
		return stream.SendMsg(answer)
	}
	return grpc.NewServer(grpc.UnknownServiceHandler(handle), grpc.MaxRecvMsgSize(1<<30)).Serve(listener)
}

func call(address string, size, n, concurrent int) error {
	connection, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(1<<30)))
	if err != nil {
		return err
	}
	asked := wrapperspb.Bytes(make([]byte, size))
	group, ctx := errgroup.WithContext(context.Background())
	group.SetLimit(concurrent)
	for i := range n {
		group.Go(func() error {
			err := connection.Invoke(ctx, fmt.Sprint(method, i), asked, &wrapperspb.BytesValue{})
			if fails(i) && status.Code(err) == codes.NotFound {
				return nil
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return connection.Close()
}
