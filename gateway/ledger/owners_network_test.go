package ledger_test

import (
	"crypto/x509"
	"encoding/json"
	"os"
	"path/filepath"

	"github.com/hyperledger/fabric-gateway/pkg/client"
	"github.com/hyperledger/fabric-gateway/pkg/hash"
	"github.com/hyperledger/fabric-gateway/pkg/identity"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/gateway/ledger"
)

// straight is an agency's administrator who talks to the peer of its organisation without a gateway of ours.
type straight struct {
	*city
	contract *client.Contract
}

func (c *city) straight(organisation, agency string) straight {
	c.Helper()
	org, ok := c.network.Topology.Organisation(organisation)
	require.True(c, ok)
	at := c.network.Topology.PeersOf(org)[0]
	root, err := os.ReadFile(c.network.Layout.Public(org).TLSRoot())
	require.NoError(c, err)
	roots := x509.NewCertPool()
	require.True(c, roots.AppendCertsFromPEM(root))
	connection, err := grpc.NewClient(at.Endpoint(), grpc.WithTransportCredentials(credentials.NewClientTLSFromCert(roots, at.Host)))
	require.NoError(c, err)
	c.Cleanup(func() { _ = connection.Close() })

	var dir string
	for _, a := range org.Agencies {
		if org.AgencyID(a) == agency {
			dir = c.network.Layout.Organisation(org).Agency(a, "admin").Dir()
		}
	}
	only := func(folder string) []byte {
		files, err := filepath.Glob(filepath.Join(dir, folder, "*"))
		require.NoError(c, err)
		require.Len(c, files, 1)
		text, err := os.ReadFile(files[0])
		require.NoError(c, err)
		return text
	}
	certificate, err := identity.CertificateFromPEM(only("signcerts"))
	require.NoError(c, err)
	id, err := identity.NewX509Identity(org.MSP, certificate)
	require.NoError(c, err)
	key, err := identity.PrivateKeyFromPEM(only("keystore"))
	require.NoError(c, err)
	sign, err := identity.NewPrivateKeySign(key)
	require.NoError(c, err)
	gateway, err := client.Connect(id, client.WithSign(sign), client.WithHash(hash.SHA256), client.WithClientConnection(connection))
	require.NoError(c, err)
	c.Cleanup(func() { _ = gateway.Close() })
	return straight{c, gateway.GetNetwork(c.config.Channel).GetContract(exchange.Name)}
}

// submit has a command endorsed by the organisations' peers (by as many as are needed, if none are named), ordered and
// committed, and gives the validation code.
func (s straight) submit(key, function string, request any, msps ...string) peer.TxValidationCode {
	s.Helper()
	argument, err := json.Marshal(command(s, key, request))
	require.NoError(s, err)
	options := []client.ProposalOption{client.WithBytesArguments(argument)}
	if len(msps) > 0 {
		options = append(options, client.WithEndorsingOrganizations(msps...))
	}
	var transaction *client.Transaction
	s.eventually(function+" is endorsed", func() bool { // a peer may be a block behind the one that answered before
		proposal, err := s.contract.NewProposal(function, options...)
		require.NoError(s, err)
		transaction, err = proposal.EndorseWithContext(s.Context())
		return err == nil
	})
	commit, err := transaction.SubmitWithContext(s.Context())
	require.NoError(s, err)
	status, err := commit.StatusWithContext(s.Context())
	require.NoError(s, err)
	return status.Code
}

func entry() exchange.Content {
	return exchange.Content{
		Name: exchange.Text{Zh: "房屋", En: "Premises"}, Classification: exchange.Shared, Selector: []string{"number"},
		Fields: []exchange.FieldSpec{{Name: "number", Title: exchange.Text{Zh: "号", En: "Number"}, Type: "string"}},
	}
}

// ownersEndorse: what belongs to an agency changes only with an endorsement of its organisation's peer, though the two others
// are as many as the chaincode's policy asks for.
func ownersEndorse(c *city) {
	const housing, premises = "planning.housing", "planning.housing/premises"
	owner := c.straight("planning", housing)
	require.Equal(c, peer.TxValidationCode_VALID, owner.submit("register", exchange.AgencyRegister, agency(c, "housing")))
	require.Equal(c, peer.TxValidationCode_VALID, owner.submit("publish", exchange.DatasetPublish, exchange.PublishDataset{Code: "premises", Content: entry()}))

	dataset := func() (d exchange.Dataset) {
		c.Helper()
		require.NoError(c, c.ledger.Evaluate(c.Context(), hallAdmin, exchange.Name, "dataset:Get", kernel.ByID{ID: premises}, &d))
		return d
	}
	c.eventually("the entry is there", func() bool {
		return c.ledger.Evaluate(c.Context(), hallAdmin, exchange.Name, "dataset:Get", kernel.ByID{ID: premises}, nil) == nil
	})
	before := dataset()
	next := exchange.ReviseDataset{Dataset: premises, Edition: 2, Content: entry()}
	next.Freshness = "P1D"
	failed := peer.TxValidationCode_ENDORSEMENT_POLICY_FAILURE
	require.Equal(c, failed, owner.submit("revise-1", exchange.DatasetRevise, next, "ServicesMSP", "MarketMSP"), "enough endorsers, and not the owner's")
	require.Equal(c, failed, owner.submit("withdraw", exchange.DatasetWithdraw, exchange.WithdrawDataset{Dataset: premises, Reason: "replaced"}, "ServicesMSP", "MarketMSP"))
	require.Equal(c, failed, owner.submit("revise-2", exchange.DatasetRevise, next, "PlanningMSP"), "the owner's alone")
	require.Equal(c, before, dataset(), "nothing has changed")
	require.Equal(c, peer.TxValidationCode_VALID, owner.submit("revise-3", exchange.DatasetRevise, next, "PlanningMSP", "MarketMSP"))
	c.eventually("the edition is there", func() bool { return dataset().Edition == 2 })
	next.Edition = 3
	require.Equal(c, peer.TxValidationCode_VALID, owner.submit("revise-4", exchange.DatasetRevise, next), "the peer finds out by itself whom it needs")

	// The gateway's own writes find the owners' peers, one organisation's or several in a transaction.
	tax := c.straight("market", "market.tax")
	require.Equal(c, peer.TxValidationCode_VALID, tax.submit("register", exchange.AgencyRegister, agency(c, "tax")))
	assign := func(agency string) exchange.AssignDuties {
		return exchange.AssignDuties{Agency: agency, Duties: []string{exchange.DutyPortal}}
	}
	var outcome ledger.Outcome
	c.eventually("the gateway's peer knows the agency", func() bool {
		var err error
		outcome, err = c.ledger.Submit(c.Context(), hallAdmin, exchange.Name, exchange.AgencyAssign, command(c, "owned-housing", assign(housing)))
		return err == nil && outcome.State == ledger.Committed
	})
	require.ElementsMatch(c, []string{"ServicesMSP", "PlanningMSP"}, c.endorsers(outcome))
	batch := kernel.Batch{}
	for _, id := range []string{housing, "market.tax"} {
		batch.Commands = append(batch.Commands, kernel.BatchCommand{Function: exchange.AgencyAssign, Command: command(c, "owned-both-"+id, assign(id))})
	}
	outcomes, err := c.ledger.SubmitBatch(c.Context(), hallAdmin, exchange.Name, batch)
	require.NoError(c, err)
	require.Equal(c, []ledger.State{ledger.Committed, ledger.Committed}, []ledger.State{outcomes[0].State, outcomes[1].State}, "%v %v", outcomes[0].Fault, outcomes[1].Fault)
	require.Equal(c, outcomes[0].Tx, outcomes[1].Tx)
	require.ElementsMatch(c, []string{"PlanningMSP", "MarketMSP"}, c.endorsers(outcomes[0]), "both owners', and no more than that")
}

// endorsers are those of a write's transaction.
func (c *city) endorsers(outcome ledger.Outcome) []string {
	c.Helper()
	store := c.projection.Store()
	require.NoError(c, store.WaitBlock(c.Context(), outcome.Block))
	tx, found, err := store.Transaction(c.Context(), outcome.Tx)
	require.NoError(c, err)
	require.True(c, found)
	return tx.Endorsers
}
