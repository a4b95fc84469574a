package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/mattn/go-isatty"
	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/inclusion"
	"github.com/hutong-gov/hutong/gateway/anchor"
	"github.com/hutong-gov/hutong/gateway/anchor/remote"
	"github.com/hutong-gov/hutong/gateway/client/api"
	"github.com/hutong-gov/hutong/gateway/connector"
)

func exchangeCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "exchange",
		Short: "Anchor records of an agency on the ledger, prove one, verify a proof",
	}
	command.AddCommand(anchorCommand(), proveCommand(), verifyCommand())
	return command
}

// anchoring is what `exchange anchor` is told.
type anchoring struct {
	door
	archive, connector string
	request            anchor.Request
}

func anchorCommand() *cobra.Command {
	a := &anchoring{}
	command := &cobra.Command{
		Use: "anchor FILE...", Short: "Anchor the records of files, or of a database",
		Long: `Reads records of a dataset from CSV or NDJSON files, or with --connector from a
department's database, builds a Merkle tree over each batch of them, keeps in
the archive what the proof of every record needs, and has the gateway anchor the
roots, as an officer of the dataset's agency. The records stay on this machine.

A job may be interrupted at any instant, by kill -9 or a power cut too: the same
command goes on where it was. A source is anchored once. A row that breaks a rule
of the dataset, and a record whose key is in the archive already, is not
anchored; the job's rejected.ndjson lists line and rule.

The access token comes from the environment's ` + tokenVariable + `, or from --token-file.`,
		Example: `  hutong exchange anchor manifests-2026-05.csv --dataset market.customs/clearance \
    --archive /var/lib/anchors --gateway https://gateway.market.example --token-file token

  # what a connector's definition maps to the dataset, read in one state, read-only
  hutong exchange anchor --connector clearance.yaml --archive /var/lib/anchors --gateway … --token-file token`,
		RunE: func(command *cobra.Command, args []string) error {
			a.request.Files = args
			return a.run(command)
		},
	}
	flags := command.Flags()
	a.door.flags(flags)
	flags.StringVar(&a.archive, "archive", "", "`folder` with what proofs need; it is made if there is none")
	flags.StringVar(&a.request.Dataset, "dataset", "", "`id` of the dataset, {agency}/{code} (default: the connector's)")
	flags.StringVar(&a.request.Format, "format", "", "what the files are, `csv` or ndjson (default: by their names)")
	flags.StringVar(&a.connector, "connector", "", "definition `file` of the connector to a database, instead of files")
	flags.StringVar(&a.request.Replaces, "replaces", "", "`id` of a withdrawn anchor, to anchor a source again")
	flags.IntVar(&a.request.BatchSize, "batch-size", anchor.DefaultBatchSize, "records of a batch, a power of `two`")
	flags.DurationVar(&a.request.Patience, "patience", anchor.DefaultPatience, "how long to try to reach the gateway")
	for _, name := range []string{"archive", "gateway"} {
		_ = command.MarkFlagRequired(name) // fails for a flag that is not there
	}
	return command
}

func (a *anchoring) run(command *cobra.Command) (err error) {
	if a.connector != "" {
		extract, err := connector.OpenExtract(a.connector)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, extract.Close()) }()
		a.request.Extract = extract
		if a.request.Dataset == "" {
			a.request.Dataset = extract.Dataset()
		}
	}
	c, err := a.client()
	if err != nil {
		return err
	}
	archive, err := anchor.Open(a.archive)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, archive.Close()) }()
	show := newTeller(command.ErrOrStderr())
	a.request.Progress = show.progress
	began := time.Now()
	result, err := archive.Run(command.Context(), remote.Ledger{Gateway: api.Of(c)}, a.request)
	show.end()
	if err != nil {
		if show.last.Job != "" {
			fmt.Fprintf(command.ErrOrStderr(), "job %s stopped with %d of %d batches anchored; the same command goes on\n", show.last.Job, show.last.Anchored, show.last.Batches)
		}
		return err
	}
	out := command.OutOrStdout()
	if result.Before {
		fmt.Fprintf(out, "this source was anchored before, at %s: job %s, %d records in %d batches\n", result.At.Format(time.RFC3339), result.Job, result.Records, result.Anchored)
		return nil
	}
	fmt.Fprintf(out, "anchored %d records of %s in %d batches after %.1f s; job %s, source %s\n", result.Records, result.Dataset, result.Anchored, time.Since(began).Seconds(), result.Job, result.Source)
	if result.Rejected > 0 {
		fmt.Fprintf(out, "rejected %d rows, %d of them repetitions: %s\n", result.Rejected, result.Duplicates, filepath.Join(a.archive, filepath.FromSlash(result.Dataset), result.Job, "rejected.ndjson"))
	}
	return nil
}

// teller shows a job's progress: a bar on a terminal, else a line now and then.
type teller struct {
	out  io.Writer
	bar  *progressbar.ProgressBar // nil: lines
	last anchor.Progress
	said time.Time
}

// pause between two lines.
const pause = 5 * time.Second

func newTeller(out io.Writer) *teller {
	s := &teller{out: out}
	if f, ok := out.(*os.File); ok && isatty.IsTerminal(f.Fd()) {
		s.bar = progressbar.NewOptions64(1, progressbar.OptionSetWriter(out), progressbar.OptionClearOnFinish(), progressbar.OptionShowBytes(true), progressbar.OptionSetPredictTime(true))
	}
	return s
}

func (s *teller) progress(p anchor.Progress) {
	changed := p.Phase != s.last.Phase
	s.last = p
	text := fmt.Sprintf("%s: %d records, %d rejected, %d of %d batches anchored", p.Phase, p.Records, p.Rejected, p.Anchored, p.Batches)
	if s.bar != nil {
		s.bar.ChangeMax64(max(p.TotalBytes, 1))
		s.bar.Describe(text)
		_ = s.bar.Set64(p.Bytes) // a terminal that went away is no reason to stop
		return
	}
	if changed || time.Since(s.said) >= pause {
		s.said = time.Now()
		share := 100.0
		if p.TotalBytes > 0 {
			share = 100 * float64(p.Bytes) / float64(p.TotalBytes)
		}
		fmt.Fprintf(s.out, "%s, %.0f %% read\n", text, share)
	}
}

func (s *teller) end() {
	if s.bar != nil {
		_ = s.bar.Finish()
	}
}

func proveCommand() *cobra.Command {
	archive, dataset := "", ""
	command := &cobra.Command{
		Use: "prove FIELD=VALUE...", Short: "Give the proof of a record in an archive", Args: cobra.MinimumNArgs(1),
		Long: `Prints the proof of the record with a key, which discloses that record and
nothing else. FIELD=VALUE gives the fields of the dataset's record key; a VALUE
that is a JSON number or truth value is taken as one where the field is.`,
		Example: `  hutong exchange prove --archive /var/lib/anchors --dataset market.customs/clearance declaration=010120261000000017 > proof.json`,
		RunE: func(command *cobra.Command, args []string) (err error) {
			a, err := anchor.Open(archive)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, a.Close()) }()
			proof, err := proofOf(command.Context(), a, dataset, args)
			if err != nil {
				return err
			}
			return write(command, proof)
		},
	}
	command.Flags().StringVar(&archive, "archive", "", "`folder` with what proofs need")
	command.Flags().StringVar(&dataset, "dataset", "", "`id` of the dataset, {agency}/{code}")
	for _, name := range []string{"archive", "dataset"} {
		_ = command.MarkFlagRequired(name) // fails for a flag that is not there
	}
	return command
}

func proofOf(ctx context.Context, a *anchor.Archive, dataset string, args []string) (inclusion.Proof, error) {
	text := map[string]string{}
	for _, argument := range args {
		name, value, ok := strings.Cut(argument, "=")
		if !ok {
			return inclusion.Proof{}, errors.New("give the record's key as FIELD=VALUE")
		}
		text[name] = value
	}
	return a.ProofOf(ctx, dataset, text)
}

// verifying is what `exchange verify` is told.
type verifying struct {
	door
	merkleRoot string
}

// errNotProven ends `exchange verify` with a failing exit code; what was found has been said.
var errNotProven = errors.New("the proof does not show that the record stands on the ledger")

func verifyCommand() *cobra.Command {
	v := &verifying{}
	command := &cobra.Command{
		Use: "verify PROOF", Short: "Verify the proof of a record", Args: cobra.ExactArgs(1),
		Long: `Verifies, on this machine, the proof of a record in the file PROOF (- is standard
input). The root to compare with comes from the ledger, asked of a gateway, or is
given with --merkle-root: then nothing is asked of anybody. No part of the record
leaves the machine. The exit code is 0 only if the record is in the batch and its
anchor was not withdrawn (which only the ledger knows).`,
		Example: `  hutong exchange verify proof.json --gateway https://gateway.services.example
  hutong exchange verify proof.json --merkle-root 9f86d081884c7d65…`,
		RunE: func(command *cobra.Command, args []string) error { return v.run(command, args[0]) },
	}
	flags := command.Flags()
	flags.StringVar(&v.gateway, "gateway", "", "`address` of any organisation's gateway")
	flags.StringVar(&v.root, "root", "", "PEM `file` with the root of the gateway's TLS certificate (default: the system's)")
	flags.StringVar(&v.merkleRoot, "merkle-root", "", "`root` of the batch, 64 hexadecimal digits, from somebody trusted")
	command.MarkFlagsOneRequired("gateway", "merkle-root")
	command.MarkFlagsMutuallyExclusive("gateway", "merkle-root")
	return command
}

func (v *verifying) run(command *cobra.Command, file string) error {
	in := command.InOrStdin()
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return err
		}
		defer f.Close()
		in = f
	}
	raw, err := io.ReadAll(io.LimitReader(in, inclusion.MaxProofBytes+1))
	if err != nil {
		return err
	}
	proof, err := inclusion.Parse(raw)
	if err != nil {
		return err
	}
	out := command.OutOrStdout()
	if v.merkleRoot != "" {
		if err := proof.Verify(strings.ToLower(v.merkleRoot)); err != nil {
			return err
		}
		fmt.Fprintf(out, "included   record %d of %d in the batch with this root\n", proof.Index+1, proof.Size)
		return nil
	}
	c, err := v.anonymous()
	if err != nil {
		return err
	}
	found, err := api.Of(c).Anchor(command.Context(), api.AnchorByID{ID: proof.Anchor})
	if err != nil {
		return err
	}
	return judge(out, proof, found.Item)
}

// judge says what a proof shows of an anchor.
func judge(out io.Writer, proof inclusion.Proof, a exchange.Anchor) error {
	in, err := proof.In(a)
	if err != nil {
		return err
	}
	if !in {
		fmt.Fprintf(out, "included   no: the record is not in the batch that %s anchored\n", a.Agency)
		return errNotProven
	}
	fmt.Fprintf(out, "included   yes: number %d of %s, anchored by %s at %s\n", a.First+proof.Index, a.Dataset, a.Agency, a.Created.At.Format(time.RFC3339))
	if a.Status != exchange.Anchored {
		fmt.Fprintf(out, "stands     no: withdrawn at %s, %s\n", a.Changed.At.Format(time.RFC3339), a.Reason)
		return errNotProven
	}
	fmt.Fprintln(out, "stands     yes")
	return nil
}
