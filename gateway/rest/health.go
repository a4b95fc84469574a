package rest

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
)

// Check is one condition of readiness. Run answers nil or what is wrong; it must not take longer than checkTimeout. Note,
// where there is one, says how things stand, whether all is well or not.
type Check struct {
	Name string
	Run  func(context.Context) error
	Note func() string
}

const checkTimeout = 5 * time.Second

// Readiness is the answer of /readyz.
type Readiness struct {
	Ready  bool    `json:"ready"`
	Checks []State `json:"checks"`
}

// State is how one check stands.
type State struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Reason string `json:"reason,omitempty"`
	Note   string `json:"note,omitempty"`
}

// health says that the process lives, and nothing else: a process that waits for its peer must not be restarted for it.
func (s *Server) health(c *gin.Context) {
	s.render(c, http.StatusOK, map[string]string{"status": "alive", "version": s.config.About.Version})
}

// ready says whether the gateway can serve: 200 if every check passes and it is not about to stop, else 503, with the state
// of each.
func (s *Server) ready(c *gin.Context) {
	answer := s.Readiness(c.Request.Context())
	status := http.StatusOK
	if !answer.Ready {
		status = http.StatusServiceUnavailable
	}
	s.render(c, status, answer)
}

// Readiness runs all checks, at the same time.
func (s *Server) Readiness(ctx context.Context) Readiness {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	answer := Readiness{Ready: true, Checks: make([]State, len(s.config.Checks))}
	var group sync.WaitGroup
	for i, check := range s.config.Checks {
		group.Go(func() {
			state := State{Name: check.Name, OK: true}
			if err := check.Run(ctx); err != nil {
				state.OK, state.Reason = false, err.Error()
			}
			if check.Note != nil {
				state.Note = check.Note()
			}
			answer.Checks[i] = state
		})
	}
	group.Wait()
	for _, state := range answer.Checks {
		answer.Ready = answer.Ready && state.OK
	}
	if s.stage.Load() != serving {
		answer.Ready, answer.Checks = false, append(answer.Checks, stopping)
	}
	return answer
}
