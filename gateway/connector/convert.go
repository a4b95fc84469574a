package connector

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/hutong-gov/hutong/chaincode/canonical"
	"github.com/hutong-gov/hutong/chaincode/exchange"
)

// translate replaces a code by what it means. A code the definition does not list stays as it is: better a code than a
// wrong word.
func (f Field) translate(value any) any {
	if len(f.Values) == 0 || value == nil {
		return value
	}
	code := fmt.Sprint(value)
	if raw, ok := value.([]byte); ok {
		code = string(raw)
	}
	if word, ok := f.Values[code]; ok {
		return word
	}
	return value
}

// Convert gives a database value in a dataset's type (string, integer, boolean, date); ok is false where it does not fit.
func Convert(value any, kind string) (converted any, ok bool) {
	if raw, isBytes := value.([]byte); isBytes {
		value = string(raw)
	}
	if value == nil {
		return nil, true
	}
	switch kind {
	case "string":
		return asString(value)
	case "integer", exchange.FileType: // of a file its size was asked for
		return asInteger(value)
	case "boolean":
		return asBoolean(value)
	case "date":
		return asDate(value)
	}
	return nil, false
}

func asString(value any) (any, bool) {
	switch v := value.(type) {
	case string:
		return v, true
	case int64:
		return strconv.FormatInt(v, 10), true
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), true
	}
	return nil, false
}

func asInteger(value any) (any, bool) {
	var n int64
	switch v := value.(type) {
	case int64:
		n = v
	case float64:
		if v != math.Trunc(v) || math.Abs(v) > canonical.MaxSafeInteger {
			return nil, false
		}
		n = int64(v)
	case string:
		whole, fraction, _ := strings.Cut(strings.TrimSpace(v), ".") // NUMERIC comes as text: 40.00
		if strings.Trim(fraction, "0") != "" {
			return nil, false
		}
		parsed, err := strconv.ParseInt(whole, 10, 64)
		if err != nil {
			return nil, false
		}
		n = parsed
	default:
		return nil, false
	}
	return n, n <= canonical.MaxSafeInteger && n >= -canonical.MaxSafeInteger
}

func asBoolean(value any) (any, bool) {
	switch v := value.(type) {
	case bool:
		return v, true
	case int64:
		return v == 1, v == 0 || v == 1
	case string:
		switch strings.ToUpper(strings.TrimSpace(v)) {
		case "Y", "YES", "TRUE", "1":
			return true, true
		case "N", "NO", "FALSE", "0":
			return false, true
		}
	}
	return nil, false
}

// dateForms are the ways departments write a day.
var dateForms = []string{time.DateOnly, "20060102", "2006/01/02", time.DateTime, time.RFC3339}

func asDate(value any) (any, bool) {
	switch v := value.(type) {
	case time.Time:
		return v.Format(time.DateOnly), true
	case int64: // 20060102 as a number
		return asDate(strconv.FormatInt(v, 10))
	case string:
		for _, form := range dateForms {
			if day, err := time.Parse(form, strings.TrimSpace(v)); err == nil {
				return day.Format(time.DateOnly), true
			}
		}
	}
	return nil, false
}
