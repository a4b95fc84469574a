package exchange_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/kernel"
)

func TestWhoAsksForAPreview(t *testing.T) {
	for name, c := range map[string]struct {
		ask  func(*useWorld)
		want bool
	}{
		"nobody":      {func(*useWorld) {}, false},
		"the dataset": {func(w *useWorld) { w.Dataset.PreviewRequired = true }, true},
		"the terms":   {func(w *useWorld) { w.Grant.Terms.PreviewRequired = true }, true},
		"the consent": {func(w *useWorld) { w.Consent.Terms.PreviewRequired = true }, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := freshUse()
			c.ask(w)
			u, _, _, err := w.request.Request(useID, w.by, w.Context, kernel.At(w.at))
			require.NoError(t, err)
			require.Equal(t, c.want, u.PreviewRequired)
		})
	}
}

// looked is a use whose subject looks first, in a status.
func looked(status string) exchange.Use {
	u := used(1)
	u.PreviewRequired, u.Status = true, status
	if status != exchange.Requested {
		u.Preview = hashB
	}
	return u
}

func TestPrepareUse(t *testing.T) {
	type world struct {
		by  access.Caller
		use exchange.Use
		exchange.Basis
		at time.Time
	}
	request := exchange.PrepareUse{Use: useID, Commitment: hashB}
	require.NoError(t, request.Validate())
	fresh := func() *world {
		consent := given()
		consent.Terms.Until = now.Add(4 * day)
		return &world{asHouse, looked(exchange.Requested), exchange.Basis{Dataset: premises(), Grant: granted(), Consent: &consent}, now.Add(exchange.DeliveryPeriod)}
	}
	run := func(w *world) error {
		u, event, err := w.use.Prepare(w.by, request, w.Basis, kernel.At(w.at))
		if err == nil {
			require.Equal(t, exchange.Prepared, u.Status)
			require.Equal(t, hashB, u.Preview)
			require.Empty(t, u.Delivery)
			require.Equal(t, kernel.Change{Type: exchange.EventUsePrepared, ID: useID, Subject: alice, Agency: tax, Case: caseID}, event)
		}
		return err
	}
	checkGuards(t, exchange.UsePrepare, fresh, run, []guard[world]{
		{"not the provider", func(w *world) { w.by = asTax }, "access.other_agency"},
		{"nobody asks", func(w *world) { w.use.PreviewRequired = false }, "exchange.preview_unasked"},
		{"prepared before", func(w *world) { w.use.Status = exchange.Prepared }, "exchange.already_prepared"},
		{"late", func(w *world) { w.at = w.use.Until.Add(time.Millisecond) }, "exchange.delivery_late"},
		{"dataset withdrawn since", func(w *world) { w.Dataset.Status = exchange.Withdrawn }, "exchange.dataset_withdrawn"},
		{"field withdrawn since", func(w *world) { w.Dataset.Fields = w.Dataset.Fields[1:] }, "exchange.field_unknown"},
		{"grant withdrawn since", func(w *world) { w.Grant.Status = exchange.Withdrawn }, "exchange.grant_withdrawn"},
		{"grant suspended since", func(w *world) { w.Grant.Status = exchange.Suspended }, "exchange.grant_suspended"},
		{"begins later since", func(w *world) { w.Grant.Terms.ValidFrom = w.at.Add(time.Millisecond) }, "exchange.grant_not_yet_valid"},
		{"grant expired since", func(w *world) { w.Grant.Terms.ValidUntil = w.at }, "exchange.grant_expired"},
		{"purpose taken out since", func(w *world) { w.Grant.Terms.Purposes = []string{"business.start"} }, "exchange.purpose_not_granted"},
		{"field taken out since", func(w *world) { w.Grant.Terms.Fields = []string{"area"} }, "exchange.field_not_granted"},
		{"only to verify since", func(w *world) { w.Grant.Terms.Modes = []string{exchange.ModeVerify} }, "exchange.mode_not_granted"},
		{"no consent, which the terms ask for since", func(w *world) { w.Consent = nil }, "exchange.consent_required"},
		{"consent revoked since", func(w *world) { w.Consent.Status = exchange.Revoked }, "exchange.consent_revoked"},
		{"consent expired since", func(w *world) { w.Consent.Terms.Until = w.at }, "exchange.consent_expired"},
	})
}

// decision is what a subject decides about a use, and when.
type decision struct {
	use     exchange.Use
	release exchange.Release
	signer  string
	channel string
	at      time.Time
}

func freshDecision() *decision {
	return &decision{looked(exchange.Prepared), exchange.Release{Channel: channel, Subject: alice, Use: useID, Preview: hashB}, alice, channel, now}
}

func TestReleaseUse(t *testing.T) {
	run := func(d *decision) error {
		request := exchange.ReleaseUse{Use: useID, JWS: sign(keys[d.signer], exchange.ReleaseKind, d.release)}
		require.NoError(t, request.Validate())
		u, event, err := d.use.Release(request, d.channel, subject(alice), kernel.At(d.at))
		if err == nil {
			require.Equal(t, exchange.Released, u.Status)
			require.Equal(t, request.JWS, u.Decision)
			require.Equal(t, kernel.Change{Type: exchange.EventUseReleased, ID: useID, Subject: alice, Agency: housing, Case: caseID}, event)
		}
		return err
	}
	checkGuards(t, exchange.UseRelease, freshDecision, run, []guard[decision]{
		{"signed by another", func(d *decision) { d.signer = bob }, "signature.forged"},
		{"another channel", func(d *decision) { d.channel = "elsewhere" }, "exchange.channel_mismatch"},
		{"another subject", func(d *decision) { d.release.Subject = bob }, "exchange.subject_mismatch"},
		{"another use", func(d *decision) { d.release.Use = caseID }, "exchange.release_mismatch"},
		{"something else was shown", func(d *decision) { d.release.Preview = hashA }, "exchange.release_mismatch"},
		{"nothing prepared", func(d *decision) { d.use.Status = exchange.Requested }, "exchange.not_prepared"},
		{"refused before", func(d *decision) { d.use.Status = exchange.Refused }, "exchange.use_refused"},
		{"released before", func(d *decision) { d.use.Status = exchange.Released }, "exchange.already_released"},
		{"late", func(d *decision) { d.at = d.use.Until.Add(time.Millisecond) }, "exchange.delivery_late"},
	})
}

func TestRefuseUse(t *testing.T) {
	run := func(d *decision) error {
		request := exchange.RefuseUse{Use: useID, JWS: sign(keys[d.signer], exchange.RefusalKind, exchange.Refusal{
			Channel: d.release.Channel, Subject: d.release.Subject, Use: d.release.Use,
		})}
		require.NoError(t, request.Validate())
		u, event, err := d.use.Refuse(request, d.channel, subject(alice))
		if err == nil {
			require.Equal(t, exchange.Refused, u.Status)
			require.Equal(t, request.JWS, u.Decision)
			require.Equal(t, kernel.Change{Type: exchange.EventUseRefused, ID: useID, Subject: alice, Agency: tax, Case: caseID}, event)
		}
		return err
	}
	checkGuards(t, exchange.UseRefuse, freshDecision, run, []guard[decision]{
		{"signed by another", func(d *decision) { d.signer = bob }, "signature.forged"},
		{"another channel", func(d *decision) { d.channel = "elsewhere" }, "exchange.channel_mismatch"},
		{"another subject", func(d *decision) { d.release.Subject = bob }, "exchange.subject_mismatch"},
		{"another use", func(d *decision) { d.release.Use = caseID }, "exchange.release_mismatch"},
		{"nothing prepared", func(d *decision) { d.use.Status = exchange.Requested }, "exchange.not_prepared"},
		{"refused before", func(d *decision) { d.use.Status = exchange.Refused }, "exchange.use_refused"},
		{"delivered", func(d *decision) { d.use.Status = exchange.Delivered }, "exchange.already_delivered"},
	})
	d := freshDecision()
	d.use.Status = exchange.Released
	require.NoError(t, run(d), "a release is taken back before it is delivered")
}

func TestADecisionOfAnotherKindIsNone(t *testing.T) {
	jws := sign(keys[alice], exchange.RefusalKind, exchange.Refusal{Channel: channel, Subject: alice, Use: useID})
	require.Equal(t, "signature.kind", reason(exchange.ReleaseUse{Use: useID, JWS: jws}.Validate()))
	require.NoError(t, exchange.RefuseUse{Use: useID, JWS: jws}.Validate())
}
