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
			Taken: "the subject has a registered key; read it with " + exchange.SubjectKey + ", a second registration is not possible; " + exchange.SubjectRotate + " and " + exchange.SubjectRecover + " put another in its place",
			Key:   func(_ access.Caller, r exchange.RegisterSubject) []string { return []string{r.Pseudonym} },
			Make: func(tx *kernel.Tx, _ string, r exchange.RegisterSubject) (s exchange.Subject, err error) {
				registrar, err := registered(tx)
				if err != nil {
					return s, err
				}
				s, log, event, err := r.Register(registrar, tx.Channel, tx.At)
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
		kernel.NewTransition(kernel.Transition[exchange.RotateKey, exchange.Subject]{
			Name: exchange.SubjectRotate, Rule: submitters, In: exchange.Subjects,
			Doc: "Puts a new key in the place of a subject's, which the old one has named and the new one has proven.",
			Key: func(r exchange.RotateKey) []string { return []string{r.Subject} },
			Apply: func(tx *kernel.Tx, s exchange.Subject, r exchange.RotateKey) (exchange.Subject, error) {
				used, err := hadKey(tx, r.Subject, r.SigningKey)
				if err != nil {
					return s, err
				}
				s, old, event, err := s.Rotate(r, used, tx.Channel, tx.At)
				if err != nil {
					return s, err
				}
				return s, announce(tx, event, retire(tx, old))
			},
		}),
		kernel.NewTransition(kernel.Transition[exchange.RecoverKey, exchange.Subject]{
			Name: exchange.SubjectRecover, Rule: identity, In: exchange.Subjects,
			Doc:   "Puts a new key in the place of one a subject has lost, and ends the consents named: an officer answers for it.",
			Key:   func(r exchange.RecoverKey) []string { return []string{r.Subject} },
			Apply: recoverKey,
		}),
		kernel.NewRead(exchange.SubjectKey, access.Everyone(), "The key a subject signs with, or one it signed with before.",
			func(tx *kernel.Tx, r exchange.KeyOf) (signed.Key, error) {
				period, err := keyOf(tx, "subject", r.Subject, r.Thumbprint)
				return period.SigningKey, err
			}),
		kernel.NewRead(exchange.SubjectKeys, access.Everyone(), "All the keys a subject has had, with when each was in use.",
			func(tx *kernel.Tx, r exchange.KeysOf) (h exchange.KeyHistory, err error) {
				s, err := get(tx, exchange.Subjects, "subject", r.Subject)
				if err != nil {
					return h, err
				}
				page, err := exchange.Keys.Scan(tx.Store, exchange.MaxSubjectKeys, "", r.Subject)
				return s.History(page.Items), err
			}),
	}
}

func recoverKey(tx *kernel.Tx, s exchange.Subject, r exchange.RecoverKey) (exchange.Subject, error) {
	registrar, err := registered(tx)
	if err != nil {
		return s, err
	}
	used, err := hadKey(tx, r.Subject, r.SigningKey)
	if err != nil {
		return s, err
	}
	s, lost, event, err := s.Recover(r, registrar, tx.Staff, used, tx.Channel, tx.At)
	if err != nil {
		return s, err
	}
	if err := announce(tx, event, retire(tx, lost)); err != nil {
		return s, err
	}
	for _, id := range r.Consents {
		if err := end(tx, s, id); err != nil {
			return s, err
		}
	}
	return s, nil
}

// end ends a consent that the recovery names, unless it has ended already.
func end(tx *kernel.Tx, s exchange.Subject, id string) error {
	c, err := get(tx, exchange.Consents, "request.consents", id)
	if err != nil {
		return err
	}
	was := c.Status
	c, event, err := c.End(s, tx.At)
	if err != nil || c.Status == was {
		return err
	}
	tx.Touch(&c.Head)
	return announce(tx, event, exchange.Consents.Put(tx.Store, c, id))
}

// hadKey says whether a key was a subject's before.
func hadKey(tx *kernel.Tx, subject string, key signed.Key) (bool, error) {
	_, found, err := exchange.Keys.Find(tx.Store, subject, key.Thumbprint())
	return found, err
}

// retire keeps a key that is not in use any more.
func retire(tx *kernel.Tx, k exchange.Key) error {
	tx.Touch(&k.Head)
	return exchange.Keys.Put(tx.Store, k, k.Subject, k.SigningKey.Thumbprint())
}

// keyOf is a subject's key with when it was in use: the one with a thumbprint or, without one, the one in use.
func keyOf(tx *kernel.Tx, field, subject, thumbprint string) (p exchange.KeyPeriod, err error) {
	s, err := get(tx, exchange.Subjects, field, subject)
	if err != nil {
		return p, err
	}
	if p = s.Period(); thumbprint == "" || thumbprint == p.Thumbprint {
		return p, nil
	}
	k, err := get(tx, exchange.Keys, "thumbprint", subject, thumbprint)
	return k.Period(), err
}
