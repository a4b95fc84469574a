package kernel

import (
	"reflect"
	"strings"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/state"
)

// ByID asks for one record. The id of a record whose key has several parts joins them with "/".
type ByID struct {
	ID string `json:"id"`
}

// Validate implements Validator.
func (r ByID) Validate() error {
	if r.ID == "" {
		return fault.Field("id", "required", "name the record")
	}
	return nil
}

// Listing asks for a page of records in key order, those whose id starts with Under ("/"-joined leading parts).
type Listing struct {
	Under     string `json:"under,omitempty"`
	PageSize  int    `json:"page_size,omitempty"`
	PageToken string `json:"page_token,omitempty"`
}

// Validate implements Validator; sizes and tokens are checked where the list is read.
func (r Listing) Validate() error { return nil }

// Nothing is a request without members.
type Nothing struct{}

// Validate implements Validator.
func (Nothing) Validate() error { return nil }

// Reads are the three functions every collection has: <noun>:Get, <noun>:List, <noun>:History.
func Reads[T any](m state.Map[T]) []Function {
	return []Function{
		NewRead(m.Noun+":Get", access.Everyone(), "One "+m.Noun+" by id.", func(tx *Tx, r ByID) (T, error) {
			return m.Get(tx.Store, parts(m.Parts, r.ID)...)
		}),
		NewRead(m.Noun+":List", access.Everyone(), "A page of "+m.Noun+" records in key order.", func(tx *Tx, r Listing) (state.Page[T], error) {
			var under []string
			if r.Under != "" {
				under = strings.Split(r.Under, "/")
			}
			return m.Scan(tx.Store, r.PageSize, r.PageToken, under...)
		}),
		NewRead(m.Noun+":History", access.Everyone(), "Every past state of one "+m.Noun+", newest first.", func(tx *Tx, r ByID) ([]state.Revision[T], error) {
			return m.History(tx.Store, parts(m.Parts, r.ID)...)
		}),
	}
}

// parts splits an id; a wrong number of parts is met by the collection as a missing record.
func parts(names []string, id string) []string {
	split := strings.SplitN(id, "/", len(names))
	for len(split) < len(names) {
		split = append(split, "-")
	}
	return split
}

// Row describes a function to a client.
type Row struct {
	Function string        `json:"function"`
	Kind     Kind          `json:"kind"`
	Roles    []access.Role `json:"roles"`
	Scope    access.Scope  `json:"scope"`
	Request  string        `json:"request"`
	Doc      string        `json:"doc"`
}

// describe is the contract's own table as a read function.
func (c *Contract) describe() Function {
	return NewRead(DescribeFunction, access.Everyone(), "The contract's functions and who may call them.", func(*Tx, Nothing) ([]Row, error) {
		var rows []Row
		for _, f := range c.Rows() {
			rows = append(rows, Row{f.Name, f.Kind, f.Rule.Roles, f.Rule.Scope, typeName(f.Request), f.Doc})
		}
		return rows, nil
	})
}

func typeName(t reflect.Type) string { return t.Name() }
