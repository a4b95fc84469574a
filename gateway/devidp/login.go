package devidp

import (
	_ "embed"
	"html/template"
	"net/http"
	"time"
)

const loginPath = "/login"

// maxForm bounds what the sign-in form may send.
const maxForm = 4 << 10

//go:embed login.html
var loginText string

var loginPage = template.Must(template.New("login").Parse(loginText))

// login is the page that lists the users, and what its form is sent to. It works without scripts.
type login struct {
	storage  *storage
	users    []User
	callback func(*http.Request, string) string // where the library goes on once somebody has signed in
}

func (l login) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	// no form-action: browsers apply it to the redirects that follow the form, and those lead to the client
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	request := r.FormValue("request")
	if _, ok := l.storage.signIns.get(request); !ok {
		http.Error(w, "This sign-in has ended. Go back to the application and begin again.", http.StatusBadRequest)
		return
	}
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		l.show(w, request)
	case http.MethodPost:
		l.signIn(w, r, request)
	default:
		h.Set("Allow", "GET, HEAD, POST")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
	}
}

func (l login) show(w http.ResponseWriter, request string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	// an error here is a connection that went away
	_ = loginPage.Execute(w, map[string]any{"Request": request, "Users": l.users})
}

func (l login) signIn(w http.ResponseWriter, r *http.Request, request string) {
	user, ok := l.storage.users[r.PostFormValue("user")]
	if !ok {
		http.Error(w, "There is no such user. Choose one from the list.", http.StatusBadRequest)
		return
	}
	if !l.storage.signIns.update(request, func(s *signIn) { s.user, s.at = user.ID, time.Now() }) {
		http.Error(w, "This sign-in has ended. Go back to the application and begin again.", http.StatusBadRequest)
		return
	}
	http.Redirect(w, r, l.callback(r, request), http.StatusSeeOther)
}
