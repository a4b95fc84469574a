package contract

import (
	"fmt"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/certificate"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/kernel"
)

func requirements() []kernel.Function {
	return []kernel.Function{
		kernel.NewCreate(kernel.Create[exchange.PublishRequirement, exchange.Requirement]{
			Name: exchange.RequirementPublish, Rule: ownAdmin, In: exchange.Requirements,
			Doc:   "Enters a requirement of the caller's agency in the map to evidence.",
			Taken: "the agency has published another requirement under this code; use another code, or revise it with " + exchange.RequirementRevise,
			Key:   func(by access.Caller, r exchange.PublishRequirement) []string { return []string{by.Agency, r.Code} },
			Make: func(tx *kernel.Tx, _ string, r exchange.PublishRequirement) (q exchange.Requirement, err error) {
				if _, err := registered(tx); err != nil {
					return q, err
				}
				datasets, err := evidence(tx, r.Need)
				if err != nil {
					return q, err
				}
				q, event, err := r.Publish(tx.By, datasets)
				return q, announce(tx, event, err)
			},
		}),
		kernel.NewTransition(kernel.Transition[exchange.ReviseRequirement, exchange.Requirement]{
			Name: exchange.RequirementRevise, Rule: ownAdmin, In: exchange.Requirements,
			Doc: "Makes the next edition of a requirement of the caller's agency.",
			Key: func(r exchange.ReviseRequirement) []string { return exchange.DatasetKey(r.Requirement) },
			Apply: func(tx *kernel.Tx, q exchange.Requirement, r exchange.ReviseRequirement) (exchange.Requirement, error) {
				datasets, err := evidence(tx, r.Need)
				if err != nil {
					return q, err
				}
				q, event, err := q.Revise(tx.By, r, datasets)
				return q, announce(tx, event, err)
			},
		}),
		kernel.NewTransition(kernel.Transition[exchange.WithdrawRequirement, exchange.Requirement]{
			Name: exchange.RequirementWithdraw, Rule: ownAdmin, In: exchange.Requirements,
			Doc: "Takes a requirement of the caller's agency out of the map for good.",
			Key: func(r exchange.WithdrawRequirement) []string { return exchange.DatasetKey(r.Requirement) },
			Apply: func(tx *kernel.Tx, q exchange.Requirement, r exchange.WithdrawRequirement) (exchange.Requirement, error) {
				q, event, err := q.Withdraw(tx.By, r)
				return q, announce(tx, event, err)
			},
		}),
	}
}

// evidence reads the datasets that a need names, by id, and makes sure that its types of certificates exist.
func evidence(tx *kernel.Tx, n exchange.Need) (map[string]exchange.Dataset, error) {
	datasets := map[string]exchange.Dataset{}
	for i, e := range n.Evidence {
		at := fmt.Sprintf("request.evidence[%d]", i)
		if e.Dataset != "" {
			d, err := dataset(tx, at+".dataset", e.Dataset)
			if err != nil {
				return nil, err
			}
			datasets[e.Dataset] = d
			continue
		}
		var t certificate.Type
		if err := tx.Ask(certificate.Name, "type:Get", kernel.ByID{ID: e.Certificate}, &t); err != nil {
			return nil, fault.Naming(at+".certificate_type", err)
		}
	}
	return datasets, nil
}

func listings() []kernel.Function {
	return []kernel.Function{
		kernel.NewCreate(kernel.Create[exchange.EnterListing, exchange.Listing]{
			Name: exchange.ListingEnter, Rule: coordinator, In: exchange.Listings,
			Doc:   "Enters an agency in the city's roster.",
			Taken: "the agency is in the roster already with other content; change its name with " + exchange.ListingRename,
			Key:   func(_ access.Caller, r exchange.EnterListing) []string { return []string{r.Agency} },
			Make: func(tx *kernel.Tx, _ string, r exchange.EnterListing) (exchange.Listing, error) {
				l, event, err := r.Enter()
				return l, announce(tx, event, err)
			},
		}),
		kernel.NewTransition(kernel.Transition[exchange.RenameListing, exchange.Listing]{
			Name: exchange.ListingRename, Rule: coordinator, In: exchange.Listings,
			Doc: "Gives an agency in the city's roster other names.",
			Key: func(r exchange.RenameListing) []string { return []string{r.Agency} },
			Apply: func(tx *kernel.Tx, l exchange.Listing, r exchange.RenameListing) (exchange.Listing, error) {
				l, event, err := l.Rename(r)
				return l, announce(tx, event, err)
			},
		}),
	}
}
