// Package departments makes the databases of the demonstration's departments, a few thousand generated rows each, laid out as
// departments lay them out (their own table names, codes and date forms), so that a connector has something to do: residents
// and households, marriages, premises and deeds, enterprises, taxpayers, insured people, disability certificates, customs
// declarations. They are real SQLite files; the enterprises may live in PostgreSQL too, and the tax service answers over HTTP.
//
// Everything is made up, deterministic and of one world: the same seed gives the same people, spouses share a household,
// who is insured works for an enterprise that is registered at premises somebody owns, and pays taxes. Identity numbers have
// the form and check digit of GB 11643, credit codes those of GB 32100 and GB 11714, with a district code that was never given
// out, so that none can be anybody's.
package departments

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// Size of a generated world.
const (
	DefaultSeed     = 20260501
	DefaultPeople   = 4000
	DefaultPremises = 3000
)

// fictional is a county code inside Beijing's range that GB/T 2260 has never assigned.
const fictional = "110199"

// Person is a row of the residents' register.
type Person struct {
	User     string // whom the development identity provider knows this person as; mostly nobody
	IDNumber string // 18 characters, GB 11643
	Zh, En   string // name
	Female   bool
	Born     time.Time
	Address  string
}

// Premises is a row of the housing register.
type Premises struct {
	Number   string
	Address  string
	Use      string // commercial, residential, industrial
	Area     int    // square metres
	Owner    string // id number
	Since    time.Time
	Mortgage bool
}

// World is everything the departments know.
type World struct {
	Seed     uint64
	People   []Person
	Premises []Premises
	Society
}

// demo are the people behind the development identity provider's citizens. The names are the ones it shows.
var demo = []Person{
	{User: "citizen1", Zh: "周敏华", En: "Zhou Minhua", Female: true, Born: day(1988, 4, 17)},
	{User: "citizen2", Zh: "梁建国", En: "Liang Jianguo", Born: day(1975, 10, 2)},
	{User: "citizen3", Zh: "徐文静", En: "Xu Wenjing", Female: true, Born: day(1996, 12, 29)},
}

// Generate makes a world of the default size.
func Generate() World { return GenerateSized(DefaultSeed, DefaultPeople, DefaultPremises) }

// GenerateSized makes a world. There are at least the demonstration's citizens and, for each, one commercial premises.
func GenerateSized(seed uint64, people, premises int) World {
	r := rand.New(rand.NewPCG(seed, 1))
	w := World{Seed: seed}
	taken := map[string]bool{}
	for i := range max(people, len(demo)) {
		p := Person{}
		if i < len(demo) {
			p = demo[i]
		} else {
			p.Zh, p.En = name(r)
			p.Female = r.IntN(2) == 0
			p.Born = day(1946, 1, 1).AddDate(0, 0, r.IntN(60*365))
		}
		for p.IDNumber == "" || taken[p.IDNumber] {
			p.IDNumber = idNumber(p.Born, r.IntN(500)*2, p.Female)
		}
		taken[p.IDNumber] = true
		p.Address = address(r)
		w.People = append(w.People, p)
	}
	for i := range max(premises, len(demo)) {
		b := Premises{
			Number:  fmt.Sprintf("HT%02d-%06d", 1+r.IntN(16), i+1),
			Address: address(r), Use: uses[r.IntN(len(uses))], Area: 20 + r.IntN(480),
			Owner: w.People[r.IntN(len(w.People))].IDNumber,
			Since: day(1998, 1, 1).AddDate(0, 0, r.IntN(27*365)), Mortgage: r.IntN(4) == 0,
		}
		if i < len(demo) {
			b.Use, b.Owner = "commercial", w.People[i].IDNumber
		}
		w.Premises = append(w.Premises, b)
	}
	w.settle()
	return w
}

// Behind is the person who signs in as a user of the development identity provider, and a commercial premises of theirs.
func (w World) Behind(user string) (Person, Premises, bool) {
	for _, p := range w.People {
		if p.User == "" || p.User != user {
			continue
		}
		for _, b := range w.Premises {
			if b.Owner == p.IDNumber && b.Use == "commercial" {
				return p, b, true
			}
		}
	}
	return Person{}, Premises{}, false
}

// idNumber is district, birth date, sequence (odd: male) and check digit.
func idNumber(born time.Time, even int, female bool) string {
	if !female {
		even++
	}
	body := fmt.Sprintf("%s%s%03d", fictional, born.Format("20060102"), even)
	return body + string(checkDigit(body))
}

// checkDigit is ISO 7064 MOD 11-2 as GB 11643 applies it to the first seventeen characters.
func checkDigit(body string) byte {
	sum := 0
	for i, c := range body {
		sum += int(c-'0') * weights[i]
	}
	return "10X98765432"[sum%11]
}

var weights = [17]int{7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2}

// ValidIDNumber says whether an identity number has the form and the right check digit.
func ValidIDNumber(s string) bool {
	if len(s) != 18 || strings.Trim(s[:17], "0123456789") != "" {
		return false
	}
	_, err := time.Parse("20060102", s[6:14])
	return err == nil && checkDigit(s[:17]) == s[17]
}

func day(year int, month time.Month, d int) time.Time {
	return time.Date(year, month, d, 0, 0, 0, 0, time.UTC)
}
