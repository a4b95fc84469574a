package store

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"strings"
	"time"

	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/state"
	"github.com/hutong-gov/hutong/gateway/database"
)

// Limits of a page, the same as on the ledger.
const (
	DefaultPageSize = state.DefaultPageSize
	MaxPageSize     = state.MaxPageSize
)

// selection builds the WHERE of a list and pages through it by key: a page token holds the order key of the last row, so
// that rows that arrive in between neither repeat nor hide others.
type selection struct {
	where      []string
	values     []any
	order      []string // columns of the order key, together unique
	descending bool
	size       int
}

// is adds an equality unless the value is empty.
func (s *selection) is(column, value string) {
	if value != "" {
		s.where, s.values = append(s.where, column+" = ?"), append(s.values, value)
	}
}

// likeText keeps what LIKE takes for patterns from being taken so.
var likeText = strings.NewReplacer("!", "!!", "%", "!%", "_", "!_")

// has adds that the column, which is in lower case, holds a text in any case.
func (s *selection) has(column, text string) {
	s.where = append(s.where, column+" LIKE ? ESCAPE '!'")
	s.values = append(s.values, "%"+likeText.Replace(database.Text(strings.ToLower(text)))+"%")
}

// since adds a lower bound unless the time is zero.
func (s *selection) since(column string, t time.Time) {
	if !t.IsZero() {
		s.where, s.values = append(s.where, column+" >= ?"), append(s.values, database.Millis(t))
	}
}

// before adds an upper bound, which is not included, unless the time is zero.
func (s *selection) before(column string, t time.Time) {
	if !t.IsZero() {
		s.where, s.values = append(s.where, column+" < ?"), append(s.values, database.Millis(t))
	}
}

// between adds bounds, which are included; last is none if it is 0.
func (s *selection) between(column string, first, last int) {
	s.where, s.values = append(s.where, column+" >= ?"), append(s.values, int64(first))
	if last > 0 {
		s.where, s.values = append(s.where, column+" <= ?"), append(s.values, int64(last))
	}
}

// limit checks the size asked for. Fault: request.invalid on page_size.
func (s *selection) limit(size int) error {
	if size == 0 {
		size = DefaultPageSize
	}
	if size < 1 || size > MaxPageSize {
		return fault.Field("page_size", fmt.Sprintf("between:1,%d", MaxPageSize), "ask for a smaller page")
	}
	s.size = size
	return nil
}

// token is what a page token holds: which list it belongs to and the order key of its last row.
type token struct {
	List uint32 `json:"l"`
	Key  []any  `json:"k"`
}

// list identifies the list, so that a token is not used with another.
func (s *selection) list() uint32 {
	h := fnv.New32a()
	fmt.Fprint(h, s.where, s.values, s.order, s.descending)
	return h.Sum32()
}

func (s *selection) encode(list uint32, key []any) (string, error) {
	raw, err := json.Marshal(token{list, key})
	return base64.RawURLEncoding.EncodeToString(raw), err
}

// query is the SQL for one row more than the page, and its values. Fault: request.invalid on page_token.
func (s *selection) query(columns, table, after string) (text string, values []any, err error) {
	where, values := s.where, s.values
	direction, than := "", ">"
	if s.descending {
		direction, than = " DESC", "<"
	}
	if after != "" {
		var t token
		raw, err := base64.RawURLEncoding.DecodeString(after)
		if err != nil || json.Unmarshal(raw, &t) != nil || t.List != s.list() || len(t.Key) != len(s.order) {
			return "", nil, fault.Field("page_token", "from_previous_page", "use the next_page_token of the same list, or none")
		}
		marks := strings.TrimSuffix(strings.Repeat("?, ", len(s.order)), ", ")
		where = append(where[:len(where):len(where)], fmt.Sprintf("(%s) %s (%s)", strings.Join(s.order, ", "), than, marks))
		for _, k := range t.Key {
			if f, ok := k.(float64); ok { // JSON has no integers; ours are small enough
				k = int64(f)
			}
			values = append(values[:len(values):len(values)], k)
		}
	}
	text = "SELECT " + columns + " FROM " + table
	if len(where) > 0 {
		text += " WHERE " + strings.Join(where, " AND ")
	}
	text += " ORDER BY " + strings.Join(s.order, direction+", ") + direction + fmt.Sprintf(" LIMIT %d", s.size+1)
	return text, values, nil
}

// oneOf adds a choice unless there are no values.
func (s *selection) oneOf(column string, values []any) {
	if len(values) == 0 {
		return
	}
	s.where = append(s.where, column+" IN (?"+strings.Repeat(", ?", len(values)-1)+")")
	s.values = append(s.values, values...)
}

// anyOf are values as statements take them.
func anyOf[T any](values []T) []any {
	all := make([]any, len(values))
	for i, v := range values {
		all[i] = v
	}
	return all
}
