package devidp

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"

	"github.com/hutong-gov/hutong/gateway/credential/mtls"
)

// storage answers the provider library. Users and clients never change while it runs.
type storage struct {
	key       signingKey
	audience  string
	tokenLife time.Duration
	users     map[string]User
	clients   map[string]Client
	signIns   signIns
}

var (
	_ op.Storage                        = (*storage)(nil)
	_ op.ClientCredentialsStorage       = (*storage)(nil)
	_ op.CanSetUserinfoFromRequest      = (*storage)(nil)
	_ op.CanGetPrivateClaimsFromRequest = (*storage)(nil)
)

var errNoSignIn = errors.New("the sign-in has ended or was never begun")

func (s *storage) CreateAuthRequest(_ context.Context, request *oidc.AuthRequest, _ string) (op.AuthRequest, error) {
	switch {
	case len(request.Prompt) == 1 && request.Prompt[0] == oidc.PromptNone:
		return nil, oidc.ErrLoginRequired() // there are no sessions: everybody is asked every time
	case request.CodeChallenge == "" || request.CodeChallengeMethod != oidc.CodeChallengeMethodS256:
		return nil, oidc.ErrInvalidRequest().WithDescription("code_challenge with code_challenge_method S256 is required (PKCE, RFC 7636)")
	}
	started, ok := s.signIns.begin(request, []string{s.audience})
	if !ok {
		return nil, oidc.ErrServerError().WithDescription("too many sign-ins under way")
	}
	return started, nil
}

func (s *storage) AuthRequestByID(_ context.Context, id string) (op.AuthRequest, error) {
	if found, ok := s.signIns.get(id); ok {
		return found, nil
	}
	return nil, errNoSignIn
}

func (s *storage) AuthRequestByCode(_ context.Context, code string) (op.AuthRequest, error) {
	found, ok := s.signIns.find(func(x *signIn) bool {
		return x.code != "" && subtle.ConstantTimeCompare([]byte(x.code), []byte(code)) == 1
	})
	if !ok {
		return nil, errNoSignIn
	}
	// A code is good once, whatever comes of it (RFC 6749 §4.1.2).
	s.signIns.end(found.id)
	return found, nil
}

func (s *storage) SaveAuthCode(_ context.Context, id, code string) error {
	if !s.signIns.update(id, func(x *signIn) { x.code = code }) {
		return errNoSignIn
	}
	return nil
}

func (s *storage) DeleteAuthRequest(_ context.Context, id string) error {
	s.signIns.end(id)
	return nil
}

func (s *storage) CreateAccessToken(context.Context, op.TokenRequest) (id string, expires time.Time, err error) {
	return rand.Text(), time.Now().Add(s.tokenLife), nil
}

func (s *storage) CreateAccessAndRefreshTokens(context.Context, op.TokenRequest, string) (string, string, time.Time, error) {
	return "", "", time.Time{}, oidc.ErrUnsupportedGrantType().WithDescription("there are no refresh tokens; sign in again")
}

func (s *storage) TokenRequestByRefreshToken(context.Context, string) (op.RefreshTokenRequest, error) {
	return nil, op.ErrInvalidRefreshToken
}

func (s *storage) GetRefreshTokenInfo(context.Context, string, string) (string, string, error) {
	return "", "", op.ErrInvalidRefreshToken
}

func (s *storage) TerminateSession(context.Context, string, string) error { return nil } // there are no sessions

func (s *storage) RevokeToken(context.Context, string, string, string) *oidc.Error {
	return &oidc.Error{ErrorType: "unsupported_token_type", Description: "access tokens are not kept; they end by themselves"}
}

func (s *storage) SigningKey(context.Context) (op.SigningKey, error) { return s.key, nil }

func (s *storage) SignatureAlgorithms(context.Context) ([]jose.SignatureAlgorithm, error) {
	return []jose.SignatureAlgorithm{jose.ES256}, nil
}

func (s *storage) KeySet(context.Context) ([]op.Key, error) {
	return []op.Key{publicKey{s.key}}, nil
}

func (s *storage) GetClientByClientID(_ context.Context, id string) (op.Client, error) {
	c, ok := s.clients[id]
	if !ok {
		return nil, errors.New("unknown client")
	}
	return registered{c, s.tokenLife}, nil
}

func (s *storage) AuthorizeClientIDSecret(_ context.Context, id, secret string) error {
	c, ok := s.clients[id]
	if !ok || c.Secret == "" || subtle.ConstantTimeCompare([]byte(c.Secret), []byte(secret)) != 1 {
		return errors.New("unknown client or wrong secret")
	}
	return nil
}

func (s *storage) ClientCredentials(ctx context.Context, id, secret string) (op.Client, error) {
	if by, _ := ctx.Value(asserted{}).(string); by == "" || by != id {
		if err := s.AuthorizeClientIDSecret(ctx, id, secret); err != nil {
			return nil, err
		}
	}
	return s.GetClientByClientID(ctx, id)
}

func (s *storage) ClientCredentialsTokenRequest(_ context.Context, id string, scopes []string) (op.TokenRequest, error) {
	return &oidc.JWTTokenRequest{Subject: id, Audience: []string{s.audience}, Scopes: scopes}, nil
}

// SetUserinfoFromScopes is deprecated by the library in favour of SetUserinfoFromRequest.
func (s *storage) SetUserinfoFromScopes(context.Context, *oidc.UserInfo, string, string, []string) error {
	return nil
}

func (s *storage) SetUserinfoFromRequest(_ context.Context, info *oidc.UserInfo, request op.IDTokenRequest, _ []string) error {
	return s.userinfo(info, request.GetSubject())
}

func (s *storage) SetUserinfoFromToken(_ context.Context, info *oidc.UserInfo, _, subject, _ string) error {
	return s.userinfo(info, subject)
}

func (s *storage) userinfo(info *oidc.UserInfo, subject string) error {
	user, ok := s.users[subject]
	if !ok {
		return errors.New("unknown user")
	}
	info.Subject, info.Name, info.PreferredUsername = user.ID, user.Name, user.ID
	return nil
}

func (s *storage) SetIntrospectionFromToken(_ context.Context, answer *oidc.IntrospectionResponse, _, subject, clientID string) error {
	if _, ok := s.users[subject]; !ok {
		return errors.New("unknown user")
	}
	answer.Active, answer.Subject, answer.ClientID = true, subject, clientID
	return nil
}

// GetPrivateClaimsFromRequest writes what gateways go by into the access token.
func (s *storage) GetPrivateClaimsFromRequest(ctx context.Context, request op.TokenRequest, _ []string) (map[string]any, error) {
	role, agency, staff := "", "", ""
	var client Client
	if _, own := request.(*oidc.JWTTokenRequest); own { // a client's token for itself
		client = s.clients[request.GetSubject()]
		role, agency, staff = client.Role, client.Agency, client.Staff
	} else {
		if by, ok := request.(interface{ GetClientID() string }); ok {
			client = s.clients[by.GetClientID()]
		}
		u := s.users[request.GetSubject()]
		role, agency, staff = u.Role, u.Agency, u.Staff
	}
	if role == "" {
		return nil, errors.New("unknown subject")
	}
	claims := map[string]any{"role": role}
	if client.Bound {
		thumbprint := mtls.Thumbprint(ctx)
		if thumbprint == "" {
			return nil, oidc.ErrInvalidRequest().WithDescription("connect with the client certificate that the token shall be bound to")
		}
		claims["cnf"] = map[string]string{mtls.Claim: thumbprint}
	}
	if agency != "" {
		claims["agency"] = agency
	}
	if staff != "" {
		claims["staff"] = staff
	}
	return claims, nil
}

// GetPrivateClaimsFromScopes is not called: the library prefers GetPrivateClaimsFromRequest.
func (s *storage) GetPrivateClaimsFromScopes(context.Context, string, string, []string) (map[string]any, error) {
	return nil, errors.New("not used")
}

func (s *storage) GetKeyByIDAndClientID(_ context.Context, _, id string) (*jose.JSONWebKey, error) {
	key, err := s.clients[id].publicKey()
	if err != nil {
		return nil, err
	}
	return &jose.JSONWebKey{Key: key}, nil
}

func (s *storage) ValidateJWTProfileScopes(context.Context, string, []string) ([]string, error) {
	return nil, oidc.ErrUnsupportedGrantType()
}

func (s *storage) Health(context.Context) error { return nil }
