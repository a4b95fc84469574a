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

// The page to try the API: one document with its style and script inside, so that it works without any other network.
var (
	//go:embed page/page.html
	pageText string
	//go:embed page/page.css
	pageStyle string
	//go:embed page/session.js
	sessionScript string
	//go:embed page/routes.js
	routesScript string

	pageScript = sessionScript + routesScript
)

var pageTemplate = template.Must(template.New("docs").Parse(pageText))

const docsPath = "/docs"

// page is made on the first request: most gateways never show it.
type page struct {
	once   sync.Once
	body   []byte
	policy string
	err    error
}

// home leads somebody who opens the gateway's address to the page.
func (s *Server) home(c *gin.Context) { c.Redirect(http.StatusFound, docsPath) }

// docs serves the page. Its content policy allows exactly its own script, style and icon, and connections to this gateway
// and the identity provider.
func (s *Server) docs(c *gin.Context) {
	s.page.once.Do(func() {
		var b bytes.Buffer
		s.page.err = pageTemplate.Execute(&b, map[string]any{
			"Style": template.CSS(pageStyle), "Script": template.JS(pageScript),
			"Organisation": s.config.About.Organisation, "Version": s.config.About.Version,
			"Issuer": s.config.About.Issuer, "Client": s.config.About.ClientID,
		})
		s.page.body = b.Bytes()
		s.page.policy = "default-src 'none'; img-src data:; connect-src 'self' " + originOf(s.config.About.Issuer) + "; style-src '" + digestOf(pageStyle) +
			"'; script-src '" + digestOf(pageScript) + "'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	})
	if s.page.err != nil {
		s.fail(c, s.page.err)
		return
	}
	c.Header("Content-Security-Policy", s.page.policy)
	c.Data(http.StatusOK, "text/html; charset=utf-8", s.page.body)
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
