// Command logistics writes the records of an airport's cargo, to be anchored:
//
//	logistics --out folder --records 3000000
//	hutong exchange anchor folder/air-manifest.csv --dataset market.customs/air-manifest …
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"

	"github.com/hutong-gov/hutong/test/logistics"
)

func main() {
	if err := run(os.Args[1:]); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "logistics:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	flags := flag.NewFlagSet("logistics", flag.ContinueOnError)
	out := flags.String("out", "", "folder for the files")
	records := flags.Int("records", 3_000_000, "records in all")
	seed := flags.Uint64("seed", logistics.DefaultSeed, "another seed gives other records")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *out == "" || *records < 10 {
		return errors.New("name a folder with --out, and at least ten records")
	}
	for _, k := range logistics.Kinds {
		path, err := k.Write(*out, *seed, k.Of(*records))
		if err != nil {
			return err
		}
		fmt.Printf("%-34s %9d records  %s\n", k.Dataset, k.Of(*records), path)
	}
	return nil
}
