package contract_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/exchange/contract"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/kernel"
)

// agencyOf gives an agency for each role, so that a call is refused for its role and nothing else.
var agencyOf = map[access.Role]string{access.Agency: tax, access.Admin: hall, access.Portal: hall, access.Auditor: office}

// Every function, every role: who has no row is refused for the role; who has one is not.
func TestEveryFunctionForEveryRole(t *testing.T) {
	c := newCity(t)
	before := c.Height()
	for _, f := range contract.New().Rows() {
		for _, role := range access.AllRoles {
			t.Run(f.Name+" by "+string(role), func(t *testing.T) {
				client := c.As(agencyOf[role], role).On(exchange.Name)
				var err error
				if f.Kind == kernel.KindRead {
					err = client.Query(f.Name, struct{}{}, nil)
				} else {
					_, err = client.Submit(f.Name, "matrix", struct{}{})
				}
				got := fault.From(err)
				if slices.Contains(f.Rule.Roles, role) {
					require.False(t, got != nil && got.Kind == fault.Denied, "%v", got)
					return
				}
				require.NotNil(t, got)
				require.Equal(t, "access.role", got.Reason)
				require.Equal(t, fault.Denied, got.Kind)
				require.Equal(t, "creator.role", got.Field)
			})
		}
	}
	require.Equal(t, before, c.Height(), "no empty request is committed")
}

func TestAuditorsWriteNothing(t *testing.T) {
	for _, f := range contract.New().Rows() {
		if f.Name == exchange.UsePayload || f.Name == exchange.UseDetails { // its consumer's alone
			continue
		}
		require.Equal(t, f.Kind == kernel.KindRead, slices.Contains(f.Rule.Roles, access.Auditor), f.Name)
	}
}

// The reference page has the table that the contract judges by.
func TestTableIsDocumented(t *testing.T) {
	raw, err := os.ReadFile("../../../docs/reference/exchange.md")
	require.NoError(t, err)
	var want []string
	for _, f := range contract.New().Functions {
		_, verb, _ := strings.Cut(f.Name, ":")
		if slices.Contains([]string{"Get", "List", "History", "Describe"}, verb) {
			require.Equal(t, access.Everyone(), f.Rule, f.Name)
			continue
		}
		roles := make([]string, len(f.Rule.Roles))
		for i, role := range f.Rule.Roles {
			roles[i] = string(role)
		}
		want = append(want, fmt.Sprintf("| `%s` | %s | %s | %s |", f.Name, f.Kind, strings.Join(roles, ", "), f.Rule.Scope))
		require.NotEmpty(t, f.Doc, f.Name)
	}
	var got []string
	for line := range strings.Lines(string(raw)) {
		if strings.HasPrefix(line, "| `") && strings.Count(line, "|") == 5 && strings.Contains(line, ":") {
			got = append(got, strings.TrimSpace(line))
		}
	}
	require.ElementsMatch(t, want, got)
}

// Every function whose scope is the caller's own agency refuses another agency's record, or makes a record that is the
// caller's whatever the request says.
func TestOwnAgencyOnly(t *testing.T) {
	c := newCity(t).prepare().inbox()
	hidden, details, _ := c.sealed("sealed")
	use := c.do(tax, access.Agency, exchange.UseRequest, c.use())
	second := c.do(tax, access.Admin, exchange.GrantRequest, exchange.RequestGrant{Dataset: dataset, Terms: c.terms(), Basis: "Tax Law 12"})
	anchored := c.do(housing, access.Agency, exchange.AnchorCreate, batch(1))
	of := c.anchor(hashA)
	of.Subject = bob
	c.do(housing, access.Agency, exchange.CommitmentAnchor, of)
	again := of
	again.Root = hashB
	followed := c.delivered()
	c.do(tax, access.Agency, exchange.SubscriptionStart, exchange.StartSubscription{Use: followed})
	other := registration(tax)
	c.do(housing, access.Admin, exchange.RequirementPublish, exchange.PublishRequirement{Code: "plans", Need: need()})
	requests := map[string]any{
		exchange.AgencyRegister:  other,
		exchange.AgencyUpdate:    exchange.UpdateAgency{Agency: tax, Name: title, ExchangeKey: other.ExchangeKey, Gateway: other.Gateway},
		exchange.DatasetRevise:   exchange.ReviseDataset{Dataset: dataset, Edition: 2, Content: publication().Content},
		exchange.DatasetWithdraw: exchange.WithdrawDataset{Dataset: dataset, Reason: "replaced"},
		exchange.GrantGrant:      exchange.GrantAccess{Grant: second, Terms: c.terms()},
		exchange.GrantDeny:       exchange.DenyAccess{Grant: second, Reason: "not_needed"},
		exchange.GrantAmend:      exchange.AmendGrant{Grant: c.grant, Terms: c.terms(), Reason: "misuse"},
		exchange.GrantSuspend:    exchange.SuspendGrant{Grant: c.grant, Reason: "inquiry"},
		exchange.GrantResume:     exchange.ResumeGrant{Grant: c.grant, Reason: "cleared"},
		exchange.GrantWithdraw:   exchange.WithdrawGrant{Grant: c.grant, Reason: "misuse"},
		exchange.UseRequest:      c.use(),
		exchange.UsePrepare:      exchange.PrepareUse{Use: use, Commitment: hashA},
		exchange.UsePayload:      exchange.PayloadOf{Use: use},
		exchange.UsePurge:        exchange.PurgeUse{Use: use, Reason: "asked"},
		exchange.UseVerify:       c.verification(hashA, hashB),
		exchange.UseDetails:      exchange.DetailsOf{Use: hidden},
		exchange.UseOpen:         exchange.OpenUse{Use: hidden, Details: details},

		exchange.RequirementRevise:    exchange.ReviseRequirement{Requirement: housing + "/plans", Edition: 2, Need: need()},
		exchange.RequirementWithdraw:  exchange.WithdrawRequirement{Requirement: housing + "/plans", Reason: "replaced"},
		exchange.SubscriptionStart:    exchange.StartSubscription{Use: use},
		exchange.SubscriptionAnnounce: exchange.AnnounceChange{Subscription: followed, State: hashA},
		exchange.SubscriptionEnd:      exchange.EndSubscription{Subscription: followed, Reason: "case_done"},

		exchange.CommitmentAnchor:    c.anchor(hashA),
		exchange.CommitmentSupersede: exchange.SupersedeCommitment{AnchorCommitment: again, Supersedes: hashA},
		exchange.CommitmentWithdraw:  exchange.WithdrawCommitment{Dataset: dataset, Subject: bob, Reason: "error"},
		exchange.UseDeliver:          exchange.DeliverUse{Use: use, Commitment: hashA},
		exchange.UseAcknowledge:      exchange.AcknowledgeUse{Use: use, Commitment: hashA},
		exchange.AnchorCreate:        batch(2),
		exchange.AnchorWithdraw:      exchange.WithdrawAnchor{Anchor: anchored, Reason: "wrong-source"},
	}
	for _, f := range contract.New().Functions {
		if f.Rule.Scope != access.OwnAgency {
			continue
		}
		t.Run(f.Name, func(t *testing.T) {
			switch request, listed := requests[f.Name]; {
			case listed && f.Kind == kernel.KindRead:
				err := c.As("market.customs", f.Rule.Roles[0]).On(exchange.Name).Query(f.Name, request, nil)
				require.Equal(t, "access.other_agency", fault.From(err).Reason)
			case listed:
				stranger := "market.customs" // of the same organisation, which is not enough; not registered
				got := c.refused("access.other_agency", stranger, f.Rule.Roles[0], f.Name, request)
				require.Equal(t, fault.Denied, got.Kind)
			case f.Name == exchange.UseSeal:
				request, _, raw := c.sealing(secret(c.grant))
				_, err := c.trySealed("market.customs", f.Name, "stranger", kernel.ID("market.customs", f.Name, "stranger"), raw, request)
				require.Equal(t, "access.other_agency", fault.From(err).Reason)
			case f.Name == exchange.DatasetPublish:
				id := c.do(regulation, access.Admin, f.Name, publication())
				require.Equal(t, regulation+"/premises", id)
				require.Equal(t, regulation, read[exchange.Dataset](c, "dataset:Get", id).Agency)
			case f.Name == exchange.RequirementPublish:
				id := c.do(regulation, access.Admin, f.Name, exchange.PublishRequirement{Code: "plans", Need: need()})
				require.Equal(t, regulation, read[exchange.Requirement](c, "requirement:Get", id).Agency)
			case f.Name == exchange.GrantRequest:
				id := c.do(regulation, access.Admin, f.Name, exchange.RequestGrant{Dataset: dataset, Terms: c.terms(), Basis: "Company Law 7"})
				require.Equal(t, regulation, read[exchange.Grant](c, "grant:Get", id).Consumer)
			default:
				t.Fatal("no case for this row")
			}
		})
	}
}

func TestOnlyTheCoordinatorAssignsDuties(t *testing.T) {
	c := newCity(t).register()
	request := exchange.AssignDuties{Agency: tax, Duties: []string{exchange.DutyIdentity}}
	got := c.refused("access.organisation", tax, access.Admin, exchange.AgencyAssign, request)
	require.Equal(t, "creator.organisation", got.Field)
	c.do(police, access.Admin, exchange.AgencyAssign, request) // of the coordinating organisation
}
