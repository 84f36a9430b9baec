// Many clients, each with a connection of its own, upload with PutStream as fast as they can. Checks
// the answer of each. Prints how the calls ended, and fails unless all went well.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"sort"
	"start/new_stream/proto"
	"strconv"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
)

var (
	address  = flag.String("server", "127.0.0.1:50052", "the server")
	clients  = flag.Int("clients", 1000, "how many clients")
	duration = flag.Duration("for", 8*time.Second, "how long each sends")
	size     = flag.Int("size", 100, "the bytes of a message")
	topics   = flag.String("topics", "", "publish to a topic each, whose name begins so")
)

// upload sends until `end`; how many messages were acknowledged.
func upload(client int, end time.Time) (int, error) {
	creds := grpc.WithTransportCredentials(insecure.NewCredentials())
	conn, err := grpc.NewClient(*address, creds)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	ctx := context.Background()
	if *topics != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "topic", fmt.Sprint(*topics, client))
	}
	stream, err := proto.NewGreeterClient(conn).PutStream(ctx)
	if err != nil {
		return 0, err
	}
	message := &proto.StreamReqData{Data: strings.Repeat("x", *size)}
	sent := 0
	for time.Now().Before(end) {
		if err := stream.Send(message); errors.Is(err, io.EOF) {
			// The answer says why.
			break
		} else if err != nil {
			return 0, err
		}
		sent++
	}
	answer, err := stream.CloseAndRecv()
	if err != nil {
		return 0, err
	}
	received, err := count(answer.Data)
	if err == nil && received != sent {
		err = fmt.Errorf("%d of %d messages", received, sent)
	}
	return received, err
}

// count reads how many messages an answer acknowledges.
func count(answer string) (int, error) {
	if *topics == "" {
		return strconv.Atoi(answer)
	}
	var receipt struct{ Accepted int }
	err := json.Unmarshal([]byte(answer), &receipt)
	return receipt.Accepted, err
}

func main() {
	flag.Parse()
	var (
		running  sync.WaitGroup
		lock     sync.Mutex
		messages int
		failed   = map[string]int{}
	)
	end := time.Now().Add(*duration)
	for client := range *clients {
		running.Go(func() {
			received, err := upload(client, end)
			lock.Lock()
			defer lock.Unlock()
			messages += received
			if err != nil {
				failed[err.Error()]++
			}
		})
	}
	running.Wait()
	failures := 0
	kinds := make([]string, 0, len(failed))
	for why, count := range failed {
		failures += count
		kinds = append(kinds, fmt.Sprintf("%5d %s", count, why))
	}
	fmt.Printf("%d of %d clients failed, %d messages\n", failures, *clients, messages)
	sort.Sort(sort.Reverse(sort.StringSlice(kinds)))
	for _, kind := range kinds[:min(len(kinds), 10)] {
		fmt.Println(kind)
	}
	if failures > 0 {
		os.Exit(1)
	}
}
