package ledger

import (
	"context"
	"slices"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/hyperledger/fabric-gateway/pkg/client"
	"github.com/hyperledger/fabric-protos-go-apiv2/gateway"
	"google.golang.org/protobuf/proto"

	"github.com/hutong-gov/hutong/chaincode/canonical"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/gateway/pause"
	"github.com/hutong-gov/hutong/network/statement"
)

// Attest asks peers of several organisations what a read function answers, and gives their endorsements as the signed part
// of a statement (network/statement); nothing is submitted. It asks all of the channel's organisations, and where one cannot be
// had, the others, as long as they are the majority. Peers that see different states, one being a block behind, are asked
// again. The error is the contract's *fault.Fault, an *UnreachableError, or the context's.
func (l *Ledger) Attest(ctx context.Context, chaincode, function string, request any) ([]byte, error) {
	argument, err := canonical.Marshal(request)
	if err != nil {
		return nil, fault.From(err)
	}
	defer l.metrics.stage(string(Endorsing), time.Now())
	pauses := backoff.ExponentialBackOff{InitialInterval: firstPause, MaxInterval: longestPause, Multiplier: pauseFactor, RandomizationFactor: pauseSpread}
	for try := 0; ; try++ {
		signed, failed := l.attest(ctx, chaincode, function, argument)
		switch {
		case failed.verdict == done:
			return signed, nil
		case failed.verdict == disagreed && try < l.limits.MaxRetries && pause.For(ctx, pauses.NextBackOff()):
		default:
			return nil, failed.cause()
		}
	}
}

// attest asks all organisations, then all but one.
func (l *Ledger) attest(ctx context.Context, chaincode, function string, argument []byte) ([]byte, failure) {
	signed, first := l.attestBy(ctx, l.allMSPs, chaincode, function, argument)
	if first.verdict != unsent || len(l.allMSPs)-1 < statement.Majority(len(l.allMSPs)) {
		return signed, first
	}
	for _, without := range l.allMSPs {
		if without == l.msp || ctx.Err() != nil {
			continue
		}
		others := slices.DeleteFunc(slices.Clone(l.allMSPs), func(msp string) bool { return msp == without })
		if signed, failed := l.attestBy(ctx, others, chaincode, function, argument); failed.verdict != unsent {
			return signed, failed
		}
	}
	return nil, first
}

func (l *Ledger) attestBy(ctx context.Context, msps []string, chaincode, function string, argument []byte) ([]byte, failure) {
	proposal, err := l.reader.Get().network.GetContract(chaincode).NewProposal(function,
		client.WithBytesArguments(argument), client.WithEndorsingOrganizations(msps...))
	if err != nil {
		return nil, failure{verdict: unsent, err: err}
	}
	ctx, cancel := context.WithTimeout(ctx, l.limits.EndorseTimeout.Std())
	defer cancel()
	transaction, err := proposal.EndorseWithContext(ctx)
	if err != nil {
		return nil, decodeEndorse(ctx, l.msp, err)
	}
	signed, err := payloadOf(transaction)
	if err != nil {
		return nil, failure{verdict: refused, fault: fault.New(fault.Internal, ReasonUnreadable, "the peers' endorsements cannot be read")}
	}
	return signed, failure{verdict: done}
}

// payloadOf is a transaction without the signature that it would need to be submitted.
func payloadOf(t *client.Transaction) ([]byte, error) {
	raw, err := t.Bytes()
	if err != nil {
		return nil, err
	}
	var prepared gateway.PreparedTransaction
	if err := proto.Unmarshal(raw, &prepared); err != nil {
		return nil, err
	}
	return prepared.GetEnvelope().GetPayload(), nil
}
