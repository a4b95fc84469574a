//go:build tools

// Package fabricca pins the Fabric CA release that stands behind `identities: fabric-ca`. It is a module of its own because
// it needs cgo and brings dependencies that nothing else in the house has.
package fabricca

import _ "github.com/hyperledger/fabric-ca/cmd/fabric-ca-server"
