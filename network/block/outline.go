package block

import (
	"fmt"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"google.golang.org/protobuf/proto"
)

// Outcome is what became of one transaction.
type Outcome struct {
	ID   string
	Code Code
}

// Outcomes reads only ids and validation codes: what somebody who waits for a transaction wants to know, at a fraction
// of the cost of Decode. A transaction whose header cannot be read has no id.
func Outcomes(b *common.Block) ([]Outcome, error) {
	if err := Check(b); err != nil {
		return nil, err
	}
	flags, err := codes(b)
	if err != nil {
		return nil, err
	}
	outcomes := make([]Outcome, len(flags))
	for i, raw := range b.GetData().GetData() {
		outcomes[i].Code = CodeOf(peer.TxValidationCode(flags[i]))
		if h, _, err := channelHeader(raw); err == nil {
			outcomes[i].ID = h.GetTxId()
		}
	}
	return outcomes, nil
}

// channelHeader opens an envelope as far as its channel header.
func channelHeader(raw []byte) (*common.ChannelHeader, *common.Payload, error) {
	var envelope common.Envelope
	if err := proto.Unmarshal(raw, &envelope); err != nil {
		return nil, nil, fmt.Errorf("envelope: %w", err)
	}
	payload := new(common.Payload)
	if err := proto.Unmarshal(envelope.GetPayload(), payload); err != nil {
		return nil, nil, fmt.Errorf("payload: %w", err)
	}
	if payload.GetHeader() == nil {
		return nil, nil, fmt.Errorf("payload: no header")
	}
	head := new(common.ChannelHeader)
	if err := proto.Unmarshal(payload.GetHeader().GetChannelHeader(), head); err != nil {
		return nil, nil, fmt.Errorf("channel header: %w", err)
	}
	return head, payload, nil
}
