package contract

import (
	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/kernel"
)

// warrant judges whether one use may be delivered now.
func warrant(tx *kernel.Tx, use string) (w exchange.Warrant, err error) {
	u, err := get(tx, exchange.Uses, "use", use)
	if err != nil {
		return w, err
	}
	basis, err := basis(tx, u)
	if err != nil {
		return w, err
	}
	return u.Warrant(basis, tx.Now)
}

// previews are the functions of uses whose subject looks first, and the provider's question before it reads anything.
func previews() []kernel.Function {
	return []kernel.Function{
		kernel.NewRead(exchange.UseBasis, access.Everyone(), "Uses with their datasets, each if what allows it holds now.",
			func(tx *kernel.Tx, r exchange.BasisOf) (answer exchange.Warrants, err error) {
				for _, use := range r.Uses {
					w, err := warrant(tx, use)
					f := fault.From(err)
					switch {
					case f == nil:
						answer.Answers = append(answer.Answers, exchange.Judged{Warrant: &w})
					case f.Kind == fault.Internal:
						return answer, err
					default:
						answer.Answers = append(answer.Answers, exchange.Judged{Fault: f})
					}
				}
				return answer, nil
			}),
		kernel.NewTransition(kernel.Transition[exchange.PrepareUse, exchange.Use]{
			Name: exchange.UsePrepare, Rule: ownService, In: exchange.Uses, Inside: true,
			Doc: "Records the commitment of what the provider would deliver, for the subject to look at first.",
			Key: func(r exchange.PrepareUse) []string { return []string{r.Use} },
			Apply: func(tx *kernel.Tx, u exchange.Use, r exchange.PrepareUse) (exchange.Use, error) {
				basis, err := basis(tx, u)
				if err != nil {
					return u, err
				}
				u, event, err := u.Prepare(tx.By, r, basis, tx.Now)
				return u, announce(tx, event, err)
			},
		}),
		kernel.NewTransition(kernel.Transition[exchange.ReleaseUse, exchange.Use]{
			Name: exchange.UseRelease, Rule: submitters, In: exchange.Uses,
			Doc: "The subject has what it was shown delivered.",
			Key: func(r exchange.ReleaseUse) []string { return []string{r.Use} },
			Apply: func(tx *kernel.Tx, u exchange.Use, r exchange.ReleaseUse) (exchange.Use, error) {
				s, err := get(tx, exchange.Subjects, "request.use", u.Subject)
				if err != nil {
					return u, err
				}
				u, event, err := u.Release(r, tx.Channel, s, tx.Now)
				return u, announce(tx, event, err)
			},
		}),
		kernel.NewTransition(kernel.Transition[exchange.RefuseUse, exchange.Use]{
			Name: exchange.UseRefuse, Rule: submitters, In: exchange.Uses,
			Doc: "The subject has nothing delivered.",
			Key: func(r exchange.RefuseUse) []string { return []string{r.Use} },
			Apply: func(tx *kernel.Tx, u exchange.Use, r exchange.RefuseUse) (exchange.Use, error) {
				s, err := get(tx, exchange.Subjects, "request.use", u.Subject)
				if err != nil {
					return u, err
				}
				u, event, err := u.Refuse(r, tx.Channel, s)
				return u, announce(tx, event, err)
			},
		}),
	}
}
