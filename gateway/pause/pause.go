// Package pause waits for a while, or until nobody wants to wait any more.
package pause

import (
	"context"
	"time"
)

// For waits for d, not at all if that is not positive, and says whether to go on: false if ctx ended first.
func For(ctx context.Context, d time.Duration) bool {
	if ctx.Err() != nil || d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
