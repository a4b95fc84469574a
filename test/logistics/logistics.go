// Package logistics makes the records of an airport's cargo: manifests, warehouse receipts, customs clearances and export tax
// refunds of 121 enterprises, as many as wanted. What belongs together agrees: a clearance is of a shipment that was in a
// warehouse, a refund of an export that was cleared.
//
// Everything is made up and deterministic: the same seed gives the same records, and the n-th record's key follows from n.
// Credit codes have the form and check character of GB 32100 with a district code that was never given out.
package logistics

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// DefaultSeed and Enterprises are the demonstration's.
const (
	DefaultSeed = 20260501
	Enterprises = 121
)

// Kind is what records are about.
type Kind struct {
	Dataset string   // id in the directory
	File    string   // .csv or .ndjson
	Columns []string // the dataset's fields
	Share   int      // of ten records, how many are of this kind
	key     func(i int) map[string]string
	row     func(w *world, i int) []any
}

// Kinds of records, in the order in which they come into being.
var Kinds = []Kind{
	{
		Dataset: "market.customs/air-manifest", File: "air-manifest.csv", Share: 3,
		Columns: []string{"awb_number", "flight", "flight_date", "direction", "origin", "destination", "shipper", "consignee", "hs_code", "goods", "pieces", "weight_kg", "declared_value_yuan"},
		key:     func(i int) map[string]string { return map[string]string{"awb_number": waybill(i)} },
		row: func(w *world, i int) []any {
			s := w.shipment(i)
			return []any{s.waybill, s.flight, s.flown, s.direction, s.origin, s.destination, s.shipper, s.consignee, s.goods.hs, s.goods.name, s.pieces, s.weight, s.value}
		},
	},
	{
		Dataset: "market.regulation/air-warehouse", File: "air-warehouse.csv", Share: 3,
		Columns: []string{"receipt_number", "awb_number", "warehouse", "position", "received_on", "released_on", "pieces", "damaged"},
		key:     func(i int) map[string]string { return map[string]string{"receipt_number": receipt(i)} },
		row: func(w *world, i int) []any {
			s, r := w.shipment(i), w.random(2, i)
			released := any("")
			if r.IntN(50) > 0 { // a few are still there
				released = s.day.AddDate(0, 0, 1+r.IntN(4)).Format(time.DateOnly)
			}
			damaged := "N"
			if r.IntN(200) == 0 {
				damaged = "Y"
			}
			return []any{receipt(i), s.waybill, fmt.Sprintf("BGS-%d", 1+r.IntN(6)), fmt.Sprintf("%c%02d-%02d", 'A'+rune(r.IntN(8)), 1+r.IntN(40), 1+r.IntN(12)), s.flown, released, s.pieces, damaged}
		},
	},
	{
		Dataset: "market.customs/air-clearance", File: "air-clearance.csv", Share: 3,
		Columns: []string{"declaration_number", "item", "awb_number", "declarant", "trade_mode", "hs_code", "value_yuan", "duty_yuan", "inspected", "declared_on", "released_on"},
		key: func(i int) map[string]string {
			return map[string]string{"declaration_number": declaration(i / 2), "item": strconv.Itoa(1 + i%2)}
		},
		row: func(w *world, i int) []any {
			s, r := w.shipment(i/2), w.random(3, i)
			value := s.value / 2
			inspected := "N"
			if r.IntN(20) == 0 {
				inspected = "Y"
			}
			declared := s.day.AddDate(0, 0, r.IntN(2))
			return []any{declaration(i / 2), 1 + i%2, s.waybill, w.codes[r.IntN(Enterprises)], modes[r.IntN(len(modes))], s.goods.hs, value, value * s.goods.rate / 100, inspected,
				declared.Format(time.DateOnly), declared.AddDate(0, 0, r.IntN(3)).Format(time.DateOnly)}
		},
	},
	{
		Dataset: "market.tax/export-refund", File: "export-refund.ndjson", Share: 1,
		Columns: []string{"refund_number", "declaration_number", "enterprise", "invoice_yuan", "refund_yuan", "approved_on"},
		key:     func(i int) map[string]string { return map[string]string{"refund_number": refund(i)} },
		row: func(w *world, i int) []any {
			s, r := w.shipment(i), w.random(4, i)
			return []any{refund(i), declaration(i), s.shipper, s.value, s.value * (9 + r.IntN(5)) / 100, s.day.AddDate(0, 0, 10+r.IntN(20)).Format(time.DateOnly)}
		},
	},
}

// Of is how many of so many records in all are of a kind.
func (k Kind) Of(all int) int { return all * k.Share / 10 }

// Key is the record key of the kind's i-th record, from 0: names and values of fields.
func (k Kind) Key(i int) map[string]string { return k.key(i) }

// Write writes the kind's first n records to a file in a folder, and gives its path.
func (k Kind) Write(dir string, seed uint64, n int) (path string, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("logistics: %w", err)
	}
	path = filepath.Join(dir, k.File)
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return path, fmt.Errorf("logistics: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	out := bufio.NewWriterSize(file, 1<<20)
	write := k.json
	if filepath.Ext(k.File) == ".csv" {
		write = k.csv
	}
	if err := write(out, newWorld(seed), n); err != nil {
		return path, fmt.Errorf("logistics: %w", err)
	}
	return path, out.Flush()
}

func (k Kind) csv(out io.Writer, w *world, n int) error {
	rows := csv.NewWriter(out)
	cells := make([]string, len(k.Columns))
	if err := rows.Write(k.Columns); err != nil {
		return err
	}
	for i := range n {
		for c, value := range k.row(w, i) {
			cells[c] = fmt.Sprint(value)
		}
		if err := rows.Write(cells); err != nil {
			return err
		}
	}
	rows.Flush()
	return rows.Error()
}

func (k Kind) json(out io.Writer, w *world, n int) error {
	lines := json.NewEncoder(out)
	for i := range n {
		values := map[string]any{}
		for c, value := range k.row(w, i) {
			values[k.Columns[c]] = value
		}
		if err := lines.Encode(values); err != nil {
			return err
		}
	}
	return nil
}
