// Command chaincode hosts any of the contracts as chaincode services for one organisation's peer.
//
//	chaincode --config FILE
//	chaincode --version
//
// The configuration is described in package serve. SIGTERM stops it once the transactions being simulated are done.
package main

import (
	"os"

	"github.com/hutong-gov/hutong/chaincode/contracts"
	"github.com/hutong-gov/hutong/chaincode/serve"
)

func main() {
	os.Exit(serve.Main("chaincode", os.Args[1:], os.Stdout, os.Stderr, contracts.Chaincodes()))
}
