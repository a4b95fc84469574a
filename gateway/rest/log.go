package rest

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/hutong-gov/hutong/gateway/app"
	"github.com/hutong-gov/hutong/gateway/config"
	"github.com/hutong-gov/hutong/gateway/trace"
)

// lines decides which requests are written to the log. At thousands of requests a second writing each would take a
// noticeable share of a processor, and nobody reads it: the metrics count every request, so the log need only show what
// requests are like. Each status has its own share of lines, so that a rare answer is not crowded out by a frequent one,
// and a flood of refusals fills no disk.
type lines struct {
	perSecond int
	windows   [600]window // by HTTP status
}

// window is what was written of one status within one second.
type window struct {
	mu            sync.Mutex
	second        int64
	written, left int
}

func newLines(perSecond int) *lines {
	if perSecond == 0 {
		perSecond = config.DefaultLinesPerSecond
	}
	return &lines{perSecond: perSecond}
}

// due says whether a request that ended now is written, and how many of its status were left out since the last line.
func (l *lines) due(status int, now time.Time) (left int, due bool) {
	if failure(status) {
		return 0, true
	}
	w := &l.windows[min(max(status, 0), len(l.windows)-1)]
	w.mu.Lock()
	defer w.mu.Unlock()
	if second := now.Unix(); w.second != second {
		w.second, w.written = second, 0
	}
	if w.written == l.perSecond {
		w.left++
		return 0, false
	}
	w.written++
	left, w.left = w.left, 0
	return left, true
}

// failure says whether a status is the gateway's own failure: never left out, and an error in the log.
func failure(status int) bool {
	return status >= http.StatusInternalServerError && status != http.StatusServiceUnavailable
}

// transaction is implemented by answers that name the transaction they come from.
type transaction interface{ Transaction() string }

// write writes the line of a request: never a raw path, a query, a token or a value that a caller sent.
func (s *Server) write(c *gin.Context, method, where string, status int, took time.Duration) {
	if quiet[where] && status < http.StatusInternalServerError {
		return
	}
	ctx, level := c.Request.Context(), slog.LevelInfo
	if failure(status) {
		level = slog.LevelError
	}
	if !s.log.Enabled(ctx, level) {
		return
	}
	left, due := s.lines.due(status, time.Now())
	if !due {
		return
	}
	s.log.LogAttrs(ctx, level, "request", attributes(ctx, c, method, where, status, took, left)...)
}

func attributes(ctx context.Context, c *gin.Context, method, where string, status int, took time.Duration, left int) []slog.Attr {
	list := append(make([]slog.Attr, 0, 12), slog.String("request_id", requestID(c)), slog.String("method", method), slog.String("route", where),
		slog.Int("status", status), slog.Float64("duration_ms", float64(took.Microseconds())/1000))
	if who, ok := c.Value(actorKey).(app.Actor); ok {
		list = append(list, slog.String("role", who.Role))
		list = appendText(list, "agency", who.Agency)
	}
	list = appendText(list, "reason", c.GetString(reasonKey))
	list = appendText(list, "error", c.GetString(errorKey))
	list = appendText(list, "tx_id", c.GetString(txKey))
	list = appendText(list, "trace_id", trace.ID(ctx))
	if left > 0 {
		list = append(list, slog.Int("left_out", left))
	}
	return list
}

func appendText(list []slog.Attr, name, value string) []slog.Attr {
	if value == "" {
		return list
	}
	return append(list, slog.String(name, value))
}
