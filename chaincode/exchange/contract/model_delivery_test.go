package contract_test

import (
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/ledgertest"
)

// useOf is most often one of a status.
func (m *model) useOf(statuses ...string) *modelUse {
	return mostly(m, "use", m.uses, func(u *modelUse) bool { return slices.Contains(statuses, u.status) })
}

// mayLeave: the provider may send what the use asks for, or show it to the subject first.
func (m *model) mayLeave(u *modelUse, caller string) bool {
	return caller == u.grant.provider && !m.past(u.until) && m.rests(u, m.Now())
}

// past says whether something's last moment is over, for one of the endorsers at least: the second's clock is ahead.
func (m *model) past(last time.Time) bool { return m.Now().Add(ledgertest.EndorserSkew).After(last) }

func (m *model) prepareUse(*rapid.T) {
	u := mostly(m, "use", m.uses, func(u *modelUse) bool { return u.looks && u.status == "requested" })
	caller := m.usually(u.grant.provider)
	shown := m.pick("shown", []string{hashA, hashB})
	may := u.looks && u.status == "requested" && m.mayLeave(u, caller)
	if _, done := m.attempt(may, caller, access.Agency, exchange.UsePrepare, exchange.PrepareUse{Use: u.id, Commitment: shown}); done {
		u.status, u.prepared = "prepared", shown
		m.tell(u.grant.consumer, "use.prepared.v1", u)
	}
}

// signedUse is the use that a subject signs for: seldom another.
func (m *model) signedUse(u *modelUse) string {
	if m.seldom("another use") {
		return anyOf(m, "use", m.uses).id
	}
	return u.id
}

func (m *model) release(*rapid.T) {
	u := m.useOf("prepared")
	subject, key := m.decider(u.request.Subject)
	said := exchange.Release{Channel: m.channel(), Subject: subject, Use: m.signedUse(u), Preview: u.prepared}
	if u.prepared == "" || m.seldom("shown something else") {
		said.Preview = m.pick("shown", []string{hashA, hashB})
	}
	may := u.status == "prepared" && said == exchange.Release{Channel: ledgertest.Channel, Subject: u.request.Subject, Use: u.id, Preview: u.prepared} &&
		key == m.signers[subject] && !m.past(u.until)
	if _, done := m.attempt(may, hall, access.Portal, exchange.UseRelease, exchange.ReleaseUse{Use: u.id, JWS: sign(key, exchange.ReleaseKind, said)}); done {
		u.status = "released"
		m.tell(u.grant.provider, "use.released.v1", u)
	}
}

func (m *model) refuse(*rapid.T) {
	u := m.useOf("prepared", "released")
	subject, key := m.decider(u.request.Subject)
	said := exchange.Refusal{Channel: m.channel(), Subject: subject, Use: m.signedUse(u)}
	may := (u.status == "prepared" || u.status == "released") && key == m.signers[subject] &&
		said == exchange.Refusal{Channel: ledgertest.Channel, Subject: u.request.Subject, Use: u.id}
	if _, done := m.attempt(may, hall, access.Portal, exchange.UseRefuse, exchange.RefuseUse{Use: u.id, JWS: sign(key, exchange.RefusalKind, said)}); done {
		u.status = "refused"
		m.tell(u.grant.consumer, "use.refused.v1", u)
	}
}

func (m *model) deliver(*rapid.T) {
	u := m.useOf("requested", "prepared", "released", "refused")
	caller := m.usually(u.grant.provider)
	sent := u.prepared
	if sent == "" || m.seldom("something else") {
		sent = m.pick("sent", []string{hashA, hashB})
	}
	waits := !u.looks && u.status == "requested" || u.looks && u.status == "released" && sent == u.prepared
	if _, done := m.attempt(waits && m.mayLeave(u, caller), caller, access.Agency, exchange.UseDeliver, exchange.DeliverUse{Use: u.id, Commitment: sent}); done {
		u.status, u.delivered = "delivered", sent
		m.tell(u.grant.consumer, "use.delivered.v1", u)
	}
}

func (m *model) acknowledge(*rapid.T) {
	u := m.useOf("delivered", "sealed")
	caller, status := m.usually(u.grant.consumer), &u.status
	if u.status == "sealed" {
		status = &u.seal.status
	}
	opened := u.delivered
	if opened == "" || m.seldom("something else") {
		opened = m.pick("opened", []string{hashA, hashB})
	}
	may := caller == u.grant.consumer && *status == "delivered" && opened == u.delivered
	if _, done := m.attempt(may, caller, access.Agency, exchange.UseAcknowledge, exchange.AcknowledgeUse{Use: u.id, Commitment: opened}); done {
		*status = "acknowledged"
		m.tell(u.grant.provider, "use.acknowledged.v1", u)
	}
}

func (m *model) purge(*rapid.T) {
	m.onlyIn(4)
	u := m.useOf("delivered", "acknowledged")
	sides := []string{u.grant.provider, u.grant.consumer}
	caller := m.usually(m.pick("side", sides))
	may := slices.Contains(sides, caller) && u.delivered != "" && !u.purged
	if _, done := m.attempt(may, caller, access.Agency, exchange.UsePurge, exchange.PurgeUse{Use: u.id, Reason: "case.over"}); done {
		u.purged = true
		m.tell(sides[1-slices.Index(sides, caller)], "use.purged.v1", u)
	}
}
