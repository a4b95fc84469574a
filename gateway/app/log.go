package app

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/gateway/store"
	"github.com/hutong-gov/hutong/network/audit"
	"github.com/hutong-gov/hutong/network/statement"
)

// AccessLog is the head of a subject's access log.
type AccessLog struct {
	Count int    `json:"count" doc:"How many uses there are; they are numbered from 1 without a gap."`
	Root  string `json:"root,omitempty" doc:"Of the Merkle tree over all uses in order (RFC 9162); absent while there is none."`
	Last  string `json:"last,omitempty" doc:"The last use."`
}

func headOf(l exchange.Log) *AccessLog { return &AccessLog{Count: l.Count, Root: l.Root, Last: l.Last} }

// MyUses is GET /v1/subjects/me/uses.
type MyUses struct {
	Paging
	Consumer string    `query:"consumer" json:"-" max:"64" doc:"Only uses by this agency."`
	Dataset  string    `query:"dataset" json:"-" max:"128" doc:"Only uses of this dataset."`
	Case     string    `query:"case" json:"-" max:"64" doc:"Only uses for this case."`
	Since    time.Time `query:"since" json:"-" doc:"Only uses asked for at this time or later."`
	Before   time.Time `query:"before" json:"-" doc:"Only uses asked for before this time."`
	Count    int       `query:"count" json:"-" min:"0" max:"1000000000" doc:"Only uses up to this number, with the proof that they are those of a log of that many: the count of the head, or of a statement. Not together with what leaves uses out."`
}

// LoggedUse is one entry of the citizen's access log.
type LoggedUse struct {
	exchange.Entry
	Status string        `json:"status" doc:"sealed until it is opened, if its disclosure was delayed; requested, delivered or acknowledged; prepared, released or refused where you look first; of a verification without the provider, what it found."`
	Words  exchange.Text `json:"words" doc:"The entry in plain words; times in them are Beijing time."`
	Opened *OpenedEntry  `json:"opened,omitempty" doc:"Of an entry that was sealed and is open: what it was about. The entry itself stays as it was sealed."`
}

// OpenedEntry is what a sealed entry was about.
type OpenedEntry struct {
	exchange.Disclosure
	At   time.Time        `json:"at" doc:"When it was opened."`
	Says exchange.Details `json:"says" doc:"What the document says."`
}

// UseLog is a page of the citizen's access log with its head.
type UseLog struct {
	Page[LoggedUse]
	Log   AccessLog          `json:"log" doc:"The head of the log."`
	Proof *exchange.LogProof `json:"proof,omitempty" doc:"With count: that the page's entries, in the order of their numbers, are those of the log."`
}

// MyUses lists who used the citizen's data, for what, on which legal basis, newest first: numbered, nothing left out, and
// nothing in it that is somebody else's business.
func (a *App) MyUses(ctx context.Context, who Actor, req MyUses) (answer UseLog, err error) {
	if err := who.is(Citizen); err != nil {
		return answer, err
	}
	if answer.AsOf, err = a.wait(ctx, req.After); err != nil {
		return answer, err
	}
	log, err := a.myLog(ctx, who)
	if err != nil {
		return answer, err
	}
	answer.Log = *headOf(log)
	q := store.Query{
		Noun: "use", Subject: who.Subject, Peer: req.Consumer, Kind: req.Dataset, Case: req.Case, CreatedSince: req.Since, CreatedBefore: req.Before,
		ByNumber: true, LastNumber: req.Count, Descending: true, PageSize: req.PageSize, PageToken: req.PageToken,
	}
	if req.Consumer != "" {
		q.Unlike = exchange.UnderSeal // whose it is would show by its being there
	}
	if req.Count > 0 {
		if req.Consumer+req.Dataset+req.Case != "" || !req.Since.IsZero() || !req.Before.IsZero() {
			return answer, fault.Field("query.count", "alone", "a proof is of entries that follow each other; leave the filters out")
		}
		if req.Count > log.Count {
			return answer, fault.Field("query.count", fmt.Sprintf("max:%d", log.Count), "the log has fewer entries here; ask with min_block for what was written just now")
		}
	}
	uses, next, err := some[exchange.Use](ctx, a, q)
	if err != nil {
		return answer, err
	}
	uses = slices.DeleteFunc(uses, func(u exchange.Use) bool { return u.Number > log.Count }) // came since the head was read
	answer.Next, answer.Items = next, make([]LoggedUse, len(uses))
	words := newWords(a)
	for i, u := range uses {
		answer.Items[i] = LoggedUse{Entry: u.Entry(), Status: u.Status}
		if d, open := u.Disclosure(); open {
			says, err := d.Opens(u.Entry())
			if err != nil {
				return answer, err
			}
			answer.Items[i].Opened = &OpenedEntry{d, u.Seal.OpenedAt, says}
		}
		if answer.Items[i].Words, err = words.of(ctx, u); err != nil {
			return answer, err
		}
	}
	if n := len(uses); n > 0 && req.Count > 0 {
		proof, err := a.prove(ctx, who.Subject, uses[n-1].Number, uses[0].Number, req.Count)
		if err != nil {
			return answer, err
		}
		answer.Proof = &proof
	}
	return answer, nil
}

// myLog is the head of the citizen's log, an empty one where no key is registered.
func (a *App) myLog(ctx context.Context, who Actor) (exchange.Log, error) {
	log, found, err := find[exchange.Log](ctx, a, "log", who.Subject)
	if err == nil && !found {
		log.Subject = who.Subject
	}
	return log, err
}

// prove makes the proof that uses are those of a log of count. It reads at most two uses for each doubling of the log.
func (a *App) prove(ctx context.Context, subject string, first, last, count int) (exchange.LogProof, error) {
	known := map[int]exchange.Use{}
	if numbers := exchange.ProofUses(first, last, count); len(numbers) > 0 { // none: the entries are the whole log
		uses, _, err := some[exchange.Use](ctx, a, store.Query{Noun: "use", Subject: subject, ByNumber: true, Numbers: numbers, PageSize: store.MaxPageSize})
		if err != nil {
			return exchange.LogProof{}, err
		}
		for _, u := range uses {
			known[u.Number] = u
		}
	}
	return exchange.Prove(first, last, count, func(number int) (exchange.Use, error) {
		u, found := known[number]
		if !found {
			return u, fmt.Errorf("projection: use %d of a log of %d is missing", number, count)
		}
		return u, nil
	})
}

// MaxExported bounds the entries of one part of an exported log; about 6 MB.
const MaxExported = 10_000

// MyLog is GET /v1/subjects/me/log.
type MyLog struct {
	From int `query:"from" json:"-" min:"0" max:"1000000000" doc:"Number of the first entry wanted; 1 if absent. One part has at most 10,000."`
}

// MyLog exports the citizen's log, or the next part of it, with the statement that makes it a proof: several organisations'
// peers sign how many entries there are and the root over all of them.
func (a *App) MyLog(ctx context.Context, who Actor, req MyLog) (file audit.LogFile, err error) {
	var log exchange.Log
	if file.Statement, log, err = a.stateLog(ctx, who); err != nil {
		return file, err
	}
	file.Entries, file.Proof = []exchange.Entry{}, exchange.LogProof{Before: []string{}, After: []string{}}
	from := max(req.From, 1)
	if from > log.Count {
		if log.Count == 0 && from == 1 {
			return file, nil
		}
		return file, fault.Field("query.from", fmt.Sprintf("max:%d", log.Count), "the log has no entry of this number")
	}
	q := store.Query{Noun: "use", Subject: log.Subject, ByNumber: true, FirstNumber: from, LastNumber: min(log.Count, from+MaxExported-1), PageSize: store.MaxPageSize}
	for last := false; !last; last = q.PageToken == "" {
		var uses []exchange.Use
		if uses, q.PageToken, err = some[exchange.Use](ctx, a, q); err != nil {
			return file, err
		}
		for _, u := range uses {
			file.Entries = append(file.Entries, u.Entry())
			if d, open := u.Disclosure(); open {
				file.Disclosures = append(file.Disclosures, d)
			}
		}
	}
	file.Proof, err = a.prove(ctx, log.Subject, from, q.LastNumber, log.Count)
	return file, err
}

// MyLogStatement is GET /v1/subjects/me/log/statement.
type MyLogStatement struct{}

// MyLogStatement has the head of the citizen's log stated by several organisations. With its count, pages of the log
// (MyUses) prove themselves against it.
func (a *App) MyLogStatement(ctx context.Context, who Actor, _ MyLogStatement) (statement.Statement, error) {
	s, _, err := a.stateLog(ctx, who)
	return s, err
}

// stateLog has the head of the citizen's log stated, and waits until the projection has what it is of.
func (a *App) stateLog(ctx context.Context, who Actor) (s statement.Statement, log exchange.Log, err error) {
	if err := who.is(Citizen); err != nil {
		return s, log, err
	}
	signed, err := a.Ledger.Attest(ctx, exchange.Name, exchange.LogGet, kernel.ByID{ID: who.Subject})
	if err != nil {
		return s, log, err
	}
	if s, err = statement.Read(signed); err != nil {
		return s, log, err
	}
	if err := json.Unmarshal(s.Answer, &log); err != nil {
		return s, log, fmt.Errorf("ledger: %s answers no log: %w", exchange.LogGet, err)
	}
	_, err = a.wait(ctx, After{MinBlock: s.Block})
	return s, log, err
}
