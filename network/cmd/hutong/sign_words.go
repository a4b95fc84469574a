package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/hutong-gov/hutong/gateway/offline"
)

// tellProposal says what a proposal asks for. All of it is read from the bytes that are signed.
func tellProposal(out io.Writer, p *offline.Proposal) {
	fmt.Fprintf(out, "Proposal    %s of contract %s\n", plain(p.Function), plain(p.Chaincode))
	tellCall(out, p)
}

// tellTransaction says what a transaction will do once it is committed.
func tellTransaction(out io.Writer, t *offline.Transaction) {
	fmt.Fprintf(out, "Transaction %s of contract %s\n", plain(t.Function), plain(t.Chaincode))
	tellCall(out, &t.Proposal)
	r := t.Receipt
	fmt.Fprintf(out, "Answer      record %s becomes %s, version %d\n", plain(r.ID), plain(r.Status), r.Version)
	for _, e := range t.Endorsers {
		fmt.Fprintf(out, "Endorsed by %s of %s\n", plain(e.Name), plain(e.MSP))
	}
}

func tellCall(out io.Writer, p *offline.Proposal) {
	fmt.Fprintf(out, "Channel     %s\nId          %s\nTime        %s\n", plain(p.Channel), plain(p.Tx), p.At.Format(time.RFC3339))
	fmt.Fprintf(out, "Signed by   %s\n", named(p.Creator))
	if p.Command.Staff != "" {
		fmt.Fprintf(out, "Staff       %s\n", plain(p.Command.Staff))
	}
	fmt.Fprintf(out, "Key         %s\n", plain(p.Command.IdempotencyKey))
	var request bytes.Buffer
	if json.Indent(&request, p.Command.Request, "            ", "  ") != nil { // it was decoded
		request.Reset()
		request.Write(p.Command.Request)
	}
	fmt.Fprintf(out, "Request     %s\n", plain(request.String()))
}

// named is an identity in words.
func named(c offline.Creator) string {
	return fmt.Sprintf("%s, %s of %s (certificate %s, valid until %s)", plain(c.Agency), plain(string(c.Role)), plain(c.MSP), plain(c.Name), c.Certificate.NotAfter.UTC().Format(time.DateOnly))
}

// plain takes out of a text what could make a terminal show something else than the text: control and format characters.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n':
			return r
		case r < ' ', r >= 0x7f && r < 0xa0, r >= 0x200b && r <= 0x200f, r >= 0x202a && r <= 0x202e, r >= 0x2060 && r <= 0x206f, r == 0xfeff:
			return '\uFFFD'
		}
		return r
	}, text)
}
