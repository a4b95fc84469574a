package main

import (
	"bufio"
	"crypto"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hutong-gov/hutong/gateway/config"
	"github.com/hutong-gov/hutong/gateway/key"
	"github.com/hutong-gov/hutong/gateway/offline"
)

// maxStage bounds a file with a stage's answer.
const maxStage = 8 << 20

// signing is what all commands that sign have in common: where the key is, and whether to ask.
type signing struct {
	file string
	hsm  config.PKCS11
	yes  bool
}

// stage is what is read of a gateway's answer to a stage of a write that is signed offline. Words about the bytes that the
// answer has besides are not believed; the digest only has to be right.
type stage struct {
	Proposal     []byte `json:"proposal,omitempty"`
	Transaction  []byte `json:"transaction,omitempty"`
	Digest       string `json:"digest,omitempty"`
	Status       []byte `json:"status_request,omitempty"`
	StatusDigest string `json:"status_digest,omitempty"`
}

// signed is the body of the stage that follows.
type signed struct {
	Proposal    []byte `json:"proposal,omitempty"`
	Transaction []byte `json:"transaction,omitempty"`
	Status      []byte `json:"status_request,omitempty"`
	Signature   []byte `json:"signature"`
}

func signCommand() *cobra.Command {
	s := &signing{}
	command := &cobra.Command{
		Use:   "sign",
		Short: "Sign a write with a key that the gateway does not have",
		Long: `Signs what a gateway has prepared (POST /v1/offline/…) with an agency's own key,
on the agency's own machine. Each command reads the gateway's answer from FILE
(- is standard input), works out from the bytes alone what would be signed, says
it in words, asks, and prints the body of the next stage.

It refuses to sign if the digest is not that of the bytes, if the bytes hold
anything besides one command, or if a transaction is not the proposal that was
approved before, answered by peers that have signed the answer.`,
		Example: `  hutong sign proposal prepared.json --key key.pem > signed-proposal.json
  hutong sign transaction endorsed.json --proposal prepared.json --key key.pem > signed-transaction.json

  # all stages at once, key in a hardware security module
  HUTONG_TOKEN=… hutong sign submit --gateway https://gateway.example --certificate cert.pem \
    --chaincode certificate --function type:Publish --request request.json \
    --pkcs11-module /usr/lib/softhsm/libsofthsm2.so --pkcs11-token agency --pkcs11-label hall --pin-file pin`,
	}
	flags := command.PersistentFlags()
	flags.StringVar(&s.file, "key", "", "PEM `file` with the private key")
	flags.StringVar(&s.hsm.Module, "pkcs11-module", "", "PKCS#11 library `file`, for a key in a hardware security module")
	flags.StringVar(&s.hsm.Token, "pkcs11-token", "", "`label` of the token")
	flags.StringVar(&s.hsm.Label, "pkcs11-label", "", "`label` of the key")
	flags.StringVar(&s.hsm.ID, "pkcs11-id", "", "`id` of the key, hexadecimal")
	flags.StringVar(&s.hsm.PINFile, "pin-file", "", "`file` with the token's user PIN")
	flags.BoolVar(&s.yes, "yes", false, "do not ask before signing")
	command.AddCommand(s.proposalCommand(), s.transactionCommand(), s.statusCommand(), s.submitCommand())
	return command
}

func (s *signing) proposalCommand() *cobra.Command {
	return &cobra.Command{
		Use: "proposal FILE", Short: "Sign a proposal: what is asked for", Args: cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			answer, err := readStage(command, args[0])
			if err != nil {
				return err
			}
			signature, _, err := s.proposal(command, answer)
			if err != nil {
				return err
			}
			return write(command, signed{Proposal: answer.Proposal, Signature: signature})
		},
	}
}

func (s *signing) transactionCommand() *cobra.Command {
	approved := ""
	command := &cobra.Command{
		Use: "transaction FILE", Short: "Sign a transaction: what was asked for, with the contract's answer", Args: cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			before, err := readStage(command, approved)
			if err != nil {
				return err
			}
			proposal, err := offline.ReadProposal(before.Proposal)
			if err != nil {
				return err
			}
			answer, err := readStage(command, args[0])
			if err != nil {
				return err
			}
			signature, err := s.transaction(command, answer, proposal)
			if err != nil {
				return err
			}
			return write(command, signed{Transaction: answer.Transaction, Signature: signature})
		},
	}
	command.Flags().StringVar(&approved, "proposal", "", "`file` with the answer whose proposal was signed")
	_ = command.MarkFlagRequired("proposal") // fails for a flag that is not there
	return command
}

func (s *signing) statusCommand() *cobra.Command {
	return &cobra.Command{
		Use: "status FILE", Short: "Sign a question what became of a transaction", Args: cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			answer, err := readStage(command, args[0])
			if err != nil {
				return err
			}
			status, err := offline.ReadStatus(answer.Status)
			if err != nil {
				return err
			}
			if err := matches(answer.StatusDigest, status.Digest()); err != nil {
				return err
			}
			fmt.Fprintf(command.ErrOrStderr(), "Question    what became of transaction %s on channel %s\nSigned by   %s\n", status.Tx, status.Channel, named(status.Creator))
			signature, err := s.sign(command, status.Creator, status.Digest())
			if err != nil {
				return err
			}
			return write(command, signed{Status: answer.Status, Signature: signature})
		},
	}
}

// proposal shows and signs one.
func (s *signing) proposal(command *cobra.Command, answer stage) ([]byte, *offline.Proposal, error) {
	p, err := offline.ReadProposal(answer.Proposal)
	if err != nil {
		return nil, nil, err
	}
	if err := matches(answer.Digest, p.Digest()); err != nil {
		return nil, nil, err
	}
	tellProposal(command.ErrOrStderr(), p)
	signature, err := s.sign(command, p.Creator, p.Digest())
	return signature, p, err
}

// transaction shows and signs one that must carry an approved proposal.
func (s *signing) transaction(command *cobra.Command, answer stage, approved *offline.Proposal) ([]byte, error) {
	t, err := offline.ReadTransaction(answer.Transaction)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(t.Carries(approved), matches(answer.Digest, t.Digest())); err != nil {
		return nil, err
	}
	tellTransaction(command.ErrOrStderr(), t)
	return s.sign(command, t.Creator, t.Digest())
}

// errDigest says that a digest is not that of the bytes beside it.
var errDigest = errors.New("the digest is not that of the bytes: nothing was signed; do not trust whoever sent them")

func matches(claimed string, computed []byte) error {
	if claimed != "" && !strings.EqualFold(claimed, hex.EncodeToString(computed)) {
		return errDigest
	}
	return nil
}

// sign asks, and signs with the key, which must be that of the creator's certificate.
func (s *signing) sign(command *cobra.Command, creator offline.Creator, digest []byte) (signature []byte, err error) {
	fmt.Fprintf(command.ErrOrStderr(), "Digest      %x\n", digest)
	if !s.yes {
		fmt.Fprint(command.ErrOrStderr(), "Sign this? Type yes: ")
		line, err := bufio.NewReader(io.LimitReader(command.InOrStdin(), 64)).ReadString('\n')
		if strings.TrimSpace(line) != "yes" {
			return nil, errors.Join(errors.New("nothing was signed; --yes signs without asking"), ignoreEnd(err))
		}
	}
	signer, closer, err := s.open(creator)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, closer()) }()
	if !key.Fits(signer, creator.Certificate.PublicKey) {
		return nil, errors.New("the key is not that of the certificate in the proposal; nothing was signed")
	}
	sign, err := key.Digests(signer)
	if err != nil {
		return nil, err
	}
	return sign(digest)
}

func ignoreEnd(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// open finds the key, in a file or in a hardware security module.
func (s *signing) open(creator offline.Creator) (crypto.Signer, func() error, error) {
	switch {
	case s.file != "" && s.hsm != (config.PKCS11{}):
		return nil, nil, errors.New("give the key once: --key, or --pkcs11-…")
	case s.file != "":
		signer, err := key.File(s.file)
		return signer, func() error { return nil }, err
	case s.hsm.Module == "" || s.hsm.Token == "" || s.hsm.PINFile == "" || s.hsm.Label == "" && s.hsm.ID == "":
		return nil, nil, errors.New("say where the key is: --key FILE, or --pkcs11-module, --pkcs11-token, --pin-file and --pkcs11-label or --pkcs11-id")
	}
	signer, err := key.OpenHSM(s.hsm, creator.Certificate.PublicKey)
	if err != nil {
		return nil, nil, err
	}
	return signer, signer.Close, nil
}

func readStage(command *cobra.Command, file string) (answer stage, err error) {
	var in io.Reader = command.InOrStdin()
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return answer, err
		}
		defer f.Close()
		in = f
	}
	raw, err := io.ReadAll(io.LimitReader(in, maxStage))
	if err != nil {
		return answer, err
	}
	if err := json.Unmarshal(raw, &answer); err != nil {
		return answer, fmt.Errorf("%s: not a gateway's answer: %w", file, err)
	}
	return answer, nil
}

func write(command *cobra.Command, body any) error {
	encoder := json.NewEncoder(command.OutOrStdout())
	encoder.SetIndent("", "  ")
	return encoder.Encode(body)
}
