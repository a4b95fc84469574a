package app_test

import (
	"net/http"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/gateway/app"
	"github.com/hutong-gov/hutong/gateway/client"
	"github.com/hutong-gov/hutong/test/story"
)

// looking is a use of tax whose subject wants to look first.
type looking struct {
	*scene
	officer story.Officer
	caseID  string
	consent string
	id      string
}

func newLooking(t *testing.T) *looking {
	t.Helper()
	l := &looking{scene: newScene(t)}
	l.caseID = l.apply(l.citizen)
	l.officer = l.scene.officer("market.tax")
	page, err := get[app.Page[exchange.Consent]](l.scene, l.officer.Client, "/v1/consents?case="+l.caseID)
	require.NoError(t, err)
	require.Len(t, page.Items, 1)
	terms := page.Items[0].Terms
	terms.PreviewRequired, terms.Nonce = true, "nonce-of-who-looks-first"
	jws, err := l.citizen.Sign(exchange.ConsentKind, terms)
	require.NoError(t, err)
	given, err := do[app.Receipt](l.scene, l.citizen.Client, http.MethodPost, "/v1/consents", app.GiveConsent{Consent: jws})
	require.NoError(t, err)
	l.consent = given.ID
	_, err = l.fetch()
	require.Equal(t, "exchange.not_released", client.Reason(err))
	uses, _, err := story.AccessLog(l.ctx, l.citizen.Client, 0)
	require.NoError(t, err)
	require.Len(t, uses, 1)
	require.Equal(t, exchange.Prepared, uses[0].Status)
	l.id = uses[0].Use
	return l
}

// fetch asks for the use, always the same one.
func (l *looking) fetch() (app.Used, error) {
	request := app.RequestUse{Case: l.caseID, Material: "tax-identity", Consent: l.consent}
	return do[app.Used](l.scene, l.officer.Client, http.MethodPost, "/v1/uses", request, client.Key("looked-at"))
}

func (l *looking) preview(user string) (app.Preview, error) {
	return get[app.Preview](l.scene, l.as("services", user), "/v1/uses/"+l.id+"/preview")
}

func (l *looking) release(p app.Preview) error {
	jws, err := l.citizen.Sign(exchange.ReleaseKind, p.Release)
	require.NoError(l.t, err)
	_, err = do[app.Receipt](l.scene, l.citizen.Client, http.MethodPut, "/v1/uses/"+l.id+"/release", app.ReleaseUse{Release: jws})
	return err
}

func (l *looking) refuse(p app.Preview) error {
	jws, err := l.citizen.Sign(exchange.RefusalKind, p.Refusal)
	require.NoError(l.t, err)
	_, err = do[app.Receipt](l.scene, l.citizen.Client, http.MethodPut, "/v1/uses/"+l.id+"/refusal", app.RefuseUse{Refusal: jws})
	return err
}

// TestWhatTheSubjectSawIsWhatIsDelivered: the hash of the preview is that of the delivery.
func TestWhatTheSubjectSawIsWhatIsDelivered(t *testing.T) {
	t.Parallel()
	l := newLooking(t)
	_, err := l.fetch()
	require.Equal(t, "exchange.not_released", client.Reason(err), "however often it is asked")
	p, err := l.preview("citizen1")
	require.NoError(t, err)
	person, _, _ := l.World.Behind("citizen1")
	require.JSONEq(t, `"`+person.IDNumber+`"`, string(p.Document.Values()["id_number"]))
	root, err := p.Document.Root()
	require.NoError(t, err)
	require.Equal(t, p.Use.Preview, root)
	// Nothing is sealed to the consumer before it is released.
	_, err = get[any](l.scene, l.as("services", ""), "/v1/sealed/"+root+"/market.tax")
	require.Equal(t, "sealed.missing", client.Reason(err))

	require.NoError(t, l.release(p))
	item, err := get[app.Item[exchange.Use]](l.scene, l.officer.Client, "/v1/uses/"+l.id)
	require.NoError(t, err)
	require.Equal(t, exchange.Delivered, item.Item.Status, "the provider is told at once")
	used, err := l.fetch()
	require.NoError(t, err)
	require.Equal(t, exchange.Acknowledged, used.Status)
	require.Equal(t, root, used.Delivery)
	payload, err := get[app.Payload](l.scene, l.officer.Client, "/v1/uses/"+l.id+"/payload")
	require.NoError(t, err)
	require.Equal(t, *p.Document, payload.Document, "salts and all")
	require.Equal(t, "exchange.already_delivered", client.Reason(l.refuse(p)))
}

func TestASubjectThatRefusesHasNothingDelivered(t *testing.T) {
	t.Parallel()
	l := newLooking(t)
	p, err := l.preview("citizen1")
	require.NoError(t, err)
	require.NoError(t, l.refuse(p))
	_, err = l.fetch()
	require.Equal(t, "exchange.use_refused", client.Reason(err))
	require.Equal(t, "exchange.use_refused", client.Reason(l.release(p)))
	_, err = get[any](l.scene, l.officer.Client, "/v1/uses/"+l.id+"/payload")
	require.Equal(t, "exchange.not_delivered", client.Reason(err))
	_, err = get[any](l.scene, l.as("services", ""), "/v1/sealed/"+p.Use.Preview+"/market.tax")
	require.Equal(t, "sealed.missing", client.Reason(err))
	uses, head, err := story.AccessLog(l.ctx, l.citizen.Client, 0)
	require.NoError(t, err)
	require.Equal(t, exchange.Refused, uses[0].Status, "it stays in the log")
	require.Equal(t, 1, head.Count)
}

// TestWhoSeesAPreview: the subject all of it, a window of the portal without what is sensitive, nobody else anything.
func TestWhoSeesAPreview(t *testing.T) {
	t.Parallel()
	l := newLooking(t)
	p, err := l.preview("citizen1")
	require.NoError(t, err)
	for _, f := range p.Fields {
		require.False(t, f.Masked, f.Name)
		require.NotEmpty(t, f.Value, f.Name)
	}
	require.Len(t, p.Fields, 2)
	dataset, err := get[app.Page[exchange.Dataset]](l.scene, l.as("services", ""), "/v1/datasets")
	require.NoError(t, err)
	at := slices.IndexFunc(dataset.Items, func(d exchange.Dataset) bool { return d.ID == p.Use.Dataset })
	require.GreaterOrEqual(t, at, 0)
	sensitivity := map[string]string{}
	for _, f := range dataset.Items[at].Fields {
		sensitivity[f.Name] = f.Sensitivity
	}
	window, err := l.preview("portal.hall")
	require.NoError(t, err)
	require.Nil(t, window.Document)
	hidden := len(p.Fields) - len(window.Fields)
	for _, f := range window.Fields {
		require.NotEqual(t, exchange.Sensitive, sensitivity[f.Name], f.Name)
		require.Equal(t, sensitivity[f.Name] == exchange.Personal, f.Masked, f.Name)
		require.Equal(t, f.Masked, len(f.Value) == 0, f.Name)
		if f.Masked {
			hidden++
		}
	}
	require.NotZero(t, hidden, "the material has a field that is about a person")
	for user, reason := range map[string]string{"citizen2": "use.missing", "portal.police": "gateway.not_served", "officer.tax": "access.role"} {
		_, err := l.preview(user)
		require.Equal(t, reason, client.Reason(err), user)
	}
	// Another citizen cannot decide, nor can the portal without the subject's signature.
	jws, err := l.citizen.Sign(exchange.ReleaseKind, p.Release)
	require.NoError(t, err)
	_, err = do[any](l.scene, l.as("services", "citizen2"), http.MethodPut, "/v1/uses/"+l.id+"/release", app.ReleaseUse{Release: jws})
	require.Equal(t, "use.missing", client.Reason(err))
	other := p.Release
	other.Preview = p.Use.Selector
	jws, err = l.citizen.Sign(exchange.ReleaseKind, other)
	require.NoError(t, err)
	_, err = do[any](l.scene, l.as("services", "portal.hall"), http.MethodPut, "/v1/uses/"+l.id+"/release", app.ReleaseUse{Release: jws})
	require.Equal(t, "exchange.release_mismatch", client.Reason(err))
}

// TestNothingIsReadAgainAfterTheRelease: what was shown is kept, whatever the database says when it is released.
func TestNothingIsReadAgainAfterTheRelease(t *testing.T) {
	t.Parallel()
	l := newLooking(t)
	p, err := l.preview("citizen1")
	require.NoError(t, err)
	l.Gateways["services"].App.Connectors = nil // a second reading would end in a panic
	require.NoError(t, l.release(p))
	used, err := l.fetch()
	require.NoError(t, err)
	require.Equal(t, p.Use.Preview, used.Delivery)
}
