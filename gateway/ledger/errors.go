package ledger

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/hyperledger/fabric-protos-go-apiv2/gateway"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/chaincode/kernel"
	"github.com/hutong-gov/hutong/network/block"
)

// This file is the one place where Fabric's errors become the house's. The three stages fail differently:
//
//	endorse  nothing was sent to an orderer; a contract's fault, endorsers that disagree, or peers out of reach
//	order    refused by the ordering service, certainly not sent, or perhaps sent
//	commit   the validation code in the block
type verdict string

const (
	done      verdict = "done"
	refused   verdict = "refused"   // a fault; nothing was written
	unsent    verdict = "unsent"    // nothing was sent; the cause tells why
	ambiguous verdict = "ambiguous" // an orderer may have it
	raced     verdict = "raced"     // nothing was written because others were faster: worth another try
	disagreed verdict = "disagreed" // endorsers saw different states: worth another try
	untimely  verdict = "untimely"  // by the own peer's clock something was over just then: worth another try, with the time of that
)

// failure is a decoded error.
type failure struct {
	verdict verdict
	fault   *fault.Fault // refused; also of raced, disagreed and untimely, for when the tries are used up
	err     error        // unsent
}

func (f failure) cause() error {
	if f.fault != nil {
		return f.fault
	}
	return f.err
}

// detail is what one endorser or orderer said.
type detail struct{ msp, message string }

// detailsOf lists what a peer's gateway service reported of each endorser or orderer.
func detailsOf(err error) []detail {
	var details []detail
	for _, d := range status.Convert(err).Details() {
		if d, ok := d.(*gateway.ErrorDetail); ok {
			details = append(details, detail{d.GetMspId(), d.GetMessage()})
		}
	}
	return details
}

// mismatch is what Fabric's gateway service says of an endorser whose result differs from the first one's.
const mismatch = "do not match"

// unsigned says that something could not be signed, and so was not sent.
type unsigned struct{ err error }

func (e *unsigned) Error() string { return "sign: " + e.err.Error() }
func (e *unsigned) Unwrap() error { return e.err }

// dialing is in every error of a gRPC connection that could not be made: nothing went out on it.
const dialing = "transport: Error while dialing"

// decodeEndorse decodes a failed endorsement. own is the MSP of the gateway's own peer, which endorses first.
//
// If the own peer refuses, that is the answer. If it endorses and another refuses, the two have seen different states,
// most often because one has not committed the last block yet: worth another try.
func decodeEndorse(ctx context.Context, own string, err error) failure {
	var others *fault.Fault
	differ := false
	for _, d := range detailsOf(err) {
		f, ok := fault.Parse(d.message)
		switch {
		case ok && d.msp == own:
			return refusal(f)
		case ok && others == nil:
			others = f
		case !ok && strings.Contains(d.message, mismatch):
			differ = true
		}
	}
	switch {
	case others != nil:
		return failure{verdict: disagreed, fault: others}
	case differ:
		return failure{verdict: disagreed, fault: fault.New(fault.Refused, ReasonDisagreed,
			"the organisations' peers see different states; send the request again, with the same idempotency key").On("transaction", "same_result")}
	}
	if f, ok := fault.Parse(status.Convert(err).Message()); ok {
		return refusal(f)
	}
	return unsentAt(ctx, Endorsing, err)
}

// refusal is the own peer's.
func refusal(f *fault.Fault) failure {
	if f.Reason == kernel.ReasonOutOfTime {
		return failure{verdict: untimely, fault: f}
	}
	return failure{verdict: refused, fault: f}
}

// denied is what a peer says of a proposal whose creator is no member of the channel, or whose signature is not the
// creator's; we have checked the signature before.
const denied = "access denied: channel"

// stranger says whether a peer turned a call away because of who signed it.
func stranger(err error) bool {
	if status.Code(err) == codes.PermissionDenied {
		return true
	}
	return slices.ContainsFunc(detailsOf(err), func(d detail) bool { return strings.Contains(d.message, denied) })
}

// untrusted is the fault for a creator whom the organisation's own peer does not take.
func untrusted() *fault.Fault {
	return fault.New(fault.Denied, ReasonUntrusted, "the organisation's peer does not take the certificate: it must be issued by the organisation's CA, be valid now and not be revoked").On("creator.certificate", "trusted")
}

// decodeOrder decodes a failed submission to the ordering service. Only what certainly never reached an orderer is
// unsent, and only what an orderer's answer refuses is refused; the rest may have arrived.
func decodeOrder(ctx context.Context, err error) failure {
	if errors.As(err, new(*unsigned)) { // the key was out of reach
		return unsentAt(ctx, Ordering, err)
	}
	s := status.Convert(err)
	details := detailsOf(err)
	switch s.Code() {
	case codes.Aborted: // the orderer's own answer, a client error
		return failure{verdict: refused, fault: fault.New(fault.Internal, ReasonUnorderable,
			"the ordering service refused the transaction; tell the network's operator").On("transaction", "orderable")}
	case codes.InvalidArgument, codes.FailedPrecondition, codes.PermissionDenied, codes.Unauthenticated, codes.ResourceExhausted, codes.Unimplemented:
		return unsentAt(ctx, Ordering, err) // the peer turned the call away
	case codes.Unavailable:
		if neverLeft(s.Message(), details) {
			return unsentAt(ctx, Ordering, err)
		}
	}
	return failure{verdict: ambiguous}
}

// neverLeft says whether an Unavailable error shows that no orderer was handed the transaction: the peer was not reached,
// or it knows no orderer, or it reached none. An orderer that it reached and that answered is not among the details, and
// its answer was no.
func neverLeft(message string, details []detail) bool {
	if len(details) == 0 {
		return strings.Contains(message, dialing) || strings.Contains(message, "no orderer nodes available")
	}
	for _, d := range details {
		if !strings.Contains(d.message, dialing) {
			return false
		}
	}
	return true
}

// decodeEvaluate decodes a failed query.
func decodeEvaluate(ctx context.Context, err error) error {
	for _, d := range detailsOf(err) {
		if f, ok := fault.Parse(d.message); ok {
			return f
		}
	}
	if f, ok := fault.Parse(status.Convert(err).Message()); ok {
		return f
	}
	return unsentAt(ctx, Evaluating, err).err
}

// unsentAt words an error of a stage at which nothing was sent. If the caller gave up, that is the cause.
func unsentAt(ctx context.Context, stage Stage, err error) failure {
	if errors.Is(ctx.Err(), context.Canceled) {
		return failure{verdict: unsent, err: ctx.Err()}
	}
	return failure{verdict: unsent, err: &UnreachableError{Stage: stage, Err: err}}
}

// StateOf is what a block's validation code makes of a transaction, and the reason if it was rejected.
func StateOf(code string) (State, string) {
	if judged := decodeCommit(block.Code(code)); judged.verdict != done {
		return Rejected, judged.fault.Reason
	}
	return Committed, ""
}

// decodeCommit judges a validation code.
func decodeCommit(code block.Code) failure {
	switch code {
	case block.Valid:
		return failure{verdict: done}
	case block.MVCCConflict, block.PhantomRead:
		return failure{verdict: raced, fault: fault.New(fault.Refused, ReasonContention,
			"others changed the same records at the same time; send the request again, with the same idempotency key").On("transaction", string(code))}
	}
	return failure{verdict: refused, fault: fault.New(fault.Internal, ReasonInvalid,
		"the peers found the transaction invalid; tell the network's operator").On("transaction", string(code))}
}
