package connector

import (
	"context"
	"fmt"

	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/fault"
)

// A file is a column of bytes (BLOB, bytea). Fetch answers its size; Part reads it piece by piece, so that never more than a
// piece of it is in the gateway's memory. Both databases say it in the same words.

// sizeOf asks for how many bytes a column has.
const sizeOf = `length(%s)`

// ask has something else than its value asked of the i-th column.
func (r *request) ask(i int, what string) {
	if r.as == nil {
		r.as = map[int]string{}
	}
	r.as[i] = what
}

// Part reads a piece of a file: length bytes from offset on, less at its end. field is one of the dataset's, of type file; q
// asks for it as Fetch did. Faults: as Fetch.
func (s *Set) Part(ctx context.Context, q Query, field exchange.FieldSpec, offset int64, length int) ([]byte, error) {
	m, err := s.find(q.Dataset)
	if err != nil {
		return nil, err
	}
	q.Fields = []exchange.FieldSpec{field}
	asked, err := m.request(q)
	if err != nil {
		return nil, err
	}
	asked.ask(0, fmt.Sprintf(`substr(%%s, %d, %d)`, offset+1, length)) // positions count from 1
	row, err := m.only(ctx, asked)
	if err != nil {
		return nil, err
	}
	if part, is := row[0].([]byte); is { // of text, length counts characters
		return part, nil
	}
	return nil, fault.New(fault.Internal, "connector.type", "the database's value does not have the dataset's type; correct the connector").On("fields."+field.Name, "type:"+field.Type)
}
