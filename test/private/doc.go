// Package private shows, on a real network, that payloads which wait on the ledger's peers are where they may be, in no block, and
// gone from every peer after their purge or their time, while the evidence holds. It looks at what the peers have on disk.
package private
