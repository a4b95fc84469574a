package browser

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/canonical"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/signed"
	"github.com/hutong-gov/hutong/gateway/client"
	"github.com/hutong-gov/hutong/gateway/client/api"
	"github.com/hutong-gov/hutong/network/catalogue"
	"github.com/hutong-gov/hutong/test/browser/chrome"
	"github.com/hutong-gov/hutong/test/story"
)

// asking is the address at which a portal asks for a consent.
func asking(v *visitor) string {
	v.Helper()
	from := time.Now().UTC().Truncate(time.Hour)
	raw, err := json.Marshal(map[string]any{
		"dataset": "services.police/identity", "fields": []string{"name", "id_number"}, "consumer": "market.tax", "purpose": story.Service,
		"case": strings.Repeat("0", 26), "max_uses": 2, "valid_from": from.Format(time.RFC3339), "valid_until": from.AddDate(0, 1, 0).Format(time.RFC3339),
	})
	require.NoError(v, err)
	return v.gateway + "/consents#ask=" + base64.RawURLEncoding.EncodeToString(raw)
}

// TestNetworkBrowserConsents is a citizen's whole way with a key of the browser's own: asked, told what for, signs, sees it,
// revokes. What the browser signed is verified by the rules of the ledger, here once more and with nothing in between.
func TestNetworkBrowserConsents(t *testing.T) {
	v := visit(t)
	live := story.NewLive(v.network)
	c, err := catalogue.Default()
	require.NoError(t, err)
	_, err = c.Active().Load(v.ctx, live.Admin, catalogue.Options{})
	require.NoError(t, err)

	address := asking(v)
	v.goTo(address)
	v.seen("#sign-in")
	v.click("#sign-in")
	v.click("input[value=citizen3]")
	v.click("button[type=submit]")
	v.seen("#given")
	require.Equal(t, address, eval[string](v, "location.href"), "back where the portal led the citizen")
	v.seen("#asked")
	require.True(t, eval[bool](v, `document.querySelector("#agree").disabled`), "nothing to sign with yet")
	v.click("#make-key")
	v.until(`!document.querySelector("#agree").disabled`)

	shown := v.text("#terms")
	for _, text := range []string{"税务", "market.tax", "services.police/identity", "id_number", story.Service, strings.Repeat("0", 26), "最多几次", "How often at most", "到何时", "Until"} {
		require.Contains(t, shown, text)
	}
	v.look("consents")
	v.told("consents", "banner", "main", "contentinfo", "button", "region")

	v.width(telephone)
	v.run(checks)
	v.run(`document.querySelector("#sign-out").focus()`)
	v.tabTo("agree")
	v.press(chrome.Enter)
	v.seen(".consent button")
	require.Empty(t, eval[[]string](v, "checks.overflow()"))
	v.look("consents-given")
	verified(v, live)

	v.width(telephone)
	v.run(`document.querySelector(".consent button").focus()`)
	v.press(chrome.Enter) // one key, and it is over
	v.until(`document.querySelector("#consents").innerText.includes("Revoked")`)
	require.Contains(t, v.text("#says"), "已撤销")
	page := consentsOf(v, live)
	require.Equal(t, exchange.Revoked, page.Items[0].Status)
	verified(v, live)

	v.click("#make-code")
	v.seen("#picture")
	require.Regexp(t, `^\d{4} \d{4}$`, v.text("#digits"))
	v.until(`document.querySelector("#picture").naturalWidth > 100`)
	v.look("consents-code")
	v.click("#cancel-code")
	v.until(`document.querySelector("#code").hidden`)
	require.Contains(t, v.text("#says"), "The code is cancelled.")

	require.False(t, eval[bool](v, `new Promise((done, failed) => {
		const opening = indexedDB.open("hutong-signer");
		opening.onsuccess = () => {
			const all = opening.result.transaction("keys").objectStore("keys").getAll();
			all.onsuccess = () => done(all.result[0].privateKey.extractable);
		};
		opening.onerror = failed;
	})`), "no script can read the private key")
	require.Empty(t, v.unexpected())
	require.ElementsMatch(t, []string{v.gateway, v.provider}, v.hosts(), "no request leaves to another host")
}

// citizen3 is the same citizen outside the browser.
func citizen3(v *visitor, live *story.Live) *client.Client {
	v.Helper()
	c, err := live.SignIn(v.ctx, organisation, "citizen3")
	require.NoError(v, err)
	return c
}

func consentsOf(v *visitor, live *story.Live) (page struct{ Items []exchange.Consent }) {
	v.Helper()
	page, err := client.Do[struct{ Items []exchange.Consent }](v.ctx, citizen3(v, live), http.MethodGet, "/v1/consents", nil)
	require.NoError(v, err)
	require.Len(v, page.Items, 1)
	return page
}

// verified applies the rules of the chaincode to what the browser made.
func verified(v *visitor, live *story.Live) {
	v.Helper()
	me, err := api.Of(citizen3(v, live)).Me(v.ctx, api.Me{})
	require.NoError(v, err)
	c := consentsOf(v, live).Items[0]
	require.Equal(v, me.SigningKey.Thumbprint(), c.Key)

	var terms exchange.ConsentTerms
	require.NoError(v, signed.Open(c.JWS, "jws", exchange.ConsentKind, *me.SigningKey, &terms))
	require.NoError(v, terms.Validate())
	require.Equal(v, c.Terms, terms)
	id, err := terms.ID()
	require.NoError(v, err)
	require.Equal(v, c.ID, id)
	raw, err := canonical.Marshal(terms)
	require.NoError(v, err)
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(c.JWS, ".")[1])
	require.NoError(v, err)
	require.Equal(v, string(raw), string(payload), "the same bytes as the Go signer's")

	s, err := client.Do[exchange.Signatures](v.ctx, citizen3(v, live), http.MethodGet, "/v1/consents/"+url.PathEscape(c.ID)+"/signatures", nil)
	require.NoError(v, err, "and the chaincode's own read says so")
	require.Equal(v, c.Key, s.Key.Thumbprint)
}

// TestNetworkBrowserCanonical holds the browser's canonical JSON to ours, text by text.
func TestNetworkBrowserCanonical(t *testing.T) {
	v := visit(t)
	v.goTo(v.gateway + "/consents")
	v.seen("#sign-in")
	for _, value := range []any{
		map[string]any{"b": 1, "a": []any{true, nil, "x"}, "": map[string]any{}}, map[string]any{"中": "文", "é": "\u2028\u0001\"\\/", "€": -7, "😀": 9007199254740991, "\ufb33": 0},
		[]any{}, "\b\f\n\r\t\u007f", map[string]any{"valid_from": time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)},
	} {
		want, err := canonical.Marshal(value)
		require.NoError(t, err)
		plain, err := json.Marshal(value)
		require.NoError(t, err)
		require.Equal(t, string(want), eval[string](v, `import("/signer.js").then(m => m.canonical(JSON.parse(`+string(mustQuote(t, string(plain)))+`)))`))
	}
	for _, bad := range []string{"1.5", "2 ** 53", "'\\ud800'", "() => 1"} {
		require.True(t, eval[bool](v, `import("/signer.js").then(m => { try { m.canonical(`+bad+`); return false } catch { return true } })`), bad)
	}
	require.Empty(t, v.unexpected())
}

func mustQuote(t *testing.T, text string) []byte {
	quoted, err := json.Marshal(text)
	require.NoError(t, err)
	return quoted
}
