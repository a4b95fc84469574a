package access_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/fault"
)

// creator is a transaction's creator.
type creator struct {
	raw []byte
	err error
}

func (c creator) GetCreator() ([]byte, error) { return c.raw, c.err }

// TestOddCreators: what is not a certificate of a member is denied, not a crash. Good and bad attributes are tried with
// real certificates in the tests of packages kernel and ledgertest.
func TestOddCreators(t *testing.T) {
	for name, c := range map[string]creator{
		"nothing":       {},
		"an error":      {nil, errors.New("no creator")},
		"no protobuf":   {[]byte("\xff\xff\xff"), nil},
		"no PEM":        {[]byte("\x0a\x09MarketMSP\x12\x03abc"), nil},
		"no DER in PEM": {[]byte("\x0a\x09MarketMSP\x12\x46-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), nil},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := access.FromStub(c)
			f := fault.From(err)
			require.NotNil(t, f)
			require.Equal(t, "access.no_identity", f.Reason)
			require.Equal(t, fault.Denied, f.Kind)
		})
	}
	_, err := access.FromStub(creator{[]byte("\x0a\x09MarketMSP"), nil}) // a member, by its MSP, without a certificate
	require.Equal(t, "access.no_agency", fault.From(err).Reason)
}

func TestNames(t *testing.T) {
	for _, c := range []struct{ organisation, msp string }{{"market", "MarketMSP"}, {"services", "ServicesMSP"}, {"haidian2", "Haidian2MSP"}} {
		require.Equal(t, c.organisation, access.Organisation(c.msp))
		require.Equal(t, c.msp, access.MSPOf(c.organisation+".any"))
	}
	for _, agency := range []string{"", "market", ".tax"} {
		require.Empty(t, access.MSPOf(agency))
	}
}

func TestRules(t *testing.T) {
	tax := access.Caller{MSP: "MarketMSP", Organisation: "market", Agency: "market.tax", Role: access.Agency}
	hall := access.Caller{MSP: "ServicesMSP", Organisation: "services", Agency: "services.hall", Role: access.Admin}
	for _, c := range []struct {
		name   string
		err    error
		reason string
		rule   string
	}{
		{"everyone", access.Everyone().Check(tax), "", ""},
		{"a role that may", access.Only(access.Any, access.Admin, access.Agency).Check(tax), "", ""},
		{"a role that may not", access.Only(access.Any, access.Admin, access.Portal).Check(tax), "access.role", "one_of:admin,portal"},
		{"a role of no one", access.Rule{}.Check(tax), "access.role", "one_of:"},
		{"the coordinator", access.Only(access.Coordinating, access.Admin).Check(hall), "", ""},
		{"another organisation", access.Only(access.Coordinating, access.Agency).Check(tax), "access.organisation", "one_of:services"},
		{"own record", tax.Own("market.tax"), "", ""},
		{"another agency's", tax.Own("market.regulation"), "access.other_agency", "owner"},
		{"nobody's", tax.Own(""), "access.other_agency", "owner"},
		{"own organisation", tax.OwnOrganisation("market.regulation"), "", ""},
		{"another organisation's", tax.OwnOrganisation("planning.housing"), "access.other_organisation", "owner"},
		{"a name that begins alike", tax.OwnOrganisation("marketing.tax"), "access.other_organisation", "owner"},
		{"no agency", tax.OwnOrganisation(""), "access.other_organisation", "owner"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.reason == "" {
				require.NoError(t, c.err)
				return
			}
			f := fault.From(c.err)
			require.NotNil(t, f)
			require.Equal(t, [3]string{"denied", c.reason, c.rule}, [3]string{string(f.Kind), f.Reason, f.Rule})
		})
	}
}
