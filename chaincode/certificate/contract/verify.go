package contract

import (
	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/certificate"
	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/chaincode/state"
)

var verify = kernel.NewRead(certificate.CertificateVerify, access.Everyone(),
	"Whether a document is what was issued, whether it holds at a time, whether its issuer was accredited: three findings.",
	func(tx *kernel.Tx, q certificate.Verify) (certificate.Verdict, error) {
		facts, err := factsFor(tx, q)
		if err != nil {
			return certificate.Verdict{}, err
		}
		return q.Judge(facts, tx.At), nil
	})

// factsFor loads what a judgement needs; history only where the record as it is now cannot answer.
func factsFor(tx *kernel.Tx, q certificate.Verify) (f certificate.Facts, err error) {
	record, found, err := certificate.Certificates.Find(tx.Store, q.Certificate)
	if err != nil || !found {
		return f, err
	}
	f.Record = &record
	if record.NeedsPast(q.Moment(tx.At)) {
		if f.Past, err = certificate.Certificates.History(tx.Store, q.Certificate); err != nil {
			return f, err
		}
	}
	now, found, err := certificate.Accreditations.Find(tx.Store, record.Type, record.Issuer)
	if err != nil || !found {
		return f, err
	}
	f.Now, f.AtIssue = &now, &now
	if now.Version == record.Accreditation {
		return f, nil
	}
	past, err := certificate.Accreditations.History(tx.Store, record.Type, record.Issuer)
	if err != nil {
		return f, err
	}
	f.AtIssue = versionOf(past, record.Accreditation)
	return f, nil
}

// versionOf finds an accreditation's version in its history; nil if it is not there.
func versionOf(past []state.Revision[certificate.Accreditation], version int) *certificate.Accreditation {
	for _, revision := range past {
		if !revision.Deleted && revision.Record.Version == version {
			return &revision.Record
		}
	}
	return nil
}
