package certificate

import (
	"time"

	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/chaincode/state"
)

// Facts are what the ledger knows about a certificate when someone asks. A nil pointer means that there is none.
type Facts struct {
	Record *Certificate                  // as it is now
	Past   []state.Revision[Certificate] // newest first; needed only if NeedsPast
	// AtIssue is the issuer's accreditation as it was when the certificate was issued, Now as it is now.
	AtIssue, Now *Accreditation
}

// Moment is the time a question is about: what it asks for, else now.
func (q Verify) Moment(now time.Time) time.Time {
	if q.At.IsZero() {
		return now
	}
	return q.At
}

// NeedsPast says whether the record as it is now cannot answer for a moment.
func (c Certificate) NeedsPast(moment time.Time) bool { return moment.Before(c.LastChange().At) }

// Judge answers a question with three findings. Each stands alone: a document that was altered may bear the number of a
// certificate that holds, and one that does not hold any more may be exactly what was issued.
func (q Verify) Judge(f Facts, now time.Time) Verdict {
	moment := q.Moment(now)
	v := Verdict{Certificate: q.Certificate, At: moment}
	if f.Record == nil {
		nothing := Finding{Unknown, NotFound}
		v.Integrity, v.Status, v.Issuer = nothing, nothing, nothing
		return v
	}
	v.Type, v.IssuedBy = f.Record.Type, f.Record.Issuer
	v.Integrity = f.integrity(q.Commitment)
	v.Status = f.status(moment, now)
	v.Issuer = f.issuer(moment)
	return v
}

// integrity: is the document what was issued? Without a document nobody knows.
func (f Facts) integrity(commitment string) Finding {
	switch commitment {
	case "":
		return Finding{Unknown, NoDocument}
	case f.Record.Commitment:
		return Finding{Yes, Intact}
	}
	return Finding{No, Altered}
}

// status: did the certificate hold at the moment? Answers in this order, the first that applies:
//
//  1. before the issue: certificate.not_yet_issued
//  2. the history does not reach back: certificate.no_history
//  3. revoked by then: certificate.revoked (also after the end: it should not have been relied on before either)
//  4. before the validity: certificate.not_yet_valid
//  5. after it: certificate.expired
//  6. the moment has not come: certificate.future (nobody knows what will be suspended or revoked until then)
//  7. suspended then: certificate.suspended
//  8. certificate.valid
func (f Facts) status(moment, now time.Time) Finding {
	if moment.Before(f.Record.Created.At) {
		return Finding{No, NotYetIssued}
	}
	then, known := f.asOf(moment)
	switch {
	case !known:
		return Finding{Unknown, NoHistory}
	case then.Status == Revoked:
		return Finding{No, IsRevoked}
	case moment.Before(then.From):
		return Finding{No, NotYetValid}
	case !then.Until.IsZero() && !moment.Before(then.Until):
		return Finding{No, Expired}
	case moment.After(now):
		return Finding{Unknown, Future}
	case then.Status == Suspended:
		return Finding{No, IsSuspended}
	}
	return Finding{Yes, Holds}
}

// asOf is the record as it was at a moment: the newest revision, in the ledger's order, that was not made later.
// Timestamps are claims and need not rise from one revision to the next; the ledger's order decides.
func (f Facts) asOf(moment time.Time) (then Certificate, known bool) {
	if !f.Record.NeedsPast(moment) {
		return *f.Record, true
	}
	for _, past := range f.Past {
		if !past.Deleted && !past.At.After(moment) {
			return past.Record, true
		}
	}
	return then, false
}

// issuer: was the issuer accredited when it issued? A later withdrawal does not change the answer, but the reason tells.
func (f Facts) issuer(moment time.Time) Finding {
	switch {
	case f.AtIssue == nil || f.Now == nil:
		return Finding{Unknown, NoAccreditation}
	case f.AtIssue.Agency != f.Record.Issuer || f.AtIssue.Type != f.Record.Type || !f.AtIssue.Live(kernel.At(f.Record.Created.At)):
		return Finding{No, NotAccredited}
	case f.Now.WithdrawnAt != nil && !f.Now.WithdrawnAt.After(moment):
		return Finding{Yes, AccreditedThen}
	}
	return Finding{Yes, Accredited}
}
