package kernel

import (
	"cmp"
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/canonical"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/state"
)

// Kind of a function.
type Kind string

const (
	KindRead       Kind = "read"
	KindCreate     Kind = "create"
	KindTransition Kind = "transition"
)

// Function is a row of a contract's table: its name, who may call it, and how it is carried out.
type Function struct {
	Name    string // noun:Verb
	Kind    Kind
	Rule    access.Rule
	Doc     string
	Request reflect.Type
	run     func(tx *Tx, request []byte) (any, error)
	// first is the key that a write looks at before anything else, if it is known without the request.
	first func(agency, key string) string
	asks  func(request []byte) (Question, bool) // of another contract; nil: nothing
}

// Validator is a request that knows its own rules of form. Validate returns a fault naming field and rule; fields are
// relative to the request.
type Validator interface{ Validate() error }

// NewRead makes a read function.
func NewRead[Req Validator, Res any](name string, rule access.Rule, doc string, answer func(*Tx, Req) (Res, error)) Function {
	return Function{Name: name, Kind: KindRead, Rule: rule, Doc: doc, Request: reflect.TypeFor[Req](),
		run: func(tx *Tx, raw []byte) (any, error) {
			request, err := decode[Req](raw)
			if err != nil {
				return nil, err
			}
			return answer(tx, request)
		}}
}

// Create describes a function that makes a record.
type Create[Req Validator, Rec any] struct {
	Name string
	Rule access.Rule
	Doc  string
	In   state.Map[Rec]
	// Key gives the record's natural key, one value a part. Nil: the key is one part, derived by ID.
	Key func(by access.Caller, request Req) []string
	// Taken is the detail of the fault <noun>.conflict: what to do when the record exists with other content. Empty: a
	// sentence that fits every record.
	Taken string
	// Asks is what Make will ask another contract (Tx.Ask); nil: nothing. The request may be invalid. A batch asks for all
	// its commands at once; that is all it is for.
	Asks func(request Req) Question
	// Make judges the request and returns the record, with Status set; the kernel fills the rest of the head. It may read
	// and write other collections and announce changes.
	Make func(tx *Tx, id string, request Req) (Rec, error)
}

const takenDetail = "the identifier or idempotency key is taken by other content; use another, or repeat the first request unchanged"

// NewCreate makes a create function. Repeating it with the same content returns the first receipt; with other content it
// is the fault <noun>.conflict.
func NewCreate[Req Validator, Rec any, P state.Record[Rec]](c Create[Req, Rec]) Function {
	var first func(agency, key string) string
	if c.Key == nil {
		first = func(agency, key string) string { return state.Key(c.In.Noun, ID(agency, c.Name, key)) }
	}
	var asks func([]byte) (Question, bool)
	if c.Asks != nil {
		asks = func(raw []byte) (q Question, ok bool) {
			var request Req
			if json.Unmarshal(raw, &request) != nil {
				return q, false
			}
			return c.Asks(request), true
		}
	}
	return Function{Name: c.Name, Kind: KindCreate, Rule: c.Rule, Doc: c.Doc, Request: reflect.TypeFor[Req](), first: first, asks: asks,
		run: func(tx *Tx, raw []byte) (any, error) {
			request, err := decode[Req](raw)
			if err != nil {
				return nil, err
			}
			digest := requestDigest(c.Name, raw)
			parts := []string{ID(tx.By.Agency, c.Name, tx.Key)}
			if c.Key != nil {
				parts = c.Key(tx.By, request)
			}
			found, exists, err := c.In.Find(tx.Store, parts...)
			if err != nil {
				return nil, err
			}
			if exists {
				head := P(&found).Header()
				if head.Digest != digest || head.Created.By != tx.By.Agency {
					return nil, fault.New(fault.Conflict, c.In.Noun+".conflict", cmp.Or(c.Taken, takenDetail)).On("idempotency_key", "same_content")
				}
				return Receipt{ID: head.ID, Status: head.First, Version: 1, Number: numberOf(found), At: head.Created.At, Tx: head.Created.Tx, Replayed: true}, nil
			}
			id := strings.Join(parts, "/")
			record, err := c.Make(tx, id, request)
			if err != nil {
				return nil, err
			}
			head := P(&record).Header()
			head.ID, head.Version, head.Digest, head.First = id, 1, digest, head.Status
			head.Created = tx.Stamp()
			if err := c.In.Put(tx.Store, record, parts...); err != nil {
				return nil, err
			}
			return Receipt{ID: id, Status: head.Status, Version: 1, Number: numberOf(record), At: tx.At, Tx: tx.ID}, nil
		}}
}

// Numbered is a record that takes a number when it is made, in a series of its own: a use in its subject's access log.
type Numbered interface{ Ordinal() int }

func numberOf(record any) int {
	if n, ok := record.(Numbered); ok {
		return n.Ordinal()
	}
	return 0
}

// Transition describes a function that changes a record.
type Transition[Req Validator, Rec any] struct {
	Name string
	Rule access.Rule
	Doc  string
	In   state.Map[Rec]
	Key  func(request Req) []string
	// Inside: the record itself remembers that it was done (it embeds state.Past) in place of a receipt beside it, which saves
	// the peer a read and a write. It is for a step that is taken once or twice in a record's life, with an idempotency key
	// that is never used for another record: there it would be a new command, not a conflict.
	Inside bool
	// Apply judges the request against the record and returns it changed, with Status set; the kernel counts the version
	// and stamps it. It may read and write other collections, announce changes and end with Tx.Finally.
	Apply func(tx *Tx, record Rec, request Req) (Rec, error)
}

// NewTransition makes a transition function. Repeating it with the same key and content returns the first receipt; the
// same key with other content is the fault idempotency.conflict.
func NewTransition[Req Validator, Rec any, P state.Record[Rec]](t Transition[Req, Rec]) Function {
	// past is what a record remembers itself; nothing where it does not.
	past := func(record *Rec) []state.Done {
		if t.Inside {
			return *any(record).(remembering).Remembered()
		}
		return nil
	}
	past(new(Rec)) // a record that cannot remember is met here
	f := Function{Name: t.Name, Kind: KindTransition, Rule: t.Rule, Doc: t.Doc, Request: reflect.TypeFor[Req](),
		run: func(tx *Tx, raw []byte) (any, error) {
			request, err := decode[Req](raw)
			if err != nil {
				return nil, err
			}
			this := state.Done{Command: ID(tx.By.Agency, t.Name, tx.Key), Digest: requestDigest(t.Name, raw), At: tx.At, Tx: tx.ID}
			if !t.Inside {
				done, exists, err := receipts.Find(tx.Store, this.Command)
				if err != nil {
					return nil, err
				}
				if exists {
					return replayed(done.Receipt, done.Digest == this.Digest)
				}
			}
			parts := t.Key(request)
			record, err := t.In.Get(tx.Store, parts...)
			if err != nil {
				return nil, err
			}
			before, done := *P(&record).Header(), past(&record)
			if at := slices.IndexFunc(done, func(d state.Done) bool { return d.Command == this.Command }); at >= 0 {
				d := done[at]
				return replayed(Receipt{ID: before.ID, Status: d.Status, Version: d.Version, At: d.At, Tx: d.Tx}, d.Digest == this.Digest)
			}
			if record, err = t.Apply(tx, record, request); err != nil {
				return nil, err
			}
			head := P(&record).Header()
			head.Version, head.Changed = before.Version+1, tx.Stamp()
			this.Status, this.Version = head.Status, head.Version
			receipt := Receipt{ID: head.ID, Status: head.Status, Version: head.Version, At: tx.At, Tx: tx.ID}
			if t.Inside {
				if len(done) == MaxInside {
					return nil, errManyInside
				}
				*any(&record).(remembering).Remembered() = append(slices.Clip(done), this)
			} else if err := receipts.Put(tx.Store, stored{Digest: this.Digest, Receipt: receipt}, this.Command); err != nil {
				return nil, err
			}
			return receipt, t.In.Put(tx.Store, record, parts...)
		}}
	if !t.Inside {
		f.first = func(agency, key string) string { return state.Key(receipts.Noun, ID(agency, t.Name, key)) }
	}
	return f
}

// remembering is a pointer to a record that embeds state.Past.
type remembering interface{ Remembered() *[]state.Done }

// MaxInside is how many transitions a record remembers itself (Transition.Inside).
const MaxInside = 8

var errManyInside = fault.New(fault.Internal, "kernel.too_much_inside", "a function that is carried out often on one record must not be remembered in it")

// replayed answers a command that was carried out before; same: its request was the same.
func replayed(r Receipt, same bool) (any, error) {
	if !same {
		return nil, fault.New(fault.Conflict, "idempotency.conflict", "the idempotency key was used for another request; use a new one").On("idempotency_key", "same_content")
	}
	r.Replayed = true
	return r, nil
}

// stored remembers a transition that was done.
type stored struct {
	Digest  string  `json:"digest"`
	Receipt Receipt `json:"receipt"`
}

// ReceiptNoun is the noun of receipts: bookkeeping, which repeats what records and transactions say.
const ReceiptNoun = "receipt"

var receipts = state.Map[stored]{Noun: ReceiptNoun, Parts: []string{"id"},
	Doc: "The first answer to a transition, under the id derived from its caller, function and idempotency key."}

// carryOut judges and runs one command, keeping its writes and changes only if it succeeds.
func (f Function) carryOut(tx *Tx, command Command) (receipt Receipt, err error) {
	tx.Staff, tx.Key, tx.deferred, tx.pending = command.Staff, command.IdempotencyKey, nil, nil
	tx.Store.Discard()
	if err := command.validate(); err != nil {
		return receipt, err
	}
	if err := f.Rule.Check(tx.By); err != nil {
		return receipt, err
	}
	answer, err := f.run(tx, command.Request)
	if err == nil {
		err = tx.runDeferred()
	}
	if err != nil {
		tx.Store.Discard()
		return receipt, err
	}
	tx.Store.Accept()
	tx.changes = append(tx.changes, tx.pending...)
	return answer.(Receipt), nil
}

func (f Function) read(tx *Tx, argument []byte) ([]byte, error) {
	answer, err := f.run(tx, argument)
	if err != nil {
		return nil, err
	}
	return canonical.Marshal(answer)
}

// decode reads a request strictly and lets it check its own form.
func decode[Req Validator](raw []byte) (request Req, err error) {
	if err = canonical.Decode(raw, &request); err == nil {
		err = request.Validate()
	}
	var f *fault.Fault
	if errors.As(err, &f) && (f.Field != "" || f.Rule != "") {
		err = f.Under("request")
	}
	return request, err
}

// Lengths of a derived id, in characters of base32.
const (
	idLength       = 26 // 130 bits
	timeLength     = 10 // 48 bits: milliseconds since 1970
	timedIDLength  = timeLength + 20
	timedKeyLength = 36 // of a UUID
)

// IDForm is the form of a derived id.
const IDForm = `^[0-9a-hjkmnp-tv-z]{26}([0-9a-hjkmnp-tv-z]{4})?$`

var idEncoding = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// ID derives a record's id from who calls which function with which idempotency key. A client can compute it beforehand.
//
// A key that is a UUID of version 7 (RFC 9562, section 5.7) gives an id that begins with the key's time, so that records
// lie in the order they were made in, for every database that keeps them sorted, a peer's among them. The time is the
// client's claim and means nothing else.
func ID(agency, function, key string) string {
	sum := sha256.Sum256([]byte(agency + "\n" + function + "\n" + key))
	text := idEncoding.EncodeToString(sum[:])
	if at, ok := keyTime(key); ok {
		return idEncoding.EncodeToString(at)[:timeLength] + text[:timedIDLength-timeLength]
	}
	return text[:idLength]
}

// keyTime is the time in a key that is a UUID of version 7 in its canonical form: six bytes, most significant first.
func keyTime(key string) ([]byte, bool) {
	if len(key) != timedKeyLength {
		return nil, false
	}
	u, err := uuid.Parse(key)
	return u[:6], err == nil && u.Version() == 7 && u.String() == key
}

// requestDigest identifies a request. raw is part of a command that was decoded, and so in its canonical form.
func requestDigest(function string, raw []byte) string {
	return canonical.Sum(append([]byte(function+"\n"), raw...))
}
