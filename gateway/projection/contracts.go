package projection

import (
	"github.com/hutong-gov/hutong/chaincode/certificate"
	"github.com/hutong-gov/hutong/chaincode/collaboration"
	"github.com/hutong-gov/hutong/chaincode/exchange"
)

// Contracts are the chaincodes of the house.
func Contracts() []Contract {
	return []Contract{
		{exchange.Name, exchange.Collections},
		{collaboration.Name, collaboration.Collections},
		{certificate.Name, certificate.Collections},
	}
}
