package client

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Limits of a followed stream.
const (
	// MaxMessageBytes bounds one line of a stream.
	MaxMessageBytes = 1 << 20
	// StreamSilence is how long nothing may come before the connection is given up; a gateway speaks every 15 s.
	StreamSilence = time.Minute
	// StreamRetry is the wait before coming back where the gateway has not said another.
	StreamRetry = time.Second
)

// ordinary is what a message without a name is called.
const ordinary = "message"

// Message is one message of a stream.
type Message struct {
	ID   string // of the last message that had one: where to go on from
	Name string // "message" for the ordinary kind
	Data json.RawMessage
}

// Stream follows one connection's server-sent events until the gateway ends it (no error), ctx ends, or it breaks. after
// is the id of the last message that was seen; empty begins as the path says.
func (c *Client) Stream(ctx context.Context, path, after string) iter.Seq2[Message, error] {
	return func(yield func(Message, error) bool) {
		if err := c.stream(ctx, path, &stream{last: after}, func(m Message) bool { return yield(m, nil) }); err != nil {
			yield(Message{}, err)
		}
	}
}

// Follow follows a stream and comes back to it, with the id of the last message, whenever it ends or breaks, until ctx
// ends or the gateway refuses. What the caller has been given is never given again.
func (c *Client) Follow(ctx context.Context, path, after string) iter.Seq2[Message, error] {
	return func(yield func(Message, error) bool) {
		s := &stream{last: after, retry: StreamRetry}
		for {
			going := true
			err := c.stream(ctx, path, s, func(m Message) bool {
				going = yield(m, nil)
				return going
			})
			if !going {
				return
			}
			if p := new(Problem); errors.As(err, &p) && p.Status < http.StatusInternalServerError && p.Status != http.StatusTooManyRequests {
				yield(Message{}, err)
				return
			}
			select {
			case <-ctx.Done():
				yield(Message{}, ctx.Err())
				return
			case <-time.After(s.retry):
			}
		}
	}
}

// stream is what is remembered from one connection to the next.
type stream struct {
	last  string
	retry time.Duration
}

// stream reads one connection's messages. It ends without an error if the gateway ended it, or take wants no more.
func (c *Client) stream(ctx context.Context, path string, s *stream, take func(Message) bool) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	silence := time.AfterFunc(StreamSilence, func() { cancel(errors.New("client: the stream is silent")) })
	defer silence.Stop()
	r, err := c.request(ctx, http.MethodGet, path, nil, http.Header{"Accept": {"text/event-stream, application/problem+json"}})
	if err != nil {
		return err
	}
	if s.last != "" {
		r.Header.Set("Last-Event-ID", s.last)
	}
	endless := *c.http
	endless.Timeout = 0
	response, err := endless.Do(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		body, err := io.ReadAll(io.LimitReader(response.Body, MaxMessageBytes))
		if err != nil {
			return err
		}
		return problemOf(response, body)
	}
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, MaxMessageBytes)
	var m Message
	for lines.Scan() {
		silence.Reset(StreamSilence)
		if lines.Text() != "" {
			s.field(&m, lines.Text())
			continue
		}
		if len(m.Data) > 0 {
			m.ID = s.last
			if m.Name == "" {
				m.Name = ordinary
			}
			if !take(m) {
				return nil
			}
		}
		m = Message{}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("client: the stream broke: %w", err)
	}
	return nil
}

// field reads one line (HTML Living Standard, section 9.2.6).
func (s *stream) field(m *Message, line string) {
	name, value, _ := strings.Cut(line, ":")
	value = strings.TrimPrefix(value, " ")
	switch name {
	case "id":
		s.last = value
	case "event":
		m.Name = value
	case "data":
		if len(m.Data) > 0 {
			m.Data = append(m.Data, '\n')
		}
		m.Data = append(m.Data, value...)
	case "retry":
		if ms, err := strconv.Atoi(value); err == nil && ms >= 0 {
			s.retry = min(time.Duration(ms)*time.Millisecond, MaxWait)
		}
	}
}

// FollowAs is Follow for messages of the ordinary kind, decoded; others, such as checkpoints, are left out.
func FollowAs[T any](ctx context.Context, c *Client, path, after string) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for m, err := range c.Follow(ctx, path, after) {
			var v T
			if err == nil && m.Name != ordinary {
				continue
			}
			if err == nil {
				err = json.Unmarshal(m.Data, &v)
			}
			if !yield(v, err) || err != nil {
				return
			}
		}
	}
}
