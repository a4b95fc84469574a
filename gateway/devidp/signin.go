package devidp

import (
	"crypto/rand"
	"sync"
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"
)

// Limits of sign-ins under way.
const (
	signInLife = 10 * time.Minute
	maxSignIns = 10_000
)

// signIn is one authorization request on its way from the client to a code. It does not change once it is in the table:
// completing it puts a changed copy there.
type signIn struct {
	id       string
	request  *oidc.AuthRequest
	audience []string
	user     string // empty until somebody has signed in
	at       time.Time
	code     string
	expires  time.Time
}

func (s *signIn) GetID() string                      { return s.id }
func (s *signIn) GetACR() string                     { return "" }
func (s *signIn) GetAMR() []string                   { return nil } // nothing was proven
func (s *signIn) GetAudience() []string              { return s.audience }
func (s *signIn) GetAuthTime() time.Time             { return s.at }
func (s *signIn) GetClientID() string                { return s.request.ClientID }
func (s *signIn) GetNonce() string                   { return s.request.Nonce }
func (s *signIn) GetRedirectURI() string             { return s.request.RedirectURI }
func (s *signIn) GetResponseType() oidc.ResponseType { return s.request.ResponseType }
func (s *signIn) GetResponseMode() oidc.ResponseMode { return s.request.ResponseMode }
func (s *signIn) GetScopes() []string                { return s.request.Scopes }
func (s *signIn) GetState() string                   { return s.request.State }
func (s *signIn) GetSubject() string                 { return s.user }
func (s *signIn) Done() bool                         { return s.user != "" }

func (s *signIn) GetCodeChallenge() *oidc.CodeChallenge {
	return &oidc.CodeChallenge{Challenge: s.request.CodeChallenge, Method: s.request.CodeChallengeMethod}
}

// signIns is the table of them.
type signIns struct {
	mu   sync.Mutex
	byID map[string]*signIn
	now  func() time.Time
}

// begin adds one; ok is false if too many are under way.
func (t *signIns) begin(request *oidc.AuthRequest, audience []string) (s *signIn, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	if len(t.byID) >= maxSignIns {
		for id, old := range t.byID {
			if now.After(old.expires) {
				delete(t.byID, id)
			}
		}
		if len(t.byID) >= maxSignIns {
			return nil, false
		}
	}
	s = &signIn{id: rand.Text(), request: request, audience: audience, expires: now.Add(signInLife)}
	t.byID[s.id] = s
	return s, true
}

// find looks for one by a property.
func (t *signIns) find(match func(*signIn) bool) (*signIn, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, s := range t.byID {
		if match(s) && t.now().Before(s.expires) {
			return s, true
		}
	}
	return nil, false
}

// get finds one by its id.
func (t *signIns) get(id string) (*signIn, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s, ok := t.byID[id]
	if !ok || t.now().After(s.expires) {
		return nil, false
	}
	return s, true
}

// update replaces one by a changed copy; ok is false if it is gone.
func (t *signIns) update(id string, change func(*signIn)) (ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s, ok := t.byID[id]
	if !ok || t.now().After(s.expires) {
		return false
	}
	next := *s
	change(&next)
	t.byID[id] = &next
	return true
}

func (t *signIns) end(id string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.byID, id)
}
