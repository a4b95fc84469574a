package contract

import (
	"encoding/json"
	"fmt"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/kernel"
)

// inbox are the functions of payloads that wait for a consumer, and of their end.
func inbox() []kernel.Function {
	return []kernel.Function{
		kernel.NewRead(exchange.UsePayload, ownService, "The sealed payload of a use of the caller's agency, where it waits.",
			func(tx *kernel.Tx, r exchange.PayloadOf) (s exchange.Sealed, err error) {
				u, err := get(tx, exchange.Uses, "use", r.Use)
				if err != nil {
					return s, err
				}
				if err := tx.By.Own(u.Consumer); err != nil {
					return s, err
				}
				if !u.Waiting {
					return s, exchange.ErrNothingWaits
				}
				raw, err := tx.Store.Private(exchange.Inbox(access.MSPOf(u.Consumer)), u.ID)
				if err != nil {
					return s, err
				}
				if raw == nil { // expired
					return s, exchange.ErrNothingWaits
				}
				if err := json.Unmarshal(raw, &s); err != nil {
					return s, fmt.Errorf("decode a payload that waits: %w", err)
				}
				return s, nil
			}),
		kernel.NewTransition(kernel.Transition[exchange.PurgeUse, exchange.Use]{
			Name: exchange.UsePurge, Rule: ownService, In: exchange.Uses,
			Doc: "Removes the payload of a use from all peers, for the provider or the consumer; the evidence stays.",
			Key: func(r exchange.PurgeUse) []string { return []string{r.Use} },
			Apply: func(tx *kernel.Tx, u exchange.Use, r exchange.PurgeUse) (exchange.Use, error) {
				waited := u.Waiting
				u, event, err := u.Purge(tx.By, r)
				if err == nil && waited {
					tx.Store.PurgePrivate(exchange.Inbox(access.MSPOf(u.Consumer)), u.ID)
				}
				return u, announce(tx, event, err)
			},
		}),
	}
}

// putIntoInbox keeps the payload that came along as transient data for the consumer of a use.
func putIntoInbox(tx *kernel.Tx, u exchange.Use) error {
	payload, err := tx.Transient(exchange.TransientPayload(u.ID))
	if err != nil {
		return err
	}
	if err := u.Waits(payload); err != nil {
		return err
	}
	tx.Store.PutPrivate(exchange.Inbox(access.MSPOf(u.Consumer)), u.ID, payload)
	return nil
}
