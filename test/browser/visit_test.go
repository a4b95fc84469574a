package browser

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/gateway/rest"
	"github.com/hutong-gov/hutong/test/browser/chrome"
)

// ready waits for the page with its routes.
func (v *visitor) ready() {
	v.Helper()
	v.seen("#get_subjects_me")
}

// call opens a route's form and sends it, with a body if one is given.
func (v *visitor) call(route, body string) {
	v.Helper()
	form := "#" + route + " "
	if !eval[bool](v, `document.querySelector("#`+route+`").open`) {
		v.click(form + "> summary")
	}
	if body != "" {
		v.run(`document.querySelector("` + form + `textarea").select()`)
		v.write(body)
	}
	v.run(`document.querySelector("` + form + `pre")?.remove()`) // an earlier answer
	v.click(form + "button[type=submit]")
	v.seen(form + "pre")
}

// answer is the JSON that the page shows of a route's answer.
func (v *visitor) answer(route string) map[string]any {
	v.Helper()
	answer := map[string]any{}
	require.NoError(v, json.Unmarshal([]byte(v.text("#"+route+" pre")), &answer))
	return answer
}

// signIn goes from the page to the provider and back, by mouse.
func (v *visitor) signIn(user string) {
	v.Helper()
	v.click("#sign-in")
	v.click("input[value=" + user + "]")
	v.click("button[type=submit]")
	v.seen("#sign-out")
	v.ready()
}

// TestNetworkBrowserVisit is a visitor's whole visit: looks, signs in, asks, is refused, signs out.
func TestNetworkBrowserVisit(t *testing.T) {
	v := visit(t)
	v.goTo(v.gateway)
	v.ready()
	require.Equal(t, v.gateway+"/docs", eval[string](v, "location.href"), "the address itself leads to the page")

	var want []string
	for _, r := range rest.Routes(nil) {
		want = append(want, r.Method+" "+r.Path)
	}
	listed := eval[[]string](v, `[...document.querySelectorAll(".route")].map(r => r.querySelector(".method").textContent + " " + r.querySelector(".path").textContent)`)
	require.ElementsMatch(t, want, listed, "the page lists every route")

	v.call("get_agencies", "")
	require.Contains(t, v.text("#get_agencies [role=status]"), "200 成功 Done", "a public route needs no sign-in")
	require.Contains(t, v.answer("get_agencies"), "as_of_block")
	v.call("get_subjects_me", "")
	require.Equal(t, "token.missing", v.answer("get_subjects_me")["reason"])

	require.Contains(t, v.text("#session"), "Not signed in")
	v.signIn("citizen1")
	require.Contains(t, v.text("#session"), "Signed in as citizen1, 公民 citizen")
	require.Equal(t, v.gateway+"/docs#get_subjects_me", eval[string](v, "location.href"), "back where the visitor was, and without the code")
	provenByPKCE(v)

	v.call("get_subjects_me", "")
	me := v.answer("get_subjects_me")
	require.Contains(t, v.text("#get_subjects_me [role=status]"), "200")
	require.Regexp(t, "^[a-zA-Z2-7]{26}$", me["pseudonym"], "a pseudonym")
	require.NotContains(t, v.text("#get_subjects_me pre"), "citizen1")

	v.call("put_subjects_me", "{}")
	require.Contains(t, v.text("#put_subjects_me [role=status]"), "422 拒绝 Refused")
	told := eval[[]string](v, `[...document.querySelectorAll("#put_subjects_me dd")].map(d => d.textContent)`)
	require.Equal(t, []string{"request.invalid", "signing_key", "required"}, told[:3], "reason, field and rule are said apart")
	require.Equal(t, "true", eval[string](v, `document.querySelector("#put_subjects_me textarea").getAttribute("aria-invalid")`))
	v.run(`document.querySelector("#find").focus()`)
	v.write("subjects me")
	require.Equal(t, "8 routes", v.text("#found"))
	v.picture("answer-1280")
	v.width(telephone)
	v.picture("answer-390")
	v.width(desk)

	v.devtools("Page.reload", nil)
	v.ready()
	v.seen("#sign-out")
	require.Contains(t, v.text("#session"), "citizen1", "the tab stays signed in")
	began := len(v.sent())
	v.click("#sign-out")
	require.Eventually(t, func() bool { // by way of the provider
		sent := v.sent()[began:]
		return len(sent) > 0 && sent[len(sent)-1].URL == v.gateway+"/openapi.json"
	}, stepPatience, stepPatience/1000)
	v.ready()
	v.seen("#sign-in")
	require.True(t, slices.ContainsFunc(v.sent()[began:], func(r request) bool { return strings.HasPrefix(r.URL, v.provider+"/end_session?") }))
	require.Contains(t, v.text("#session"), "Not signed in")
	require.Zero(t, eval[int](v, "sessionStorage.length"), "nothing of the sign-in is left")
	v.call("get_subjects_me", "")
	require.Equal(t, "token.missing", v.answer("get_subjects_me")["reason"])

	require.Empty(t, v.unexpected(refused(401, "/v1/subjects/me"), refused(422, "/v1/subjects/me")))
	require.Equal(t, []string{v.gateway, v.provider}, v.hosts(), "no request leaves to another host")
}

// provenByPKCE checks the requests of a sign-in: the authorization code flow, its code bound to the page by S256.
func provenByPKCE(v *visitor) {
	v.Helper()
	sent := v.sent()
	find := func(path string) request {
		v.Helper()
		i := slices.IndexFunc(sent, func(r request) bool { return strings.HasPrefix(r.URL, v.provider+path) })
		require.GreaterOrEqual(v, i, 0, "no request to %s", path)
		return sent[i]
	}
	asked, err := url.Parse(find("/authorize").URL)
	require.NoError(v, err)
	require.Equal(v, "code", asked.Query().Get("response_type"))
	require.Equal(v, "S256", asked.Query().Get("code_challenge_method"))
	require.Len(v, asked.Query().Get("code_challenge"), 43)
	redeemed := find("/oauth/token")
	require.Equal(v, "POST", redeemed.Method)
	require.NotContains(v, redeemed.URL, "code", "the code stays out of addresses")
}

// TestNetworkBrowserLinks opens what the page links to: plain texts and documents, and nothing to complain of.
func TestNetworkBrowserLinks(t *testing.T) {
	v := visit(t)
	for _, c := range []struct{ path, has string }{
		{"/openapi.json", `"openapi"`},
		{"/problems", "request.invalid"},
		{"/problems/request.invalid", "Routes that may answer it"},
		{"/readyz", `"ready":true`},
	} {
		v.goTo(v.gateway + "/docs")
		v.ready()
		require.True(t, eval[bool](v, `document.querySelector("a[href='`+c.path+`']") !== null`), "the page links to %s", c.path)
		v.goTo(v.gateway + c.path)
		v.until(`document.readyState === "complete"`)
		require.Contains(t, eval[string](v, "document.body.textContent"), c.has)
	}
	require.Empty(t, v.unexpected())
	require.Equal(t, []string{v.gateway}, v.hosts())
}

// TestNetworkBrowserSignInWithoutScripts signs in at the provider in a browser that runs no scripts.
func TestNetworkBrowserSignInWithoutScripts(t *testing.T) {
	v := visit(t)
	address := v.provider + "/authorize?" + url.Values{
		"client_id": {"console"}, "response_type": {"code"}, "scope": {"openid"}, "redirect_uri": {v.gateway + "/docs"}, "state": {"s"},
		"code_challenge": {"E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"}, "code_challenge_method": {"S256"},
	}.Encode()
	v.devtools("Emulation.setScriptExecutionDisabled", chrome.Object{"value": true})
	v.goTo(address)
	v.click("input[value=citizen2]")
	v.click("button[type=submit]")
	v.seen("noscript")
	back, err := url.Parse(eval[string](v, "location.href"))
	require.NoError(t, err)
	require.Equal(t, "/docs", back.Path)
	require.NotEmpty(t, back.Query().Get("code"))
	require.Equal(t, "s", back.Query().Get("state"))
	require.Contains(t, v.text("main"), "needs JavaScript", "the page says what it needs")
	require.Empty(t, v.unexpected())
}

// TestNetworkBrowserPolicyHolds tries what the content policy forbids. It also shows that the record sees it.
func TestNetworkBrowserPolicyHolds(t *testing.T) {
	v := visit(t)
	v.goTo(v.gateway + "/docs")
	v.ready()
	require.Empty(t, v.unexpected())
	for _, c := range []struct{ name, attempt, directive string }{
		{"inline script", `document.body.append(Object.assign(document.createElement("script"), { textContent: "window.intruder = true" }))`, "script-src"},
		{"request elsewhere", `fetch("https://elsewhere.example/").catch(() => {}); 1`, "connect-src"},
		{"picture from elsewhere", `new Image().src = "https://elsewhere.example/a.png"`, "img-src"},
		{"form sent elsewhere", `(() => { const f = Object.assign(document.createElement("form"), { action: "https://elsewhere.example/" }); document.body.append(f); f.submit(); })()`, "form-action"},
	} {
		before := len(v.complaints())
		v.run(c.attempt)
		require.Eventually(t, func() bool {
			return slices.ContainsFunc(v.complaints()[before:], func(line string) bool { return strings.Contains(line, c.directive) })
		}, stepPatience, stepPatience/1000, "%s goes through, or is not seen", c.name)
	}
	require.True(t, eval[bool](v, "window.intruder === undefined"))
}
