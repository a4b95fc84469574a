package app

import (
	"encoding/hex"
	"encoding/json"
	"time"

	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/chaincode/state"
	"github.com/hutong-gov/hutong/network/block"
)

// BlockView is a block, decoded for people.
type BlockView struct {
	Number       uint64            `json:"number"`
	Hash         string            `json:"hash" doc:"Computed here from the header."`
	Previous     string            `json:"previous_hash"`
	DataHash     string            `json:"data_hash"`
	Transactions []TransactionView `json:"transactions"`
}

// TransactionView is a transaction, decoded for people.
type TransactionView struct {
	ID        string          `json:"id"`
	Kind      string          `json:"kind" doc:"endorsed, config or other."`
	Code      string          `json:"code" doc:"What the peers found: VALID, or why it does not count."`
	Malformed string          `json:"malformed,omitempty" doc:"Why part of it could not be read."`
	At        *time.Time      `json:"at,omitempty" doc:"The client's claim, which endorsers bounded."`
	Creator   Signatory       `json:"creator"`
	Endorsers []Signatory     `json:"endorsers"`
	Chaincode string          `json:"chaincode,omitempty"`
	Function  string          `json:"function,omitempty"`
	Commands  []CommandView   `json:"commands,omitempty" doc:"One, or those of a batch."`
	Writes    []WriteView     `json:"writes"`
	Changes   []kernel.Change `json:"changes,omitempty" doc:"What the contract announced."`
}

// Signatory is who signed, as the certificate says.
type Signatory struct {
	MSP    string `json:"msp_id"`
	Name   string `json:"name,omitempty"`
	Agency string `json:"agency,omitempty"`
	Role   string `json:"role,omitempty"`
}

// CommandView is a write as it was asked for, without its content.
type CommandView struct {
	Function       string `json:"function"`
	IdempotencyKey string `json:"idempotency_key"`
	Staff          string `json:"staff,omitempty"`
}

// WriteView is one key that was written.
type WriteView struct {
	Chaincode string          `json:"chaincode"`
	Noun      string          `json:"noun,omitempty" doc:"Absent for a key that is not a record's."`
	Key       []string        `json:"key" doc:"The parts of the key."`
	Deleted   bool            `json:"deleted,omitempty"`
	Bytes     int             `json:"size_bytes"`
	Value     json.RawMessage `json:"value,omitempty" doc:"Where it is JSON."`
}

func viewBlock(b block.Block) BlockView {
	view := BlockView{
		Number: b.Number, Hash: hex.EncodeToString(b.Hash), Previous: hex.EncodeToString(b.Previous), DataHash: hex.EncodeToString(b.DataHash),
		Transactions: make([]TransactionView, len(b.Transactions)),
	}
	for i, tx := range b.Transactions {
		view.Transactions[i] = viewTransaction(tx)
	}
	return view
}

func viewTransaction(tx block.Transaction) TransactionView {
	view := TransactionView{
		ID: tx.ID, Kind: string(tx.Kind), Code: string(tx.Code), Malformed: tx.Malformed, Creator: signatory(tx.Creator),
		Endorsers: []Signatory{}, Chaincode: tx.Chaincode, Function: tx.Function, Writes: []WriteView{},
	}
	if !tx.At.IsZero() {
		view.At = &tx.At
	}
	for _, e := range tx.Endorsers {
		view.Endorsers = append(view.Endorsers, signatory(e))
	}
	for _, c := range tx.Commands {
		view.Commands = append(view.Commands, CommandView{c.Function, c.IdempotencyKey, c.Staff})
	}
	for _, namespace := range tx.Writes {
		for _, w := range namespace.Writes {
			view.Writes = append(view.Writes, viewWrite(namespace.Name, w))
		}
	}
	if tx.Event != nil && tx.Event.Envelope != nil {
		view.Changes = tx.Event.Envelope.Changes
	}
	return view
}

func viewWrite(chaincode string, w block.Write) WriteView {
	view := WriteView{Chaincode: chaincode, Key: []string{w.Key}, Deleted: w.Delete, Bytes: len(w.Value)}
	if noun, parts, ok := state.Split(w.Key); ok {
		view.Noun, view.Key = noun, parts
	}
	if json.Valid(w.Value) {
		view.Value = w.Value
	}
	return view
}

func signatory(id block.Identity) Signatory {
	return Signatory{MSP: id.MSP, Name: id.Name, Agency: id.Agency, Role: string(id.Role)}
}
