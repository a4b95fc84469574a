package browser

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// record is what happened in a tab. The browser tells it on a goroutine of its own.
type record struct {
	mu       sync.Mutex
	requests []request
	wrong    []string
}

// request is what is of interest of one that the browser sent.
type request struct {
	Method string `json:"method"`
	URL    string `json:"url"`
}

// heard takes an event of the tab.
func (r *record) heard(method string, params json.RawMessage) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch method {
	case "Network.requestWillBeSent":
		var e struct {
			Request request `json:"request"`
		}
		r.decode(params, &e)
		r.requests = append(r.requests, e.Request)
	case "Runtime.consoleAPICalled":
		var e struct {
			Type string          `json:"type"`
			Args json.RawMessage `json:"args"`
		}
		r.decode(params, &e)
		if e.Type == "error" || e.Type == "warning" || e.Type == "assert" {
			r.complain("console: %s", e.Args)
		}
	case "Runtime.exceptionThrown":
		r.complain("exception: %s", params)
	case "Log.entryAdded":
		var e struct {
			Entry struct{ Source, Level, Text, URL string } `json:"entry"`
		}
		r.decode(params, &e)
		if e.Entry.Level == "error" || e.Entry.Level == "warning" {
			r.complain("%s: %s %s", e.Entry.Source, e.Entry.Text, e.Entry.URL)
		}
	case "Audits.issueAdded": // what the browser's own panel of issues lists: policy, forms, cookies, deprecations
		r.complain("issue: %s", params)
	}
}

func (r *record) decode(params json.RawMessage, event any) {
	if err := json.Unmarshal(params, event); err != nil {
		r.complain("an event that cannot be read: %v", err)
	}
}

func (r *record) complain(format string, args ...any) {
	r.wrong = append(r.wrong, fmt.Sprintf(format, args...))
}

// complaints are the errors and warnings so far.
func (r *record) complaints() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.wrong)
}

// sent are the requests so far.
func (r *record) sent() []request {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.requests)
}

// refused is how the browser notes an answer of 400 and above: it is no fault of a page that shows the answer.
func refused(status int, path string) func(string) bool {
	return func(line string) bool {
		return strings.HasPrefix(line, "network: Failed to load resource") && strings.Contains(line, fmt.Sprint("status of ", status)) && strings.HasSuffix(line, path)
	}
}

// unexpected are the complaints but those that a test has caused on purpose; each of these must be there.
func (r *record) unexpected(expected ...func(string) bool) (wrong []string) {
	seen := make([]bool, len(expected))
	for _, line := range r.complaints() {
		i := slices.IndexFunc(expected, func(is func(string) bool) bool { return is(line) })
		if i < 0 {
			wrong = append(wrong, line)
			continue
		}
		seen[i] = true
	}
	for i, ok := range seen {
		if !ok {
			wrong = append(wrong, fmt.Sprintf("expected complaint %d did not come", i+1))
		}
	}
	return wrong
}

// hosts are those that anything was asked of.
func (r *record) hosts() []string {
	var hosts []string
	for _, request := range r.sent() {
		u, err := url.Parse(request.URL)
		if err != nil {
			hosts = append(hosts, "unreadable address")
			continue
		}
		if u.Scheme != "data" && u.Scheme != "about" {
			hosts = append(hosts, u.Scheme+"://"+u.Host)
		}
	}
	slices.Sort(hosts)
	return slices.Compact(hosts)
}
