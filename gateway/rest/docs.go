package rest

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"net/http"
	"net/url"
	"sync"

	"github.com/gin-gonic/gin"
)

// The pages: each one document with its style and script inside, so that it works without any other network.
var (
	//go:embed page/page.html
	pageText string
	//go:embed page/page.css
	pageStyle string
	//go:embed page/session.js
	sessionScript string
	//go:embed page/routes.js
	routesScript string
	//go:embed page/consents.html
	consentsText string
	//go:embed page/consents.js
	consentsScript string
	//go:embed page/signer.js
	signerModule []byte
)

const (
	docsPath     = "/docs"
	consentsPath = "/consents"
	signerPath   = "/signer.js"
)

// page is made on the first request: most gateways never show it.
type page struct {
	text, script string
	sources      string // of scripts, besides the one inside

	once   sync.Once
	body   []byte
	policy string
	err    error
}

// newDocs is the page to try the API.
func newDocs() *page { return &page{text: pageText, script: sessionScript + routesScript} }

// newConsents is the page on which a citizen signs and revokes; it imports the signer.
func newConsents() *page {
	return &page{text: consentsText, script: sessionScript + consentsScript, sources: " 'self'"}
}

// home leads somebody who opens the gateway's address to the page.
func (s *Server) home(c *gin.Context) { c.Redirect(http.StatusFound, docsPath) }

// signer serves the module with which a browser signs. Portals of other origins may import it: it holds no secret, and keys
// are kept by origin.
func (s *Server) signer(c *gin.Context) {
	c.Header("Access-Control-Allow-Origin", "*")
	c.Header("X-Content-Type-Options", "nosniff")
	c.Data(http.StatusOK, "text/javascript; charset=utf-8", signerModule)
}

// show serves a page. Its content policy allows exactly its own script, style and icon, and connections to this gateway and
// the identity provider.
func (s *Server) show(p *page) gin.HandlerFunc { return func(c *gin.Context) { s.shown(c, p) } }

func (s *Server) shown(c *gin.Context, p *page) {
	p.once.Do(func() {
		var parsed *template.Template
		if parsed, p.err = template.New("page").Parse(p.text); p.err != nil {
			return
		}
		var b bytes.Buffer
		p.err = parsed.Execute(&b, map[string]any{
			"Style": template.CSS(pageStyle), "Script": template.JS(p.script),
			"Organisation": s.config.About.Organisation, "Version": s.config.About.Version,
			"Issuer": s.config.About.Issuer, "Client": s.config.About.ClientID,
		})
		p.body = b.Bytes()
		p.policy = "default-src 'none'; img-src data:; connect-src 'self' " + originOf(s.config.About.Issuer) + "; style-src '" + digestOf(pageStyle) +
			"'; script-src '" + digestOf(p.script) + "'" + p.sources + "; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	})
	if p.err != nil {
		s.fail(c, p.err)
		return
	}
	c.Header("Content-Security-Policy", p.policy)
	c.Data(http.StatusOK, "text/html; charset=utf-8", p.body)
}

// digestOf is a content policy's name for an inline text.
func digestOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

func originOf(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return ""
	}
	return u.Scheme + "://" + u.Host
}
