package block

import (
	"crypto/sha256"
	"encoding/asn1"
	"math/big"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
)

// header is the form in which Fabric hashes a block header (protoutil.BlockHeaderBytes).
type header struct {
	Number       *big.Int
	PreviousHash []byte
	DataHash     []byte
}

// HeaderHash computes a block's hash: SHA-256 over the DER encoding of number, previous hash and data hash. It covers the
// header alone; whether the data is what the header says is for DataHash to show.
func HeaderHash(h *common.BlockHeader) []byte {
	der, err := asn1.Marshal(header{
		Number:       new(big.Int).SetUint64(h.GetNumber()),
		PreviousHash: h.GetPreviousHash(),
		DataHash:     h.GetDataHash(),
	})
	if err != nil { // an integer and two byte strings always have an encoding
		panic(err)
	}
	sum := sha256.Sum256(der)
	return sum[:]
}

// DataHash computes the hash of a block's transactions: SHA-256 over all of them, joined.
func DataHash(d *common.BlockData) []byte {
	h := sha256.New()
	for _, tx := range d.GetData() {
		h.Write(tx)
	}
	return h.Sum(nil)
}

// TransactionID computes what a transaction's id must be: SHA-256 over its nonce and its creator. The ledger writes it as
// lower-case hexadecimal digits.
func TransactionID(nonce, creator []byte) (id [sha256.Size]byte) {
	h := sha256.New()
	h.Write(nonce)
	h.Write(creator)
	h.Sum(id[:0])
	return id
}
