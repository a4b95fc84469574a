// Package chrome drives Chromium through its DevTools protocol, as far as the tests of our pages need it: start it, open
// tabs, call a method, hear events.
//
// The protocol is spoken over a pair of pipes (--remote-debugging-pipe), one JSON message and a zero byte at a time: no port
// that others could connect to, and a browser that ends by itself when the test does, however it does.
// The methods and events are described at https://chromedevtools.github.io/devtools-protocol.
package chrome

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"time"
)

// farewell is how long a browser may take to end when asked to.
const farewell = 5 * time.Second

// ErrGone is what calls end with when the browser has ended.
var ErrGone = errors.New("chrome: the browser has ended")

// Browser is a running Chromium. Its methods and those of its tabs may be called from any goroutine.
type Browser struct {
	process *exec.Cmd
	profile string // folder of this run; removed with it
	out     *os.File
	in      *os.File
	gone    chan struct{} // closed when the browser no longer talks

	writing sync.Mutex // one message at a time

	mu      sync.Mutex // guards what follows
	last    int
	waiting map[int]chan message
	tabs    map[string]*Tab // by session
}

// message is a call, its answer, or an event.
type message struct {
	ID      int             `json:"id,omitempty"`
	Session string          `json:"sessionId,omitempty"`
	Method  string          `json:"method,omitempty"`
	Params  json.RawMessage `json:"params,omitempty"`
	Result  json.RawMessage `json:"result,omitempty"`
	Error   *Error          `json:"error,omitempty"`
}

// Error is the browser's refusal of a call.
type Error struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
	Data    string `json:"data,omitempty"`
}

func (e *Error) Error() string {
	if e.Data == "" {
		return e.Message
	}
	return e.Message + ": " + e.Data
}

// Start runs a program without a window and with a profile of its own; flags are added to those it needs for that.
func Start(ctx context.Context, program string, flags ...string) (*Browser, error) {
	profile, err := os.MkdirTemp("", "hutong-chrome-")
	if err != nil {
		return nil, err
	}
	b := &Browser{profile: profile, gone: make(chan struct{}), waiting: map[int]chan message{}, tabs: map[string]*Tab{}}
	if err := b.run(program, flags); err != nil {
		return nil, errors.Join(fmt.Errorf("chrome: %s does not start: %w", program, err), os.RemoveAll(profile))
	}
	go b.read()
	if err := b.call(ctx, "", "Browser.getVersion", nil, nil); err != nil {
		return nil, errors.Join(fmt.Errorf("chrome: %s does not talk: %w", program, err), b.Close())
	}
	return b, nil
}

// run starts the process. It reads calls from its file 3 and writes answers to its file 4.
func (b *Browser) run(program string, flags []string) error {
	theirIn, out, err := os.Pipe()
	if err != nil {
		return err
	}
	defer theirIn.Close()
	in, theirOut, err := os.Pipe()
	if err != nil {
		return errors.Join(err, out.Close())
	}
	defer theirOut.Close()
	b.process = exec.Command(program, append([]string{
		"--headless", "--remote-debugging-pipe", "--user-data-dir=" + b.profile, "--no-first-run", "--no-default-browser-check",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
		"--disable-gpu", "--disable-quic", "--disable-dev-shm-usage",
	}, flags...)...)
	b.process.ExtraFiles = []*os.File{theirIn, theirOut}
	if err := b.process.Start(); err != nil {
		return errors.Join(err, out.Close(), in.Close())
	}
	b.out, b.in = out, in
	return nil
}

// Close ends the browser and removes its profile.
func (b *Browser) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), farewell)
	defer cancel()
	// one that does not hear is ended below
	_ = b.call(ctx, "", "Browser.close", nil, nil)
	select {
	case <-b.gone:
	case <-ctx.Done():
		_ = b.process.Process.Kill()
	}
	// how it ended says nothing about the pages
	_ = b.process.Wait()
	return errors.Join(b.out.Close(), b.in.Close(), removed(b.profile))
}

// removed removes a folder that the browser's last child may still be writing to.
func removed(folder string) (err error) {
	for end := time.Now().Add(farewell); time.Now().Before(end); time.Sleep(farewell / 100) {
		if err = os.RemoveAll(folder); err == nil {
			return nil
		}
	}
	return err
}

// read hands answers to who waits and events to their tabs, until the browser ends.
func (b *Browser) read() {
	defer close(b.gone)
	for reader := bufio.NewReader(b.in); ; {
		text, err := reader.ReadBytes(0)
		if err != nil {
			if !errors.Is(err, io.EOF) && !errors.Is(err, os.ErrClosed) {
				fmt.Fprintln(os.Stderr, "chrome:", err)
			}
			return
		}
		var m message
		if err := json.Unmarshal(text[:len(text)-1], &m); err != nil {
			fmt.Fprintln(os.Stderr, "chrome: a message that cannot be read:", err)
			return
		}
		b.mu.Lock()
		answer, tab := b.waiting[m.ID], b.tabs[m.Session]
		delete(b.waiting, m.ID)
		b.mu.Unlock()
		switch {
		case m.ID != 0 && answer != nil:
			answer <- m
		case m.Method != "" && tab != nil:
			tab.heard(m.Method, m.Params)
		}
	}
}

// call calls a method of a session, or of the browser itself, and waits for the answer.
func (b *Browser) call(ctx context.Context, session, method string, params, result any) error {
	m := message{Session: session, Method: method}
	if params != nil {
		raw, err := json.Marshal(params)
		if err != nil {
			return err
		}
		m.Params = raw
	}
	answer := make(chan message, 1)
	b.mu.Lock()
	b.last++
	m.ID = b.last
	b.waiting[m.ID] = answer
	b.mu.Unlock()
	defer func() {
		b.mu.Lock()
		delete(b.waiting, m.ID)
		b.mu.Unlock()
	}()
	if err := b.write(m); err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	select {
	case m = <-answer:
	case <-b.gone:
		return fmt.Errorf("%s: %w", method, ErrGone)
	case <-ctx.Done():
		return fmt.Errorf("%s: %w", method, ctx.Err())
	}
	if m.Error != nil {
		return fmt.Errorf("%s: %w", method, m.Error)
	}
	if result == nil {
		return nil
	}
	return json.Unmarshal(m.Result, result)
}

func (b *Browser) write(m message) error {
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	b.writing.Lock()
	defer b.writing.Unlock()
	_, err = b.out.Write(append(text, 0))
	return err
}
