package rest

import (
	"sync/atomic"

	"github.com/gin-gonic/gin"

	"github.com/hutong-gov/hutong/gateway/ledger"
)

// errStops is the answer to a request that comes when no new ones are begun.
var errStops = ledger.Stopping

// Stages of a server's end, in their order. Requests that have been begun are finished in all of them.
const (
	serving  int32 = iota
	leaving        // /readyz says no: balancers send their clients elsewhere
	parting        // each answer also asks its client to close the connection (RFC 9110, 7.6.1; in HTTP/2 by GOAWAY)
	refusing       // new requests are refused
)

// stage is where a server stands.
type stage struct{ atomic.Int32 }

// Leave makes the gateway not ready. Nothing else changes.
func (s *Server) Leave() { s.stage.Store(leaving) }

// Part asks clients to go on with new connections.
func (s *Server) Part() { s.stage.Store(parting) }

// Refuse answers requests that are not begun yet with gateway.stopping.
func (s *Server) Refuse() { s.stage.Store(refusing) }

// admit says whether a request may be begun.
func (s *Server) admit(c *gin.Context) bool {
	now := s.stage.Load()
	if now >= parting {
		c.Header("Connection", "close")
	}
	return now < refusing || quiet[route(c)]
}

// stopping is what /readyz lists besides the checks once the gateway is about to stop.
var stopping = State{Name: "serving", Reason: "the gateway stops"}
