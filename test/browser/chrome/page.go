package chrome

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// pollEvery is how often a wait looks again.
const pollEvery = 20 * time.Millisecond

// Go opens an address.
func (t *Tab) Go(ctx context.Context, address string) error {
	var answer struct {
		Error string `json:"errorText"`
	}
	if err := t.Call(ctx, "Page.navigate", Object{"url": address}, &answer); err != nil {
		return err
	}
	if answer.Error != "" {
		return errors.New(address + ": " + answer.Error)
	}
	return nil
}

// Eval gives the value of an expression in the page; promises are waited for. Result may be nil.
func (t *Tab) Eval(ctx context.Context, expression string, result any) error {
	var answer struct {
		Result struct {
			Value json.RawMessage `json:"value"`
		} `json:"result"`
		Exception *struct {
			Text      string `json:"text"`
			Exception struct {
				Description string `json:"description"`
			} `json:"exception"`
		} `json:"exceptionDetails"`
	}
	if err := t.Call(ctx, "Runtime.evaluate", Object{"expression": expression, "returnByValue": true, "awaitPromise": true}, &answer); err != nil {
		return err
	}
	if e := answer.Exception; e != nil {
		return fmt.Errorf("%s: %s %s", expression, e.Text, e.Exception.Description)
	}
	if result == nil {
		return nil
	}
	if len(answer.Result.Value) == 0 {
		return fmt.Errorf("%s: has no value", expression)
	}
	return json.Unmarshal(answer.Result.Value, result)
}

// Until waits for an expression to be true in the page. While the tab goes from one page to the next there may be none to
// ask; an expression that never could be evaluated is told about when ctx ends.
func (t *Tab) Until(ctx context.Context, expression string) error {
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	var last error
	for {
		var holds bool
		err := t.Eval(ctx, "Boolean("+expression+")", &holds)
		switch {
		case err == nil && holds:
			return nil
		case errors.Is(err, ErrGone):
			return err
		case ctx.Err() == nil:
			last = err
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("%s: %w", expression, ctx.Err()), last)
		}
	}
}

// Click presses and releases the mouse over the middle of the first element that a selector finds, scrolled into view.
// It fails if something else lies over it.
func (t *Tab) Click(ctx context.Context, selector string) error {
	var at struct {
		X, Y float64
		Hit  bool
	}
	quoted, err := json.Marshal(selector)
	if err != nil {
		return err
	}
	if err := t.Until(ctx, fmt.Sprintf("document.querySelector(%s)?.getClientRects().length", quoted)); err != nil {
		return err
	}
	if err := t.Eval(ctx, fmt.Sprintf(`(() => {
		const e = document.querySelector(%s);
		e.scrollIntoView({ block: "center", behavior: "instant" });
		const box = e.getBoundingClientRect(), x = box.x + box.width / 2, y = box.y + box.height / 2, hit = document.elementFromPoint(x, y);
		return { x, y, hit: e.contains(hit) || Boolean(hit?.closest("label")?.control === e) };
	})()`, quoted), &at); err != nil {
		return err
	}
	if !at.Hit {
		return fmt.Errorf("%s: something else lies over it", selector)
	}
	for _, kind := range []string{"mouseMoved", "mousePressed", "mouseReleased"} {
		event := Object{"type": kind, "x": at.X, "y": at.Y}
		if kind != "mouseMoved" {
			event["button"], event["clickCount"] = "left", 1
		}
		if err := t.Call(ctx, "Input.dispatchMouseEvent", event, nil); err != nil {
			return err
		}
	}
	return nil
}

// Key is a key of the keyboard, as UI Events names it, with the code that browsers go by and the text that it types.
type Key struct {
	Name string
	Code int
	Text string
}

// Keys that do more than type.
var (
	TabKey    = Key{Name: "Tab", Code: 9}
	Enter     = Key{Name: "Enter", Code: 13, Text: "\r"}
	ArrowDown = Key{Name: "ArrowDown", Code: 40}
)

// Press presses and releases a key.
func (t *Tab) Press(ctx context.Context, key Key) error {
	down := Object{"type": "rawKeyDown", "key": key.Name, "code": key.Name, "windowsVirtualKeyCode": key.Code}
	if key.Text != "" {
		down["type"], down["text"] = "keyDown", key.Text
	}
	if err := t.Call(ctx, "Input.dispatchKeyEvent", down, nil); err != nil {
		return err
	}
	return t.Call(ctx, "Input.dispatchKeyEvent", Object{"type": "keyUp", "key": key.Name, "code": key.Name, "windowsVirtualKeyCode": key.Code}, nil)
}

// Type types a text where the focus is.
func (t *Tab) Type(ctx context.Context, text string) error {
	return t.Call(ctx, "Input.insertText", Object{"text": text}, nil)
}

// Picture is the top of the page as PNG, as wide as the window and up to so many pixels high.
func (t *Tab) Picture(ctx context.Context, height int) ([]byte, error) {
	var clip struct{ Width, Height float64 }
	if err := t.Eval(ctx, "({ width: document.documentElement.clientWidth, height: document.documentElement.scrollHeight })", &clip); err != nil {
		return nil, err
	}
	var answer struct {
		Data string `json:"data"`
	}
	if err := t.Call(ctx, "Page.captureScreenshot", Object{"format": "png", "captureBeyondViewport": true, "clip": Object{
		"x": 0, "y": 0, "width": clip.Width, "height": min(clip.Height, float64(height)), "scale": 1,
	}}, &answer); err != nil {
		return nil, err
	}
	return base64.StdEncoding.DecodeString(answer.Data)
}
