package kernel_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/chaincode/ledgertest"
	"github.com/hutong-gov/hutong/chaincode/state"
)

// The contract of these tests keeps notes on shelves. A note's id is derived, a shelf's is its code. Sealing a note ends
// with a seal in another contract, the vault.

type note struct {
	state.Head
	state.Past
	Text string `json:"text"`
}

type shelf struct {
	state.Head
	Notes int `json:"notes"`
}

type seal struct {
	state.Head
	Note string `json:"note"`
}

var (
	notes   = state.Map[note]{Noun: "note", Parts: []string{"id"}, Doc: "A note."}
	shelves = state.Map[shelf]{Noun: "shelf", Parts: []string{"agency", "code"}, Doc: "A shelf."}
	seals   = state.Map[seal]{Noun: "seal", Parts: []string{"id"}, Doc: "A seal on a note."}
)

type write struct {
	Text string `json:"text"`
}

func (r write) Validate() error {
	if r.Text == "" || len(r.Text) > 20 {
		return fault.Field("text", "length:1,20", "write a little")
	}
	return nil
}

type open struct {
	Code string `json:"code"`
	Note string `json:"note,omitempty"` // text of a note to go with it
}

func (open) Validate() error { return nil }

type amend struct {
	ID   string `json:"id"`
	Text string `json:"text"`
}

func (amend) Validate() error { return nil }

type one struct {
	ID string `json:"id"`
}

func (one) Validate() error { return nil }

var errSealed = fault.New(fault.Refused, "note.sealed", "write another note")

func library() *kernel.Contract {
	on := func(verb string, apply func(*kernel.Tx, note, one) (note, error)) kernel.Function {
		return kernel.NewTransition(kernel.Transition[one, note]{
			Name: "note:" + verb, Rule: access.Only(access.Any, access.Agency, access.Admin), Doc: verb + "s a note.", In: notes,
			Key: func(r one) []string { return []string{r.ID} }, Apply: apply,
		})
	}
	return (&kernel.Contract{
		Name: "library", Collections: []state.Collection{notes, shelves},
		Events: []kernel.Event{{Type: "note.written.v1"}, {Type: "note.amended.v1"}, {Type: "shelf.opened.v1"}},
		Functions: append(append(kernel.Reads(notes), kernel.Reads(shelves)...),
			kernel.NewCreate(kernel.Create[write, note]{
				Name: "note:Write", Rule: access.Only(access.Any, access.Agency, access.Admin, access.Portal), Doc: "Writes a note.", In: notes,
				Make: func(tx *kernel.Tx, id string, r write) (note, error) {
					tx.Announce(kernel.Change{Type: "note.written.v1", ID: id, Agency: tx.By.Agency})
					return note{Head: state.Head{Status: "open"}, Text: r.Text}, nil
				},
			}),
			kernel.NewCreate(kernel.Create[open, shelf]{
				Name: "shelf:Open", Rule: access.Only(access.OwnAgency, access.Admin), Doc: "Opens a shelf.", In: shelves,
				Taken: "open a shelf of another code",
				Key:   func(by access.Caller, r open) []string { return []string{by.Agency, r.Code} },
				Make: func(tx *kernel.Tx, id string, r open) (shelf, error) {
					tx.Announce(kernel.Change{Type: "shelf.opened.v1", ID: id})
					s := shelf{Head: state.Head{Status: "empty"}}
					if r.Note != "" {
						s.Notes = 1
						if err := notes.Put(tx.Store, note{Head: state.Head{ID: "first", Status: "open"}, Text: r.Note}, "first"); err != nil {
							return s, err
						}
					}
					if r.Code == "refused" {
						return s, fault.New(fault.Refused, "shelf.full", "choose another code")
					}
					return s, nil
				},
			}),
			kernel.NewCreate(kernel.Create[open, shelf]{
				Name: "shelf:Found", Rule: access.Only(access.Coordinating, access.Admin), Doc: "Founds a shelf.", In: shelves,
				Key:  func(by access.Caller, r open) []string { return []string{by.Agency, r.Code} },
				Make: func(*kernel.Tx, string, open) (shelf, error) { return shelf{Head: state.Head{Status: "empty"}}, nil },
			}),
			kernel.NewTransition(kernel.Transition[amend, note]{
				Name: "note:Amend", Rule: access.Only(access.OwnAgency, access.Agency, access.Admin), Doc: "Changes a note.", In: notes,
				Key: func(r amend) []string { return []string{r.ID} },
				Apply: func(tx *kernel.Tx, n note, r amend) (note, error) {
					if err := tx.By.Own(n.Created.By); err != nil {
						return n, err
					}
					if n.Status == "sealed" {
						return n, errSealed
					}
					n.Text, n.Status = r.Text, "amended"
					tx.Announce(kernel.Change{Type: "note.amended.v1", ID: n.ID})
					return n, nil
				},
			}),
			kernel.NewTransition(kernel.Transition[amend, note]{
				Name: "note:Sign", Rule: access.Only(access.OwnAgency, access.Agency), Doc: "Signs a note.", In: notes, Inside: true,
				Key: func(r amend) []string { return []string{r.ID} },
				Apply: func(_ *kernel.Tx, n note, r amend) (note, error) {
					n.Text, n.Status = n.Text+r.Text, "signed"
					return n, nil
				},
			}),
			on("Seal", func(tx *kernel.Tx, n note, r one) (note, error) {
				n.Status = "sealed"
				return n, tx.Finally("vault", "seal:Make", n.ID, one(r), kernel.Change{Type: "seal.made.v1", ID: kernel.ID(tx.By.Agency, "seal:Make", n.ID)})
			}),
			on("SealTwice", func(tx *kernel.Tx, n note, r one) (note, error) {
				if err := tx.Finally("vault", "seal:Make", n.ID, r, kernel.Change{Type: "seal.made.v1"}); err != nil {
					return n, err
				}
				return n, tx.Finally("vault", "seal:Make", n.ID+"-2", r, kernel.Change{Type: "seal.made.v1"})
			}),
			on("SealWith", func(tx *kernel.Tx, n note, r one) (note, error) { // with the seal of the note called "shared"
				return n, tx.Finally("vault", "seal:Make", "shared", one{"shared"}, kernel.Change{Type: "seal.made.v1"})
			}),
			on("Break", func(tx *kernel.Tx, n note, r one) (note, error) { return n, errors.New("the disk is full") }),
			on("Panic", func(tx *kernel.Tx, n note, r one) (note, error) { panic("text of the request") }),
			kernel.NewRead("note:Sealed", access.Everyone(), "Whether the vault has a seal.", func(tx *kernel.Tx, r one) (seal, error) {
				var s seal
				err := tx.Ask("vault", "seal:Get", kernel.ByID{ID: r.ID}, &s)
				return s, err
			}),
		),
	}).Build()
}

// vault refuses to seal a note that has "secret" in its id's place.
func vault() *kernel.Contract {
	return (&kernel.Contract{
		Name: "vault", Collections: []state.Collection{seals}, Events: []kernel.Event{{Type: "seal.made.v1"}},
		Functions: append(kernel.Reads(seals), kernel.NewCreate(kernel.Create[one, seal]{
			Name: "seal:Make", Rule: access.Only(access.Any, access.Agency), Doc: "Makes a seal.", In: seals,
			Make: func(tx *kernel.Tx, id string, r one) (seal, error) {
				tx.Announce(kernel.Change{Type: "seal.made.v1", ID: id})
				return seal{state.Head{Status: "made"}, r.ID}, nil
			},
		})),
	}).Build()
}

func newLedger() *ledgertest.Ledger { return ledgertest.New(library(), vault()) }

const (
	tax = "market.tax"
	law = "market.law"
)

// do submits what must succeed.
func do(t *testing.T, c *ledgertest.Client, function, key string, request any) kernel.Receipt {
	t.Helper()
	receipt, err := c.Submit(function, key, request)
	require.NoError(t, err)
	return receipt
}

// requireFault checks a refusal.
func requireFault(t *testing.T, err error, kind fault.Kind, reason, field string) {
	t.Helper()
	var f *fault.Fault
	require.ErrorAs(t, err, &f)
	require.Equal(t, [3]string{string(kind), reason, field}, [3]string{string(f.Kind), f.Reason, f.Field}, f.Error())
}

// events are the changes the last block announces.
func events(t *testing.T, l *ledgertest.Ledger) string {
	t.Helper()
	blocks := l.Blocks()
	var all []string
	for _, change := range changes(t, blocks[len(blocks)-1].Transactions[0].Event) {
		all = append(all, change.Type)
	}
	return strings.Join(all, " ")
}
