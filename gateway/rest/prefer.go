package rest

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/hutong-gov/hutong/gateway/ledger"
)

// Preferences of RFC 7240 that the gateway knows: respond-async (4.1) and wait (4.3). They say how long a caller waits for
// a write's block; HTTP has no other standard field for a caller's deadline.
const (
	preferHeader  = "Prefer"
	appliedHeader = "Preference-Applied"
	respondAsync  = "respond-async"
	waitSeconds   = "wait"
)

// MaxPreferWait bounds the preference wait; a longer one is cut to it.
const MaxPreferWait = 60 * time.Second

// answerMargin is how long before a request's deadline an answer is given that a caller would have waited longer for: an
// answer that says what is known is better than none.
const answerMargin = 2 * time.Second

// preference is what a request's Prefer fields ask for.
type preference struct {
	async bool
	wait  time.Duration
	waits bool
}

// preferenceOf reads the Prefer fields. What is not known or not well formed is passed over, and of two of the same name the
// first counts (RFC 7240, section 2).
func preferenceOf(h http.Header) (p preference) {
	for item := range strings.SplitSeq(strings.Join(h.Values(preferHeader), ","), ",") {
		item, _, _ = strings.Cut(item, ";") // parameters of a preference; ours have none
		name, value, _ := strings.Cut(item, "=")
		switch strings.ToLower(strings.TrimSpace(name)) {
		case respondAsync:
			p.async = true
		case waitSeconds:
			seconds, err := strconv.ParseUint(strings.Trim(strings.TrimSpace(value), `"`), 10, 31)
			if err == nil && !p.waits {
				p.wait, p.waits = min(time.Duration(seconds)*time.Second, MaxPreferWait), true
			}
		}
	}
	return p
}

// prefer puts the caller's preferences into effect where the row can follow them, and says which. Time counts from the
// request's arrival.
func (s *Server) prefer(c *gin.Context, r Route, arrived time.Time) context.Context {
	ctx := c.Request.Context()
	if !r.Async() && !r.Polls {
		return ctx
	}
	p := preferenceOf(c.Request.Header)
	var applied []string
	if p.async && r.Async() {
		applied = append(applied, respondAsync)
	}
	if p.waits {
		p.wait = max(0, min(p.wait, s.config.Deadline-answerMargin)).Truncate(time.Second)
		applied = append(applied, fmt.Sprintf("%s=%d", waitSeconds, p.wait/time.Second))
	}
	if len(applied) == 0 {
		return ctx
	}
	c.Header(appliedHeader, strings.Join(applied, ", "))
	return ledger.Async(ctx, arrived.Add(p.wait))
}
