// Sends its arguments after the first to the server that the first names, with PutStream, and
// prints the answer. The original client never waits for one.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"start/new_stream/proto"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

func main() {
	creds := grpc.WithTransportCredentials(insecure.NewCredentials())
	conn, err := grpc.NewClient(os.Args[1], creds)
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	stream, err := proto.NewGreeterClient(conn).PutStream(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	for _, data := range os.Args[2:] {
		if err := stream.Send(&proto.StreamReqData{Data: data}); err != nil {
			log.Fatal(err)
		}
	}
	answer, err := stream.CloseAndRecv()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(answer.Data)
}
