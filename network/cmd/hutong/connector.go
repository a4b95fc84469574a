package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/gateway/connector"
	"github.com/hutong-gov/hutong/network/catalogue"
)

// errOffSchema ends `connector try` with a failing exit code; the table has said what is wrong.
var errOffSchema = errors.New("the record does not keep the dataset's schema")

// trial is what `connector try` is asked.
type trial struct {
	file      string
	selector  []string
	fields    []string
	catalogue string
	show      bool
}

func connectorCommand() *cobra.Command {
	command := &cobra.Command{Use: "connector", Short: "Try a department's connector before a gateway has it"}
	t := &trial{}
	try := &cobra.Command{
		Use:   "try FILE",
		Short: "Show what a connector would let out, and check it against its dataset",
		Long: `Does what a gateway does with a connector's definition, once, and says what it
finds: whether every table and column is there, whether the account could write,
what is asked with a placeholder for each value, and, for a selector, the record
as it would leave, checked against the dataset's JSON Schema. Values of personal
and sensitive fields are masked. Nothing leaves this machine.`,
		Example: `  hutong connector try connectors/premises.yaml
  hutong connector try connectors/premises.yaml --selector premises_number=HT03-000042
  hutong connector try connectors/premises.yaml --selector premises_number=HT03-000042 --field permitted_use --show`,
		Args: cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			t.file = args[0]
			return t.run(command)
		},
	}
	flags := try.Flags()
	flags.StringArrayVar(&t.selector, "selector", nil, "`field=value` the record is found by; once for each field of the dataset's selector")
	flags.StringSliceVar(&t.fields, "field", nil, "`field` to read (default: all)")
	flags.StringVar(&t.catalogue, "catalogue", "", "`folder` with the catalogue that has the dataset (default: the one that comes with the product)")
	flags.BoolVar(&t.show, "show", false, "show personal and sensitive values")
	command.AddCommand(try)
	return command
}

func (t *trial) run(command *cobra.Command) error {
	definitions, err := connector.Load(t.file)
	if err != nil {
		return err
	}
	if len(definitions) != 1 {
		return fmt.Errorf("%s: must be one definition", t.file)
	}
	d := definitions[0]
	dataset, schema, err := t.dataset(d.Dataset)
	if err != nil {
		return err
	}
	selector, err := t.values(dataset.Content)
	if err != nil {
		return err
	}
	found, err := connector.Try(command.Context(), d, dataset.Content, selector, t.fields...)
	if err != nil {
		t.print(command.OutOrStdout(), d, found)
		return err
	}
	t.print(command.OutOrStdout(), d, found)
	if found.Record == nil {
		return nil
	}
	judge, err := schema.Judge()
	if err != nil {
		return err
	}
	record, err := json.Marshal(found.Record.Values)
	if err != nil {
		return err
	}
	if err := judge.Check(record); err != nil {
		return fmt.Errorf("%w: %w", errOffSchema, err)
	}
	_, err = fmt.Fprintln(command.OutOrStdout(), "\nThe record keeps the dataset's JSON Schema.")
	return err
}

// dataset finds a dataset's entry in the catalogue, and makes the schema its publication would.
func (t *trial) dataset(id string) (exchange.Dataset, exchange.Schema, error) {
	c, err := readCatalogue(t.catalogue)
	if err != nil {
		return exchange.Dataset{}, exchange.Schema{}, err
	}
	i := slices.IndexFunc(c.Datasets, func(d catalogue.Dataset) bool { return d.ID() == id })
	if i < 0 {
		return exchange.Dataset{}, exchange.Schema{}, fmt.Errorf("dataset: %s is not in the catalogue; --catalogue names a folder that has it", id)
	}
	d, s, _, err := c.Datasets[i].Publish(access.Caller{Agency: c.Datasets[i].Owner, MSP: access.MSPOf(c.Datasets[i].Owner), Role: access.Admin})
	return d, s, err
}

// values are the selector's, in the types of the dataset; nil where none was given.
func (t *trial) values(content exchange.Content) (map[string]json.RawMessage, error) {
	if len(t.selector) == 0 {
		return nil, nil
	}
	values := map[string]json.RawMessage{}
	for _, pair := range t.selector {
		name, text, ok := strings.Cut(pair, "=")
		i := slices.IndexFunc(content.Fields, func(f exchange.FieldSpec) bool { return f.Name == name })
		if !ok || i < 0 || !slices.Contains(content.Selector, name) {
			return nil, fmt.Errorf("--selector: must be field=value of the dataset's selector: %s", strings.Join(content.Selector, ", "))
		}
		raw, err := connector.Typed(content.Fields[i], text)
		if err != nil {
			return nil, err
		}
		values[name] = raw
	}
	return values, nil
}

// print shows a trial as far as it came.
func (t *trial) print(out io.Writer, d connector.Definition, found connector.Trial) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	defer func() { _ = w.Flush() }() // a terminal that is gone needs no answer
	line := func(cells ...string) { _, _ = fmt.Fprintln(w, strings.Join(cells, "\t")) }
	line("dataset", d.Dataset)
	for _, said := range [][2]string{{"source", found.Source}, {"account", found.Account}, {"asks", found.Reads}} {
		if said[1] != "" {
			line(said[0], said[1])
		}
	}
	if found.Record != nil {
		line("took", found.Took.Round(100*time.Microsecond).String())
	}
	if found.Account == "" {
		return
	}
	_ = w.Flush()
	line("\nfield", "from", "type", "value")
	for _, f := range found.Fields {
		value := ""
		if found.Record != nil {
			value = t.value(f, found.Record.Values[f.Name])
		}
		line(f.Name, found.Columns[f.Name], f.Type, value)
	}
	if d.Holder == "" {
		return
	}
	holder := "does not leave; compared with the subject"
	if found.Record != nil && found.Record.Holder == "" {
		holder += "; nobody's"
	}
	line("(holder)", d.Holder, "", holder)
}

// value is a value as it is shown.
func (t *trial) value(f exchange.FieldSpec, value any) string {
	switch {
	case value == nil:
		return "(null)"
	case f.Sensitivity != "" && !t.show:
		return "*** (" + f.Sensitivity + ")"
	}
	return fmt.Sprint(value)
}
