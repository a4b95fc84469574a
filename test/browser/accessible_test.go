package browser

import (
	"context"
	_ "embed"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/test/browser/chrome"
)

// checks are functions that look at a page from inside; see the file.
//
//go:embed testdata/checks.js
var checks string

// look judges the page that is open: structure once, contrast by day and by night, and width on a desk and a telephone.
func (v *visitor) look(name string) {
	v.Helper()
	v.run(checks)
	require.Empty(v, eval[[]string](v, "checks.structure()"), name)
	for _, s := range []string{"light", "dark"} {
		v.scheme(s)
		require.Empty(v, eval[[]string](v, "checks.contrast()"), "%s, %s", name, s)
	}
	v.width(telephone)
	require.Empty(v, eval[[]string](v, "checks.overflow()"), "%s scrolls sideways on a telephone", name)
	v.picture(name + "-390-dark")
	v.scheme("light")
	v.picture(name + "-390")
	v.width(desk)
	require.Empty(v, eval[[]string](v, "checks.overflow()"), "%s scrolls sideways on a desk", name)
	v.picture(name + "-1280")
}

// named are the roles that mean nothing without a name.
var named = []string{"link", "button", "textbox", "searchbox", "checkbox", "radio", "navigation", "region", "DisclosureTriangle"}

// tree gives the roles of the page as assistive technology is told them, and those that lack their name.
func (v *visitor) tree() (roles, nameless []string) {
	v.Helper()
	var tree struct {
		Nodes []struct {
			Ignored    bool
			Role, Name struct{ Value string }
		}
	}
	v.step(func(ctx context.Context) error { return v.tab.Call(ctx, "Accessibility.getFullAXTree", nil, &tree) })
	for _, node := range tree.Nodes {
		if node.Ignored {
			continue
		}
		roles = append(roles, node.Role.Value)
		if slices.Contains(named, node.Role.Value) && strings.TrimSpace(node.Name.Value) == "" {
			nameless = append(nameless, node.Role.Value)
		}
	}
	return roles, nameless
}

// told checks what assistive technology is told of the page: these landmarks and controls, all with their names.
func (v *visitor) told(name string, wanted ...string) {
	v.Helper()
	roles, nameless := v.tree()
	require.Empty(v, nameless, "%s: these have no name", name)
	require.Subset(v, roles, wanted, name)
}

func TestNetworkBrowserAccessible(t *testing.T) {
	v := visit(t)
	v.goTo(v.gateway + "/docs")
	v.ready()
	v.look("docs")
	v.told("docs", "banner", "navigation", "main", "search", "contentinfo")
	// every form at once, one with a refusal on it
	v.call("get_subjects_me", "")
	v.run(`document.querySelectorAll("details").forEach(d => d.open = true)`)
	v.look("docs-open")
	v.told("docs-open", "textbox", "button", "region", "link")

	v.click("#sign-in")
	v.seen("input[name=user]")
	v.look("login")
	v.told("login", "main", "radio", "button")
	for name, address := range map[string]string{"provider": v.provider, "signed-out": v.provider + "/signed-out"} {
		v.goTo(address)
		v.seen("h1")
		v.look(name)
		v.told(name, "main")
	}
	require.Empty(t, v.unexpected(refused(401, "/v1/subjects/me")))
}

// focused says where the focus is, and complains if a visitor could not see it.
func (v *visitor) focused() string {
	v.Helper()
	require.Empty(v, eval[[]string](v, "checks.focus()"))
	return eval[string](v, "checks.focused()")
}

// tabTo goes on with the tabulator until the focus is somewhere, and gives all stations.
func (v *visitor) tabTo(place string) (stations []string) {
	v.Helper()
	const farthest = 40
	for range farthest {
		v.press(chrome.TabKey)
		stations = append(stations, v.focused())
		if stations[len(stations)-1] == place {
			return stations
		}
	}
	require.Fail(v, "the tabulator does not lead there", "%s: %v", place, stations)
	return nil
}

// TestNetworkBrowserKeyboard is a visit without a mouse: find a route, send it, sign in, choose, come back.
func TestNetworkBrowserKeyboard(t *testing.T) {
	v := visit(t)
	v.goTo(v.gateway + "/docs")
	v.ready()
	v.run(checks)
	stations := v.tabTo("get_agencies summary")
	require.Equal(t, []string{"Skip to the routes", "sign-in", "#group-agencies", "#group-datasets"}, stations[:4], "in the order of reading")
	require.Equal(t, "find", stations[len(stations)-2])
	require.Empty(t, eval[[]string](v, "checks.order()"))

	v.press(chrome.Enter)
	v.tabTo("get_agencies.page_size")
	v.write("1")
	v.tabTo("get_agencies send")
	v.press(chrome.Enter)
	v.seen("#get_agencies pre")
	require.Contains(t, v.text("#get_agencies [role=status]"), "200")
	require.Equal(t, "get_agencies send", v.focused(), "the focus stays while the answer comes")

	v.run(`document.querySelector("#find").focus()`)
	v.write("subjects me")
	require.Equal(t, "8 routes", v.text("#found"))
	require.Equal(t, []string{"get_subjects_me summary"}, v.tabTo("get_subjects_me summary"), "what is not found is not in the way")

	v.run(`document.querySelector("#sign-in").focus()`)
	v.press(chrome.Enter)
	v.seen("input[name=user]")
	v.run(checks)
	v.tabTo("citizen1")
	v.press(chrome.ArrowDown)
	require.Equal(t, "citizen2", v.focused())
	v.tabTo("Sign in")
	v.press(chrome.Enter)
	v.seen("#sign-out")
	require.Contains(t, v.text("#session"), "citizen2")
	require.Empty(t, v.unexpected())
}

// TestNetworkBrowserChecksSee spoils the page in every way the checks look for, and sees each of them complain.
func TestNetworkBrowserChecksSee(t *testing.T) {
	v := visit(t)
	v.goTo(v.gateway + "/docs")
	v.ready()
	v.run(checks)
	v.run("globalThis.clean = document.body.cloneNode(true); 0")
	for _, c := range []struct{ name, spoil, check string }{
		{"faint text", `document.querySelector("h1").style.color = "#999"`, "contrast"},
		{"faint edge", `document.querySelector("#find").style.borderColor = "#ddd"`, "contrast"},
		{"level of heading left out", `document.querySelector("#routes h2").outerHTML = "<h4 id=spoilt>Spoilt</h4>"`, "structure"},
		{"heading in one language", `document.querySelector("#routes h2 [lang]").remove()`, "structure"},
		{"Chinese not marked", `document.querySelector("footer p").append("政务")`, "structure"},
		{"id twice", `document.querySelector("footer").id = "find"`, "structure"},
		{"tab index", `document.querySelector("#find").tabIndex = 3`, "structure"},
		{"too wide", `document.querySelector("footer").style.width = "2000px"`, "overflow"},
		{"no outline", `document.querySelector("#find").style.outline = "none"`, "focus"},
		{"faint outline", `document.querySelector("#find").style.outlineColor = "#fd8"`, "focus"},
		{"order turned round", `document.querySelector("#routes").style.cssText = "display: flex; flex-direction: column-reverse"`, "order"},
	} {
		v.run(`document.querySelector("#find").focus()`)
		require.Empty(t, eval[[]string](v, "checks."+c.check+"()"), "before: %s", c.name)
		v.run(c.spoil)
		require.NotEmpty(t, eval[[]string](v, "checks."+c.check+"()"), c.name)
		v.run("document.body.replaceWith(clean.cloneNode(true))")
	}
	v.run(`document.querySelector("footer").append(document.createElement("button"), document.createElement("input"))`)
	_, nameless := v.tree()
	require.ElementsMatch(t, []string{"button", "textbox"}, nameless)
}
