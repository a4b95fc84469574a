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
		if o, err := channelHeader(raw); err == nil {
			outcomes[i].ID = o.channel.GetTxId()
		}
	}
	return outcomes, nil
}

// opened is an envelope's payload, opened as far as its channel header.
type opened struct {
	channel   *common.ChannelHeader
	signature []byte // header, encoded
	data      []byte
}

// channelHeader opens an envelope as far as its channel header.
func channelHeader(raw []byte) (o opened, err error) {
	var payload, channel []byte
	if err := open(raw, part{number: 1, bytes: &payload}); err != nil {
		return o, fmt.Errorf("envelope: %w", err)
	}
	header := message{parts: []part{{number: 1, bytes: &channel}, {number: 2, bytes: &o.signature}}}
	if err := open(payload, part{number: 1, inside: &header}, part{number: 2, bytes: &o.data}); err != nil {
		return o, fmt.Errorf("payload: %w", err)
	}
	if !header.found {
		return o, fmt.Errorf("payload: no header")
	}
	o.channel = new(common.ChannelHeader)
	if err := proto.Unmarshal(channel, o.channel); err != nil {
		return o, fmt.Errorf("channel header: %w", err)
	}
	return o, nil
}
