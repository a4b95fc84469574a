package exchange_test

import (
	"crypto/ecdsa"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/chaincode/state"
)

const digits = "04170815"

var salt = base64.RawURLEncoding.EncodeToString([]byte(strings.Repeat("s", exchange.CodeSaltBytes)))

func codeTerms() exchange.CodeTerms {
	hash, err := exchange.HashCode(salt, channel, alice, digits)
	if err != nil {
		panic(err)
	}
	return exchange.CodeTerms{
		Channel: channel, Subject: alice, Consumer: tax, Purpose: "tax.check",
		Datasets: []exchange.CodeDataset{{Dataset: housing + "/plans", Fields: []string{"address"}}, {Dataset: housing + "/premises", Fields: []string{"address", "area"}}},
		Case:     caseID, MaxUses: 2, From: now.Add(-time.Minute), Until: now.Add(15 * time.Minute), ConsentUntil: now.Add(30 * day),
		Hash: hash, Nonce: "0123456789abcdef",
	}
}

func code() exchange.Code {
	return exchange.Code{Head: state.Head{ID: otherID, Status: exchange.Given}, Terms: codeTerms(), JWS: "a.b.c", Key: public(keys[alice]).Thumbprint()}
}

func matter() exchange.Matter {
	return exchange.Matter{Subject: alice, Open: true, Agencies: []string{tax, housing}}
}

func TestGiveCode(t *testing.T) {
	type world struct {
		signer   *ecdsa.PrivateKey
		terms    exchange.CodeTerms
		datasets []exchange.Dataset
		at       time.Time
	}
	fresh := func() *world {
		return &world{keys[alice], codeTerms(), []exchange.Dataset{premises(), premises()}, now}
	}
	run := func(w *world) error {
		request := exchange.GiveCode{JWS: sign(w.signer, exchange.CodeKind, w.terms)}
		require.NoError(t, request.Validate())
		c, event, err := request.Give(otherID, channel, subject(alice), w.datasets, kernel.At(w.at))
		if err == nil {
			want := code()
			want.JWS = request.JWS
			require.Equal(t, want, c)
			require.Equal(t, kernel.Change{Type: exchange.EventCodeGiven, ID: otherID, Subject: alice, Agency: tax, Case: caseID}, event)
		}
		return err
	}
	checkGuards(t, exchange.CodeGive, fresh, run, []guard[world]{
		{"signed by another key", func(w *world) { w.signer = keys[bob] }, "signature.forged"},
		{"for another channel", func(w *world) { w.terms.Channel = "harbour" }, "exchange.channel_mismatch"},
		{"dataset withdrawn", func(w *world) { w.datasets[1].Status = exchange.Withdrawn }, "exchange.dataset_withdrawn"},
		{"field unknown", func(w *world) { w.terms.Datasets[1].Fields = []string{"rent"} }, "exchange.field_unknown"},
		{"time over", func(w *world) { w.at = w.terms.Until }, "exchange.code_expired"},
	})
}

// shown is a code at a window.
type shown struct {
	code    exchange.Code
	by      access.Caller
	caseID  string
	subject exchange.Subject
	matter  exchange.Matter
	at      time.Time
	digits  string
	salt    string
}

func freshShown() *shown {
	return &shown{code(), asTax, caseID, subject(alice), matter(), now, digits, salt}
}

func guardsOfACode(last guard[shown]) []guard[shown] {
	return []guard[shown]{
		{"redeemed", func(w *shown) { w.code.Status = exchange.Redeemed }, "exchange.code_redeemed"},
		{"cancelled", func(w *shown) { w.code.Status = exchange.Cancelled }, "exchange.code_cancelled"},
		{"not yet", func(w *shown) { w.code.Terms.From = w.at.Add(time.Second) }, "exchange.code_not_yet_valid"},
		{"over", func(w *shown) { w.code.Terms.Until = w.at }, "exchange.code_expired"},
		{"another key now", func(w *shown) { w.subject.SigningKey = public(newer) }, "exchange.code_key_retired"},
		{"another agency", func(w *shown) { w.code.Terms.Consumer = housing }, "exchange.code_mismatch"},
		{"another case", func(w *shown) { w.code.Terms.Case = useID }, "exchange.code_mismatch"},
		{"case closed", func(w *shown) { w.matter.Open = false }, "exchange.case_closed"},
		{"case of another subject", func(w *shown) { w.matter.Subject = bob }, "exchange.case_mismatch"},
		{"no part in the case", func(w *shown) { w.matter.Agencies = []string{housing} }, "exchange.agency_not_in_case"},
		last,
	}
}

func TestPresentCode(t *testing.T) {
	run := func(w *shown) error {
		request := exchange.PresentCode{Code: otherID, Case: w.caseID, Attempt: hashA}
		require.NoError(t, request.Validate())
		c, event, err := w.code.Present(request, w.by, w.subject, w.matter, kernel.At(w.at))
		if err == nil {
			require.Equal(t, []any{1, hashA, tax, exchange.Given}, []any{c.Attempts, c.Attempt, c.Presenter, c.Status})
			require.Equal(t, kernel.Change{Type: exchange.EventCodePresented, ID: otherID, Subject: alice, Agency: tax, Case: caseID}, event)
		}
		return err
	}
	checkGuards(t, exchange.CodePresent, freshShown, run, guardsOfACode(
		guard[shown]{"five attempts", func(w *shown) { w.code.Attempts = exchange.MaxAttempts }, "exchange.code_dead"}))
}

func TestRedeemCode(t *testing.T) {
	run := func(w *shown) error {
		request := exchange.RedeemCode{Code: otherID, Case: w.caseID, Digits: w.digits, Salt: w.salt}
		require.NoError(t, request.Validate())
		c, consents, event, err := w.code.Redeem(request, w.by, w.subject, w.matter, kernel.At(w.at))
		if err == nil {
			require.Equal(t, exchange.Redeemed, c.Status)
			require.Len(t, consents, 2)
			for i, consent := range consents {
				d := w.code.Terms.Datasets[i]
				require.Equal(t, exchange.RedeemedConsent(alice, otherID, d.Dataset), consent.ID)
				require.Equal(t, c.Consents[i], consent.ID)
				require.Equal(t, exchange.ConsentTerms{
					Channel: channel, Subject: alice, Dataset: d.Dataset, Fields: d.Fields, Consumer: tax, Purpose: "tax.check", Case: caseID,
					MaxUses: 2, From: now.Add(-time.Minute), Until: now.Add(30 * day), Nonce: "0123456789abcdef",
				}, consent.Terms)
				require.NoError(t, consent.Terms.Validate())
				require.Equal(t, []string{exchange.Given, otherID, c.Key, c.JWS}, []string{consent.Status, consent.Code, consent.Key, consent.JWS})
			}
			require.NotEqual(t, c.Consents[0], c.Consents[1])
			require.Equal(t, kernel.Change{Type: exchange.EventCodeRedeemed, ID: otherID, Subject: alice, Agency: tax, Case: caseID}, event)
		}
		return err
	}
	checkGuards(t, exchange.CodeRedeem, freshShown, run, guardsOfACode(
		guard[shown]{"wrong digits", func(w *shown) { w.digits = "04170816" }, "exchange.code_wrong"}))

	w := freshShown()
	w.salt = base64.RawURLEncoding.EncodeToString([]byte(strings.Repeat("t", exchange.CodeSaltBytes)))
	require.Equal(t, "exchange.code_wrong", reason(run(w)), "another salt")
	w = freshShown()
	w.code.Terms.Consumer, w.code.Terms.Case = "", ""
	require.NoError(t, run(w), "the window decides what the terms leave open")
}

func TestCancelCode(t *testing.T) {
	type world struct {
		code   exchange.Code
		signer *ecdsa.PrivateKey
		said   exchange.Cancellation
	}
	fresh := func() *world {
		return &world{code(), keys[alice], exchange.Cancellation{Channel: channel, Subject: alice, Code: otherID}}
	}
	run := func(w *world) error {
		request := exchange.CancelCode{Code: otherID, JWS: sign(w.signer, exchange.CancellationKind, w.said)}
		require.NoError(t, request.Validate())
		c, event, err := w.code.Cancel(request, channel, subject(alice))
		if err == nil {
			require.Equal(t, []string{exchange.Cancelled, request.JWS}, []string{c.Status, c.Cancellation})
			require.Equal(t, kernel.Change{Type: exchange.EventCodeCancelled, ID: otherID, Subject: alice, Agency: tax, Case: caseID}, event)
		}
		return err
	}
	checkGuards(t, exchange.CodeCancel, fresh, run, []guard[world]{
		{"signed by another key", func(w *world) { w.signer = keys[bob] }, "signature.forged"},
		{"for another channel", func(w *world) { w.said.Channel = "harbour" }, "exchange.channel_mismatch"},
		{"for another subject", func(w *world) { w.said.Subject = bob }, "exchange.subject_mismatch"},
		{"for another code", func(w *world) { w.said.Code = useID }, "exchange.cancellation_mismatch"},
		{"redeemed", func(w *world) { w.code.Status = exchange.Redeemed }, "exchange.code_redeemed"},
		{"cancelled", func(w *world) { w.code.Status = exchange.Cancelled }, "exchange.code_cancelled"},
	})
}

// The hash depends on everything that goes into it, and what it says is what the reference page says.
func TestHashCode(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range [][4]string{{salt, channel, alice, digits}, {salt, "harbour", alice, digits}, {salt, channel, bob, digits}, {salt, channel, alice, "04170816"}} {
		hash, err := exchange.HashCode(c[0], c[1], c[2], c[3])
		require.NoError(t, err)
		require.Regexp(t, "^[0-9a-f]{64}$", hash)
		require.False(t, seen[hash])
		seen[hash] = true
	}
	for _, bad := range []string{"", "AAAA", salt + "A", salt[:42] + "B", salt + "\n"} {
		_, err := exchange.HashCode(bad, channel, alice, digits)
		require.Equal(t, "request.invalid", reason(err), "%q", bad)
	}
}

func TestTickets(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		made := exchange.CodeTicket{
			Code:   rapid.StringMatching(`[0-9a-hjkmnp-tv-z]{26}`).Draw(t, "code"),
			Digits: rapid.StringMatching(`[0-9]{8}`).Draw(t, "digits"),
			Salt:   base64.RawURLEncoding.EncodeToString(rapid.SliceOfN(rapid.Byte(), exchange.CodeSaltBytes, exchange.CodeSaltBytes).Draw(t, "salt")),
		}
		read, err := exchange.ReadCodeTicket("ticket", made.Text())
		require.NoError(t, err)
		require.Equal(t, made, read)
	})
	good := exchange.CodeTicket{Code: otherID, Digits: digits, Salt: salt}.Text()
	for _, bad := range []string{"", digits, strings.Replace(good, "/1/", "/2/", 1), good + "/", good + "x", good[:len(good)-1], strings.Replace(good, digits, "0417081", 1), strings.ToUpper(good)} {
		_, err := exchange.ReadCodeTicket("ticket", bad)
		require.Equal(t, "request.invalid", reason(err), "%q", bad)
	}
}

func TestDigits(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		d, err := exchange.NewDigits()
		require.NoError(t, err)
		require.Regexp(t, "^[0-9]{8}$", d)
		seen[d] = true
	}
	require.Greater(t, len(seen), 990)
}
