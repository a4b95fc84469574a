package contract_test

import (
	"slices"

	"pgregory.net/rapid"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/exchange"
)

type modelSubscription struct {
	use     *modelUse
	status  string
	state   string
	changes int
}

func (m *model) subscribe(*rapid.T) {
	u := m.useOf("delivered", "acknowledged")
	if slices.ContainsFunc(m.subscriptions, func(s *modelSubscription) bool { return s.use == u }) {
		panic(idle{})
	}
	caller := m.usually(u.grant.consumer)
	may := caller == u.grant.consumer && u.kind == toFetch && u.delivered != "" && !u.purged && u.status != "sealed" && m.rests(u, m.Now())
	if _, done := m.attempt(may, caller, access.Agency, exchange.SubscriptionStart, exchange.StartSubscription{Use: u.id}); done {
		m.subscriptions = append(m.subscriptions, &modelSubscription{use: u, status: "requested"})
	}
}

func (m *model) announce(*rapid.T) {
	s := mostly(m, "subscription", m.subscriptions, func(s *modelSubscription) bool { return s.status != "ended" })
	caller := m.usually(s.use.grant.provider)
	state := m.pick("state", []string{hashA, hashB, ""})
	changed := s.status == "requested" || state != s.state
	may := caller == s.use.grant.provider && s.status != "ended" && changed && m.rests(s.use, m.Now())
	if _, done := m.attempt(may, caller, access.Agency, exchange.SubscriptionAnnounce, exchange.AnnounceChange{Subscription: s.use.id, State: state}); done {
		if s.status != "requested" || state == "" {
			s.changes++
		}
		if s.state, s.status = state, "watched"; state == "" {
			s.status = "gone"
		}
	}
}

func (m *model) endSubscription(*rapid.T) {
	m.onlyIn(4)
	s := anyOf(m, "subscription", m.subscriptions)
	caller := m.usually(m.pick("side", []string{s.use.grant.provider, s.use.grant.consumer}))
	may := (caller == s.use.grant.provider || caller == s.use.grant.consumer) && s.status != "ended"
	if _, done := m.attempt(may, caller, access.Agency, exchange.SubscriptionEnd, exchange.EndSubscription{Subscription: s.use.id, Reason: "case_done"}); done {
		s.status = "ended"
	}
}
