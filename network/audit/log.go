package audit

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/network/statement"
)

// LogFile is a part of a subject's access log that proves itself: entries that follow each other, and the statement of the
// log's head by several organisations.
type LogFile struct {
	Statement statement.Statement `json:"statement" doc:"What several organisations' peers say of the log's head: how many entries there are, and the root over all of them."`
	Entries   []exchange.Entry    `json:"entries" doc:"In the order of their numbers, without a gap."`
	Proof     exchange.LogProof   `json:"proof" doc:"That the entries are those of the log that the statement is of."`
	// Disclosures open entries that were sealed.
	Disclosures []exchange.Disclosure `json:"disclosures,omitempty" doc:"What entries that were sealed are about, of those that are open: with the salts, so that everybody can hold them against the entry."`
}

// LogReport says what files prove of a log.
type LogReport struct {
	Subject       string
	Count         int       // of the latest head
	At            time.Time // when it was stated
	Organisations []string  // who stated it
	Proved        int       // entries that are in the files and were proved
	Missing       int       // the first number that is in no file; 0: the files have the whole log
	Opened        int       // entries that were sealed, with details that are those that were sealed
	Sealed        int       // entries that are sealed
	Overdue       []int     // numbers of those that should have been opened when the log was stated
}

// ErrLog says that files do not prove a log.
var ErrLog = errors.New("the log is not proved")

// CheckLog verifies parts of one subject's log with nothing but the certificates of the channel's organisations: every
// statement, that the entries of each file are those of the log its statement is of, and, where the files have all entries,
// that there are no others. Error: ErrLog, with the file and what is wrong.
func CheckLog(t statement.Trust, files ...LogFile) (r LogReport, err error) {
	if len(files) == 0 {
		return r, fmt.Errorf("%w: there is no file", ErrLog)
	}
	var latest exchange.Log
	entries := map[int]exchange.Entry{}
	for i, f := range files {
		head, err := f.head(t)
		if err != nil {
			return r, fmt.Errorf("%w: file %d: %w", ErrLog, i+1, err)
		}
		if i > 0 && head.Subject != r.Subject {
			return r, fmt.Errorf("%w: file %d is of another subject's log", ErrLog, i+1)
		}
		r.Subject = head.Subject
		for _, e := range f.Entries {
			entries[e.Number] = e
		}
		if i == 0 || head.Count > latest.Count || head.Count == latest.Count && f.Statement.At.After(r.At) {
			latest, r.Count, r.At, r.Organisations = head, head.Count, f.Statement.At, f.Statement.Organisations
		}
	}
	whole := make([]exchange.Entry, 0, len(entries))
	for number := 1; number <= latest.Count; number++ {
		e, there := entries[number]
		if !there {
			if r.Missing == 0 {
				r.Missing = number
			}
			continue
		}
		whole = append(whole, e)
	}
	r.Proved = len(whole)
	if err := r.disclose(entries, files); err != nil {
		return r, err
	}
	if r.Missing == 0 {
		if err := latest.Proves(whole, exchange.LogProof{}); err != nil {
			return r, fmt.Errorf("%w: %w", ErrLog, err)
		}
	}
	return r, nil
}

// disclose holds every disclosure against its entry, and counts what is left sealed.
func (r *LogReport) disclose(entries map[int]exchange.Entry, files []LogFile) error {
	opened := map[int]bool{}
	for i, f := range files {
		for _, d := range f.Disclosures {
			if _, err := d.Opens(entries[d.Number]); err != nil {
				return fmt.Errorf("%w: file %d: %w", ErrLog, i+1, err)
			}
			opened[d.Number] = true
		}
	}
	r.Opened = len(opened)
	for _, number := range slices.Sorted(maps.Keys(entries)) {
		if e := entries[number]; e.Sealed != "" && !opened[number] {
			r.Sealed++
			if !r.At.Before(e.OpensAt) {
				r.Overdue = append(r.Overdue, number)
			}
		}
	}
	return nil
}

// head is the log's head as stated, after everything of the file was checked against it.
func (f LogFile) head(t statement.Trust) (head exchange.Log, err error) {
	if err := f.Statement.Verify(t); err != nil {
		return head, err
	}
	if s := f.Statement; s.Chaincode != exchange.Name || s.Function != exchange.LogGet {
		return head, fmt.Errorf("the statement is of %s of the chaincode %s, not of %s of %s", s.Function, s.Chaincode, exchange.LogGet, exchange.Name)
	}
	if err := json.Unmarshal(f.Statement.Answer, &head); err != nil {
		return head, fmt.Errorf("the statement's answer is no log: %w", err)
	}
	if len(f.Entries) == 0 && head.Count > 0 { // the head alone
		return head, nil
	}
	return head, head.Proves(f.Entries, f.Proof)
}
