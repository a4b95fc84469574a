// Command catalogue writes docs/reference/ledger.md from the contracts.
//
//	catalogue [--out FILE]
//
// Without --out it writes to standard output. `make generate` runs it.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"

	"github.com/hutong-gov/hutong/chaincode/catalogue"
	"github.com/hutong-gov/hutong/chaincode/contracts"
)

func main() {
	out := flag.String("out", "", "`file` to write; standard output if empty")
	flag.Parse()
	if err := run(*out); err != nil {
		fmt.Fprintln(os.Stderr, "catalogue:", err)
		os.Exit(1)
	}
}

func run(out string) error {
	var page bytes.Buffer
	if err := catalogue.Write(&page, contracts.All()); err != nil {
		return err
	}
	if out == "" {
		_, err := os.Stdout.Write(page.Bytes())
		return err
	}
	return os.WriteFile(out, page.Bytes(), 0o644)
}
