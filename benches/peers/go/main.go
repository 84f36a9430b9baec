// Hub is measuring gear: the same minimal hub on what a user would pick instead
// of this crate, here Go and grpc-go. It serves the Greeter's three calls on
// topics in memory, to whoever names one in the request metadata.
//
//	go build -o /tmp/go-hub . && /tmp/go-hub --listen 127.0.0.1:0
//
// It is what one writes by hand first, but well: grpc-go with its defaults, a
// goroutine a subscriber, a mutex and a channel a topic.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"math"
	"net"
	"strconv"
	"sync"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"start/new_stream/proto"
)

const (
	retention = 100_000 // how many messages a topic keeps
	readAhead = 64      // how many a subscriber takes at a time
)

// A topic is a log; its subscribers are cursors and share the one copy of each message.
type topic struct {
	name, epoch string

	mu    sync.Mutex
	ring  []*proto.StreamResData // the message at offset n is at n % retention
	next  uint64                 // the offset of the next message
	grown chan struct{}          // closed by the next append; nil while nobody waits for it
}

// append adds a message and returns its offset.
func (t *topic) append(data string) uint64 {
	message := &proto.StreamResData{Data: data}
	t.mu.Lock()
	offset, grown := t.next, t.grown
	if offset < retention {
		t.ring = append(t.ring, message)
	} else {
		t.ring[offset%retention] = message
	}
	t.next, t.grown = offset+1, nil
	t.mu.Unlock()
	if grown != nil {
		close(grown)
	}
	return offset
}

// read takes messages from an offset on into buf, up to its capacity. If they
// are the last, it returns a channel that the next append closes, too.
func (t *topic) read(offset uint64, buf []*proto.StreamResData) ([]*proto.StreamResData, <-chan struct{}, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if offset < t.earliest() {
		return nil, nil, t.outOfRange(offset)
	}
	for ; offset < t.next; offset++ {
		if len(buf) == cap(buf) {
			return buf, nil, nil
		}
		buf = append(buf, t.ring[offset%retention])
	}
	if t.grown == nil {
		t.grown = make(chan struct{})
	}
	return buf, t.grown, nil
}

// find is the offset that the metadata `from` means.
func (t *topic) find(from string) (uint64, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch from {
	case "", "latest":
		return t.next, nil
	case "earliest":
		return t.earliest(), nil
	}
	offset, err := strconv.ParseUint(from, 10, 64)
	if err != nil {
		return 0, status.Errorf(codes.InvalidArgument, "`from` %q is not latest, earliest or an offset", from)
	}
	if offset < t.earliest() || offset > t.next {
		return 0, t.outOfRange(offset)
	}
	return offset, nil
}

// earliest is the offset of the oldest message that is kept; t.mu is held.
func (t *topic) earliest() uint64 { return t.next - uint64(len(t.ring)) }

// outOfRange says which offsets there are instead; t.mu is held.
func (t *topic) outOfRange(offset uint64) error {
	s := status.Newf(codes.OutOfRange, "topic %s has no offset %d: its earliest is %d and its next %d",
		t.name, offset, t.earliest(), t.next)
	detailed, err := s.WithDetails(&errdetails.ErrorInfo{
		Reason: "NO_SUCH_OFFSET",
		Domain: "greeter-stream",
		Metadata: map[string]string{
			"topic": t.name, "epoch": t.epoch,
			"earliest": fmt.Sprint(t.earliest()), "next": fmt.Sprint(t.next),
		},
	})
	if err != nil {
		return err
	}
	return detailed.Err()
}

// feed sends the messages from an offset on: for ever, or up to the log's end if
// it is not to follow, or up to the end of when received yields io.EOF.
func (t *topic) feed(stream grpc.ServerStream, next uint64, follow bool, received <-chan error) error {
	end := uint64(math.MaxUint64)
	buf := make([]*proto.StreamResData, 0, readAhead)
	more := make(chan struct{})
	close(more)
	for next < end {
		messages, grown, err := t.read(next, buf)
		if err != nil {
			return err
		}
		for _, message := range messages {
			if err := stream.SendMsg(message); err != nil {
				return err
			}
		}
		next += uint64(len(messages))
		if grown == nil {
			grown = more
		} else if !follow {
			return nil
		}
		select {
		case <-grown:
		case err := <-received:
			if err != io.EOF {
				return err
			}
			if end, err = t.find("latest"); err != nil {
				return err
			}
		case <-stream.Context().Done():
			return stream.Context().Err()
		}
	}
	return nil
}

// A hub serves the Greeter's calls.
type hub struct {
	epoch  string
	mu     sync.Mutex
	topics map[string]*topic
}

// topic is the one that a call names; it comes into being when it is first named.
func (h *hub) topic(ctx context.Context) (*topic, error) {
	name := value(ctx, "topic")
	if name == "" {
		return nil, status.Error(codes.InvalidArgument, "metadata `topic` is missing")
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.topics[name] == nil {
		h.topics[name] = &topic{name: name, epoch: h.epoch}
	}
	return h.topics[name], nil
}

// value is the call's metadata at a key, or empty.
func value(ctx context.Context, key string) string {
	if values := metadata.ValueFromIncomingContext(ctx, key); len(values) > 0 {
		return values[0]
	}
	return ""
}

// subscribe tells the client at once where its messages start.
func (h *hub) subscribe(stream grpc.ServerStream) (t *topic, next uint64, err error) {
	if t, err = h.topic(stream.Context()); err != nil {
		return nil, 0, err
	}
	if next, err = t.find(value(stream.Context(), "from")); err != nil {
		return nil, 0, err
	}
	return t, next, stream.SendHeader(metadata.Pairs("epoch", t.epoch, "offset", fmt.Sprint(next)))
}

func (h *hub) GetStream(_ *proto.StreamReqData, stream grpc.ServerStreamingServer[proto.StreamResData]) error {
	follow := value(stream.Context(), "follow")
	if follow != "" && follow != "true" && follow != "false" {
		return status.Errorf(codes.InvalidArgument, "`follow` %q is neither true nor false", follow)
	}
	t, next, err := h.subscribe(stream)
	if err != nil {
		return err
	}
	return t.feed(stream, next, follow != "false", nil)
}

func (h *hub) PutStream(stream grpc.ClientStreamingServer[proto.StreamReqData, proto.StreamResData]) error {
	t, err := h.topic(stream.Context())
	if err != nil {
		return err
	}
	receipt := struct {
		Topic      string  `json:"topic"`
		Epoch      string  `json:"epoch"`
		First      *uint64 `json:"first"`
		Last       *uint64 `json:"last"`
		Accepted   uint64  `json:"accepted"`
		Duplicates uint64  `json:"duplicates"`
	}{Topic: t.name, Epoch: t.epoch}
	for {
		req, err := stream.Recv()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		offset := t.append(req.GetData())
		if receipt.Accepted++; receipt.Accepted == 1 {
			receipt.First, receipt.Last = new(offset), new(offset)
		}
		*receipt.Last = offset
	}
	data, err := json.Marshal(receipt)
	if err != nil {
		return err
	}
	return stream.SendAndClose(&proto.StreamResData{Data: string(data)})
}

func (h *hub) AllStream(stream grpc.BidiStreamingServer[proto.StreamReqData, proto.StreamResData]) error {
	t, next, err := h.subscribe(stream)
	if err != nil {
		return err
	}
	received := make(chan error, 1)
	go func() {
		for {
			req, err := stream.Recv()
			if err != nil {
				received <- err
				return
			}
			t.append(req.GetData())
		}
	}()
	return t.feed(stream, next, true, received)
}

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "serve on this `address`")
	flag.Parse()
	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("listening on", listener.Addr())
	server := grpc.NewServer()
	epoch := fmt.Sprintf("%016x", time.Now().UnixNano())
	proto.RegisterGreeterServer(server, &hub{epoch: epoch, topics: make(map[string]*topic)})
	log.Fatal(server.Serve(listener))
}
