package connector

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/go-openapi/jsonpointer"
)

// HTTP is a department's own service that answers JSON to GET requests.
type HTTP struct {
	URL     string `yaml:"url"`                // https address; definitions' paths are added to it
	Header  string `yaml:"header,omitempty"`   // that the secret travels in; Authorization if absent
	Prefix  string `yaml:"prefix,omitempty"`   // before the secret: "Bearer "
	Secret  Secret `yaml:"secret,omitempty"`   // absent where the service asks for none
	TLSRoot string `yaml:"tls_root,omitempty"` // PEM file; the system's roots if absent
	TLSCert string `yaml:"tls_cert,omitempty"` // PEM file, with tls_key: the certificate the gateway shows (mutual TLS)
	TLSKey  string `yaml:"tls_key,omitempty"`  // PEM file
}

// MaxAnswerBytes bounds an answer of a department's service.
const MaxAnswerBytes = 1 << 20

// maxPathBytes bounds the path of a request with its values.
const maxPathBytes = 4 << 10

var (
	placeholderForm = regexp.MustCompile(`\{([^{}]*)\}`)
	headerForm      = regexp.MustCompile(`^[A-Za-z0-9-]{1,64}$`)
)

// check checks what the file says.
func (h HTTP) check() error {
	var errs []error
	address, err := url.Parse(h.URL)
	switch {
	case err != nil || address.Host == "" || address.User != nil || address.RawQuery != "" || address.Fragment != "":
		errs = append(errs, errors.New("source.http.url: must be https://host/path, without a user, a query or a fragment"))
	case address.Scheme != "https" && (address.Scheme != "http" || !loopback(address.Hostname())):
		errs = append(errs, errors.New("source.http.url: must be https unless the service is on this machine"))
	}
	if h.Header != "" && (!headerForm.MatchString(h.Header) || !h.Secret.given()) {
		errs = append(errs, errors.New("source.http.header: must be a header's name, with a secret"))
	}
	if (h.TLSCert == "") != (h.TLSKey == "") {
		errs = append(errs, errors.New("source.http.tls_cert: must be given together with tls_key"))
	}
	return errors.Join(append(errs, h.Secret.check("source.http.secret"))...)
}

func loopback(host string) bool { return host == "localhost" || net.ParseIP(host).IsLoopback() }

// service is a department's service.
type service struct {
	base   string
	header string
	secret string
	client *http.Client
}

func openHTTP(h HTTP) (*service, error) {
	s := &service{base: strings.TrimRight(h.URL, "/"), header: h.Header}
	if s.header == "" {
		s.header = "Authorization"
	}
	secret, err := h.Secret.read()
	if err != nil {
		return nil, fmt.Errorf("source.http.secret: %w", err)
	}
	if secret != "" {
		s.secret = h.Prefix + secret
	}
	settings := &tls.Config{MinVersion: tls.VersionTLS12}
	if h.TLSRoot != "" {
		text, err := os.ReadFile(h.TLSRoot)
		if err != nil {
			return nil, fmt.Errorf("source.http.tls_root: %w", err)
		}
		if settings.RootCAs = x509.NewCertPool(); !settings.RootCAs.AppendCertsFromPEM(text) {
			return nil, errors.New("source.http.tls_root: has no certificate")
		}
	}
	if h.TLSCert != "" {
		own, err := tls.LoadX509KeyPair(h.TLSCert, h.TLSKey)
		if err != nil {
			return nil, fmt.Errorf("source.http.tls_cert: %w", err)
		}
		settings.Certificates = []tls.Certificate{own}
	}
	s.client = &http.Client{
		Transport: &http.Transport{
			TLSClientConfig: settings, DialContext: (&net.Dialer{Timeout: connectTimeout}).DialContext, TLSHandshakeTimeout: connectTimeout,
			MaxConnsPerHost: maxConnections, MaxIdleConnsPerHost: maxConnections, IdleConnTimeout: idleTime, ForceAttemptHTTP2: true,
		},
		// The secret and the particulars go where the definition says and nowhere else.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return s, nil
}

func (s *service) Close() error {
	s.client.CloseIdleConnections()
	return nil
}

// check has nothing to find out: what a service has cannot be asked for without asking for somebody.
func (s *service) check(context.Context, Definition) error { return nil }

func (s *service) describe(r request) string { return "GET " + s.base + r.of.From }

// read asks for the record. 404, null and an empty list are no record.
func (s *service) read(ctx context.Context, r request) ([][]any, error) {
	path, ok := fill(r.of.From, r.where)
	if !ok {
		return nil, nil // a value that cannot be part of a path is nobody's
	}
	ask, err := http.NewRequestWithContext(ctx, http.MethodGet, s.base+path, nil)
	if err != nil {
		return nil, errors.New("the address cannot be asked for") // the error would quote it
	}
	ask.Header.Set("Accept", "application/json")
	if s.secret != "" {
		ask.Header.Set(s.header, s.secret)
	}
	answer, err := s.client.Do(ask)
	if err != nil {
		var quoting *url.Error
		if errors.As(err, &quoting) {
			err = quoting.Err
		}
		return nil, err
	}
	defer func() { _ = answer.Body.Close() }() // it has been read, or it is given up
	switch answer.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound, http.StatusGone, http.StatusNoContent:
		return nil, nil
	default:
		return nil, fmt.Errorf("status %d", answer.StatusCode)
	}
	text, err := io.ReadAll(io.LimitReader(answer.Body, MaxAnswerBytes+1))
	if err != nil {
		return nil, err
	}
	if len(text) > MaxAnswerBytes {
		return nil, fmt.Errorf("an answer of more than %d bytes", MaxAnswerBytes)
	}
	return pick(text, r)
}

// fill puts the values into a path's placeholders, escaped for where they stand. ok is false for one that would change the
// path itself.
func fill(template string, values []condition) (path string, ok bool) {
	before, _, _ := strings.Cut(template, "?")
	ok = true
	var b strings.Builder
	last := 0
	for _, at := range placeholderForm.FindAllStringSubmatchIndex(template, -1) {
		name := template[at[2]:at[3]]
		i := slices.IndexFunc(values, func(c condition) bool { return c.place == name })
		if i < 0 {
			return "", false // validate does not let it come here
		}
		value := fmt.Sprint(values[i].value)
		b.WriteString(template[last:at[0]])
		if at[0] < len(before) {
			ok = ok && value != "" && value != "." && value != ".."
			b.WriteString(url.PathEscape(value))
		} else {
			b.WriteString(url.QueryEscape(value))
		}
		last = at[1]
	}
	b.WriteString(template[last:])
	return b.String(), ok && b.Len() <= maxPathBytes
}

// pick takes the columns of the records out of an answer.
func pick(text []byte, r request) ([][]any, error) {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	var document any
	if err := dec.Decode(&document); err != nil {
		return nil, errors.New("the answer is not JSON") // the error may quote it
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("the answer is more than one JSON document")
	}
	document = at(document, r.of.Records)
	records, several := document.([]any)
	if document != nil && !several {
		records = []any{document}
	}
	found := make([][]any, 0, len(records))
	for _, record := range records {
		if len(found) == r.limit {
			break
		}
		if _, isObject := record.(map[string]any); !isObject {
			return nil, errors.New("a record is not a JSON object")
		}
		if !fits(record, r) {
			continue
		}
		values := make([]any, len(r.columns))
		for i, column := range r.columns {
			values[i] = plain(at(record, column))
		}
		found = append(found, values)
	}
	return found, nil
}

// fits says whether a record has the values it was asked for by, as far as it tells them: a service that searches, or that
// does not heed a parameter, gives nobody another's record.
func fits(record any, r request) bool {
	for _, c := range r.where {
		field, told := r.of.Fields[c.field.Name]
		if !told {
			continue
		}
		has, ok := Convert(field.translate(plain(at(record, field.Column))), c.field.Type)
		if wants, _ := Convert(c.value, c.field.Type); !ok || has != wants {
			return false
		}
	}
	return true
}

// at follows a JSON pointer (RFC 6901); nil where it leads nowhere.
func at(document any, pointer string) any {
	if pointer == "" {
		return document
	}
	p, err := jsonpointer.New(pointer)
	if err != nil {
		return nil
	}
	value, _, err := p.Get(document)
	if err != nil {
		return nil
	}
	return value
}

// plain gives a JSON value as a database would: a number as an integer where it is one.
func plain(value any) any {
	n, ok := value.(json.Number)
	if !ok {
		return value
	}
	if whole, err := n.Int64(); err == nil {
		return whole
	}
	if f, err := n.Float64(); err == nil {
		return f
	}
	return n.String()
}
