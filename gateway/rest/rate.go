package rest

import (
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/hutong-gov/hutong/gateway/app"
	"github.com/hutong-gov/hutong/gateway/config"
	"github.com/hutong-gov/hutong/gateway/quota"
)

// addressBits is how much of an IPv6 address tells clients apart: a household or an office has a /64 network.
const addressBits = 64

// bound is one of the two rates: of clients that are signed in, and of source addresses.
type bound[K comparable] struct {
	quota  *quota.Quota[K]
	name   string // its name in the RateLimit headers
	policy string // RateLimit-Policy
	limits prometheus.Counter
}

// newBound makes a bound; nil where the configuration sets no rate.
func newBound[K comparable](name string, r config.Rate, clients int, limited *prometheus.CounterVec) *bound[K] {
	if r.PerSecond == 0 {
		return nil
	}
	window := math.Ceil(float64(r.Burst) / r.PerSecond)
	return &bound[K]{
		quota: quota.New[K](r.PerSecond, r.Burst, clients), name: name,
		policy: fmt.Sprintf("%q;q=%d;w=%.0f", name, r.Burst, window), limits: limited.WithLabelValues(name),
	}
}

// take says whether a request may go on. Either way the answer tells what is left, in the header fields of
// draft-ietf-httpapi-ratelimit-headers (version 10): the quota q of a window of w seconds, r of it remaining, all of it
// there again after t seconds.
func (b *bound[K]) take(c *gin.Context, key K) error {
	if b == nil {
		return nil
	}
	g := b.quota.Take(key, time.Now())
	c.Header("RateLimit-Policy", b.policy)
	c.Header("RateLimit", strconv.Quote(b.name)+";r="+strconv.Itoa(g.Remaining)+";t="+seconds(g.Reset))
	if g.OK {
		return nil
	}
	b.limits.Inc()
	c.Header("Retry-After", seconds(max(g.Wait, time.Second)))
	return errRate
}

// seconds rounds up to whole ones.
func seconds(d time.Duration) string {
	return strconv.Itoa(int(math.Ceil(d.Seconds())))
}

// client is what tells callers apart who are signed in: who they are, and the program they use.
type client struct{ program, agency, staff, subject string }

func clientOf(who app.Actor) client { return client{who.Client, who.Agency, who.Staff, who.Subject} }

// address is what tells callers apart who are not.
func address(c *gin.Context) netip.Prefix {
	ip, err := netip.ParseAddr(c.ClientIP())
	if err != nil {
		return netip.Prefix{} // one bucket for whoever has no address, such as a test without a network
	}
	ip = ip.Unmap().WithZone("")
	prefix, _ := ip.Prefix(min(ip.BitLen(), addressBits)) // no error: the bits fit
	return prefix
}

// limitAddress bounds the pages that anybody may open.
func (s *Server) limitAddress(c *gin.Context) {
	if err := s.addresses.take(c, address(c)); err != nil {
		s.fail(c, err)
	}
}
