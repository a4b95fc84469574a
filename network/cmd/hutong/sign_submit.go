package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"

	"github.com/spf13/cobra"

	"github.com/hutong-gov/hutong/chaincode/canonical"
	"github.com/hutong-gov/hutong/gateway/client"
	"github.com/hutong-gov/hutong/gateway/offline"
)

// wanted is a write that goes through all stages.
type wanted struct {
	door
	certificate, chaincode, function, file string
	key                                    string
}

func (s *signing) submitCommand() *cobra.Command {
	w := &wanted{}
	command := &cobra.Command{
		Use: "submit", Short: "Go through all stages of a write against a gateway", Args: cobra.NoArgs,
		Long: `Has a gateway prepare a write, signs the proposal, has it endorsed, signs the
transaction, has it ordered, and prints the receipt. Each signature is asked for.
The access token comes from the environment's ` + tokenVariable + `, or from --token-file.

After any failure the same command with the same --idempotency-key goes on: what
was done is not done twice.`,
		RunE: func(command *cobra.Command, _ []string) error { return s.submit(command, w) },
	}
	flags := command.Flags()
	w.door.flags(flags)
	flags.StringVar(&w.certificate, "certificate", "", "PEM `file` with the certificate whose key signs")
	flags.StringVar(&w.chaincode, "chaincode", "", "`contract`: exchange, collaboration or certificate")
	flags.StringVar(&w.function, "function", "", "write `function`, such as type:Publish")
	flags.StringVar(&w.file, "request", "", "JSON `file` with the function's request")
	flags.StringVar(&w.key, "idempotency-key", "", "`key` of this write (default: a fresh one, which is printed)")
	for _, name := range []string{"gateway", "certificate", "chaincode", "function", "request"} {
		_ = command.MarkFlagRequired(name) // fails for a flag that is not there
	}
	return command
}

func (s *signing) submit(command *cobra.Command, w *wanted) error {
	ctx := command.Context()
	c, err := w.client()
	if err != nil {
		return err
	}
	certificate, err := os.ReadFile(w.certificate)
	if err != nil {
		return err
	}
	request, err := os.ReadFile(w.file)
	if err != nil {
		return err
	}
	if w.key == "" {
		w.key = client.NewKey()
		fmt.Fprintf(command.ErrOrStderr(), "idempotency key: %s\n", w.key)
	}
	prepared, err := post[stage](ctx, c, w.key, "proposals", map[string]any{
		"chaincode": w.chaincode, "function": w.function, "certificate": string(certificate), "request": json.RawMessage(request)})
	if err != nil {
		return err
	}
	if err := w.asked(prepared, request, certificate); err != nil {
		return err
	}
	signature, proposal, err := s.proposal(command, prepared)
	if err != nil {
		return err
	}
	endorsed, err := post[json.RawMessage](ctx, c, w.key, "endorsements", signed{Proposal: prepared.Proposal, Signature: signature})
	if err != nil {
		return err
	}
	var answer struct {
		stage
		Receipt json.RawMessage `json:"receipt"`
	}
	if err := json.Unmarshal(endorsed, &answer); err != nil {
		return err
	}
	if len(answer.Transaction) == 0 { // it was done before
		return write(command, answer.Receipt)
	}
	if signature, err = s.transaction(command, answer.stage, proposal); err != nil {
		return err
	}
	receipt, err := post[json.RawMessage](ctx, c, w.key, "submissions", signed{Transaction: answer.Transaction, Signature: signature})
	if pending := new(client.Pending); errors.As(err, &pending) {
		return fmt.Errorf("it is not known yet what became of transaction %s: run the same again with --idempotency-key %s", proposal.Tx, w.key)
	}
	if err != nil {
		return err
	}
	return write(command, receipt)
}

// asked checks that a proposal is what was asked for: nobody shall have to compare a long request by eye.
func (w *wanted) asked(prepared stage, request, certificate []byte) error {
	p, err := offline.ReadProposal(prepared.Proposal)
	if err != nil {
		return err
	}
	want, err := canonical.Transform(request)
	if err != nil {
		return err
	}
	own, err := offline.CreatorOf(p.Creator.MSP, string(certificate))
	if err != nil {
		return err
	}
	got, err := canonical.Transform(p.Command.Request)
	if err != nil {
		return err
	}
	if p.Chaincode != w.chaincode || p.Function != w.function || !bytes.Equal(got, want) || !own.Certificate.Equal(p.Creator.Certificate) {
		return errors.New("the gateway prepared something else than was asked for: nothing was signed; do not trust it")
	}
	return nil
}

func post[Res any](ctx context.Context, c *client.Client, key, path string, body any) (Res, error) {
	return client.Do[Res](ctx, c, http.MethodPost, "/v1/offline/"+path, body, client.Key(key))
}
