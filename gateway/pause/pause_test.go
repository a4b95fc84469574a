package pause

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestFor(t *testing.T) {
	for _, line := range []struct {
		name     string
		d, until time.Duration // of the pause; of the context
		goOn     bool
		took     time.Duration
	}{
		{"the whole pause", time.Second, time.Minute, true, time.Second},
		{"the context ends first", time.Minute, time.Second, false, time.Second},
		{"no pause", 0, time.Minute, true, 0},
		{"a pause that is over", -time.Second, time.Minute, true, 0},
		{"no pause, and the context has ended", 0, 0, false, 0},
		{"the context has ended", time.Minute, 0, false, 0},
	} {
		t.Run(line.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), line.until)
				defer cancel()
				began := time.Now()
				require.Equal(t, line.goOn, For(ctx, line.d))
				require.Equal(t, line.took, time.Since(began))
			})
		})
	}
}
