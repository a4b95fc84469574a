package devidp

import (
	_ "embed"
	"html/template"
	"net/http"
	"time"
	"unicode"
)

const loginPath = "/login"

// maxForm bounds what the sign-in form may send.
const maxForm = 4 << 10

//go:embed login.html
var pagesText string

// pages are the provider's own: login, message, home. None needs scripts.
var pages = template.Must(template.New("pages").Parse(pagesText))

// message is a page that says one thing.
type message struct{ Chinese, English, Text string }

var (
	msgEnded     = message{"登录已失效", "This sign-in has ended", "Go back to the application and begin again."}
	msgNoUser    = message{"没有此用户", "There is no such user", "Choose one from the list."}
	msgSignedOut = message{"已退出", "Signed out", "You can close this page."}
)

// show answers a page.
func show(w http.ResponseWriter, status int, name string, data any) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	// no form-action: browsers apply it to the redirects that follow the form, and those lead to the client
	h.Set("Content-Security-Policy", "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	// an error here is a connection that went away
	_ = pages.ExecuteTemplate(w, name, data)
}

// group is the users of a role, as the page lists them.
type group struct {
	Chinese, English string
	Users            []listed
}

// listed is a user with the name in parts, so that each is marked as the language it is in.
type listed struct {
	User
	Names []part
}

type part struct {
	Text    string
	Chinese bool
}

// partsOf splits a text where its script changes to or from Chinese; spaces go with what is before them.
func partsOf(text string) (parts []part) {
	begin := 0
	chinese := false
	for i, r := range text {
		if is := unicode.Is(unicode.Han, r); is != chinese && !unicode.IsSpace(r) {
			if i > begin {
				parts = append(parts, part{text[begin:i], chinese})
			}
			begin, chinese = i, is
		}
	}
	return append(parts, part{text[begin:], chinese})
}

// groupsOf keeps the order of the users within each role.
func groupsOf(users []User) []group {
	var groups []group
	for _, g := range []struct{ role, chinese, english string }{
		{"citizen", "公民", "Citizens"},
		{"officer", "经办人", "Officers"},
		{"agency_admin", "部门管理员", "Agency administrators"},
		{"auditor", "审计员", "Auditors"},
	} {
		next := group{Chinese: g.chinese, English: g.english}
		for _, u := range users {
			if u.Role == g.role {
				next.Users = append(next.Users, listed{u, partsOf(u.Name)})
			}
		}
		if len(next.Users) > 0 {
			groups = append(groups, next)
		}
	}
	return groups
}

// login is the page that lists the users, and what its form is sent to.
type login struct {
	storage  *storage
	groups   []group
	callback func(*http.Request, string) string // where the library goes on once somebody has signed in
}

func (l login) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	request := r.FormValue("request")
	if _, ok := l.storage.signIns.get(request); !ok {
		show(w, http.StatusBadRequest, "message", msgEnded)
		return
	}
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		show(w, http.StatusOK, "login", map[string]any{"Request": request, "Groups": l.groups, "First": l.groups[0].Users[0].ID})
	case http.MethodPost:
		l.signIn(w, r, request)
	default:
		w.Header().Set("Allow", "GET, HEAD, POST")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
	}
}

func (l login) signIn(w http.ResponseWriter, r *http.Request, request string) {
	user, ok := l.storage.users[r.PostFormValue("user")]
	if !ok {
		show(w, http.StatusBadRequest, "message", msgNoUser)
		return
	}
	if !l.storage.signIns.update(request, func(s *signIn) { s.user, s.at = user.ID, time.Now() }) {
		show(w, http.StatusBadRequest, "message", msgEnded)
		return
	}
	http.Redirect(w, r, l.callback(r, request), http.StatusSeeOther)
}
