package departments

import (
	"fmt"
	"maps"
	"slices"
	"unicode"
)

// Which of the departments' values are searched for where they must not be. All values of all columns of all tables are judged
// by the same rule, and no column is left out: a value is searched for if finding it says something about somebody.
const (
	// MinBits of information a value has at least, counted by the alphabets of its characters: less is found by chance somewhere
	// in a ledger's signatures and counters, as an eight-digit date or a name of two characters is.
	MinBits = 30
	// MaxShared is in how many rows of any one column a value stands at most: what is true of more is a word, not somebody's (a
	// scope of business, a kind of goods).
	MaxShared = 16
)

// Bits of a character, rounded down: the logarithm of how many there are of its kind. A mark carries none.
const (
	digitBits  = 3.3
	letterBits = 4.7
	hanBits    = 10 // of the thousand or so that names and addresses are made of
)

// bits of information in a text.
func bits(text string) (sum float64) {
	for _, r := range text {
		switch {
		case unicode.IsDigit(r):
			sum += digitBits
		case unicode.Is(unicode.Han, r):
			sum += hanBits
		case unicode.IsLetter(r):
			sum += letterBits
		}
	}
	return sum
}

// Personal lists what must be found nowhere outside the departments: of all their databases every value that MinBits and
// MaxShared let through, each once, sorted. left is how many other values there are.
func (w World) Personal() (texts []string, left int) {
	rows := map[string]int{} // of a value: the most in one column
	for _, d := range databases {
		for _, t := range d.tables {
			count(t.rows(w), rows)
		}
	}
	for _, text := range slices.Sorted(maps.Keys(rows)) {
		if bits(text) < MinBits || rows[text] > MaxShared {
			left++
			continue
		}
		texts = append(texts, text)
	}
	return texts, left
}

// count counts the rows of one table's columns.
func count(table [][]any, rows map[string]int) {
	if len(table) == 0 {
		return
	}
	for column := range table[0] {
		in := map[string]int{}
		for _, row := range table {
			if row[column] != nil {
				in[fmt.Sprint(row[column])]++
			}
		}
		for text, n := range in {
			rows[text] = max(rows[text], n)
		}
	}
}
