package resttest

import (
	"bytes"
	"io"
	"net/http"
	"strings"
)

// streamMedia is the media type of answers that go on; only their head is checked.
const streamMedia = "text/event-stream"

// Handler serves as another does and reports what breaks the document.
func (d *Document) Handler(next http.Handler, report func(error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := keep(&r.Body)
		answer := &recorder{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(answer, r)
		if r.Context().Err() != nil { // the caller left, and got no answer
			return
		}
		e := Exchange{Method: r.Method, URL: r.URL, Header: r.Header, Body: body.Bytes(), Status: answer.status, Answer: w.Header(), Content: answer.kept.Bytes()}
		if _, err := d.Check(e); err != nil {
			report(err)
		}
	})
}

// keep reads a body while it is read.
func keep(body *io.ReadCloser) *bytes.Buffer {
	kept := new(bytes.Buffer)
	if *body != nil {
		*body = struct {
			io.Reader
			io.Closer
		}{io.TeeReader(*body, kept), *body}
	}
	return kept
}

// recorder keeps what is answered.
type recorder struct {
	http.ResponseWriter
	status int
	kept   bytes.Buffer
}

func (r *recorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(p []byte) (int, error) {
	if !strings.HasPrefix(r.Header().Get("Content-Type"), streamMedia) {
		r.kept.Write(p)
	}
	return r.ResponseWriter.Write(p)
}

// Flush sends what an answer that goes on has said so far.
func (r *recorder) Flush() { _ = http.NewResponseController(r.ResponseWriter).Flush() }

// Unwrap lets http.ResponseController reach the writer.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// Transport sends as another does and reports what breaks the document.
func (d *Document) Transport(next http.RoundTripper, report func(error)) http.RoundTripper {
	return transport{d, next, report}
}

type transport struct {
	document *Document
	next     http.RoundTripper
	report   func(error)
}

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	sent := r.Clone(r.Context())
	body := keep(&sent.Body)
	response, err := t.next.RoundTrip(sent)
	if err != nil || strings.HasPrefix(response.Header.Get("Content-Type"), streamMedia) {
		return response, err
	}
	content, err := io.ReadAll(response.Body)
	response.Body.Close()
	if err != nil {
		return nil, err
	}
	response.Body = io.NopCloser(bytes.NewReader(content))
	e := Exchange{Method: r.Method, URL: r.URL, Header: r.Header, Body: body.Bytes(), Status: response.StatusCode, Answer: response.Header, Content: content}
	if _, err := t.document.Check(e); err != nil {
		t.report(err)
	}
	return response, nil
}
