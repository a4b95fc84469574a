package contract

import (
	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/chaincode/signed"
)

func subjects() []kernel.Function {
	return []kernel.Function{
		kernel.NewCreate(kernel.Create[exchange.RegisterSubject, exchange.Subject]{
			Name: exchange.SubjectRegister, Rule: identity, In: exchange.Subjects,
			Doc:   "Registers a subject's key, which the subject shows it holds, and opens its access log.",
			Taken: "the subject has a registered key; read it with " + exchange.SubjectKey + ", a second registration is not possible",
			Key:   func(_ access.Caller, r exchange.RegisterSubject) []string { return []string{r.Pseudonym} },
			Make: func(tx *kernel.Tx, _ string, r exchange.RegisterSubject) (s exchange.Subject, err error) {
				registrar, err := registered(tx)
				if err != nil {
					return s, err
				}
				s, log, event, err := r.Register(registrar, tx.Channel)
				if err != nil {
					return s, err
				}
				tx.Touch(&log.Head)
				if err := exchange.Logs.Put(tx.Store, log, log.Subject); err != nil {
					return s, err
				}
				return s, announce(tx, event, nil)
			},
		}),
		kernel.NewRead(exchange.SubjectKey, access.Everyone(), "The key a subject signs with.",
			func(tx *kernel.Tx, r exchange.KeyOf) (signed.Key, error) {
				s, err := get(tx, exchange.Subjects, "subject", r.Subject)
				return s.SigningKey, err
			}),
	}
}
