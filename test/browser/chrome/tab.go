package chrome

import (
	"context"
	"encoding/json"
)

// Object is a call's parameters.
type Object = map[string]any

// Tab is one page, in a browser context of its own: it shares no storage with others.
type Tab struct {
	browser *Browser
	session string
	target  string
	context string
	heard   func(method string, params json.RawMessage)
}

// Open opens an empty tab. Every event of the tab is given to heard, one at a time, on the goroutine that reads from the
// browser: heard must not call the browser.
func (b *Browser) Open(ctx context.Context, heard func(method string, params json.RawMessage)) (*Tab, error) {
	t := &Tab{browser: b, heard: heard}
	var created struct {
		Context string `json:"browserContextId"`
		Target  string `json:"targetId"`
	}
	if err := b.call(ctx, "", "Target.createBrowserContext", Object{"disposeOnDetach": true}, &created); err != nil {
		return nil, err
	}
	if err := b.call(ctx, "", "Target.createTarget", Object{"url": "about:blank", "browserContextId": created.Context}, &created); err != nil {
		return nil, err
	}
	t.context, t.target = created.Context, created.Target
	var attached struct {
		Session string `json:"sessionId"`
	}
	if err := b.call(ctx, "", "Target.attachToTarget", Object{"targetId": t.target, "flatten": true}, &attached); err != nil {
		return nil, err
	}
	t.session = attached.Session
	b.mu.Lock()
	b.tabs[t.session] = t
	b.mu.Unlock()
	return t, nil
}

// Call calls a method such as "Page.navigate" and puts what it answers into result, unless that is nil.
func (t *Tab) Call(ctx context.Context, method string, params, result any) error {
	return t.browser.call(ctx, t.session, method, params, result)
}

// Close closes the tab and forgets what it stored.
func (t *Tab) Close(ctx context.Context) error {
	err := t.browser.call(ctx, "", "Target.disposeBrowserContext", Object{"browserContextId": t.context}, nil)
	t.browser.mu.Lock()
	delete(t.browser.tabs, t.session)
	t.browser.mu.Unlock()
	return err
}
