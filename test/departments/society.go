package departments

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// asOf is the day the departments' books are of.
var asOf = day(2026, 5, 1)

// Society is what ties people and premises together.
type Society struct {
	Members      []Member // of households: one a person, in the order of people
	Marriages    []Marriage
	Deeds        []Deed // one a premises, in the order of premises
	Enterprises  []Enterprise
	Insured      []Insured
	Disabled     []Disabled
	Declarations []Declaration
}

// Member is a person's place in the household register.
type Member struct {
	Household int    // number, from 1
	Head      string // id number
	Relation  string // head, spouse, child
}

// Marriage is a row of civil affairs' register. Husband and wife are id numbers.
type Marriage struct {
	Number        string // of the certificate
	Husband, Wife string
	Registered    time.Time
	Divorced      bool
}

// Deed is a row of the register of real-estate certificates.
type Deed struct {
	Number   string
	Premises string
	Holder   string // id number
	CoOwner  string // the spouse's, or empty
	Issued   time.Time
	Price    int // yuan
	Seized   bool
}

// Enterprise is a row of the business register, and what the tax service knows of it.
type Enterprise struct {
	Code     string // unified social credit code, GB 32100
	Name     string
	Legal    string // id number of the legal representative
	Kind     string // limited, sole, partnership
	Scope    string
	Capital  int // yuan
	Founded  time.Time
	Premises string
	Status   string // operating, suspended, deregistered
	General  bool   // a general taxpayer, or a small-scale one
	Grade    string // of tax credit: A, B, M, C, D
	Paid     int    // taxes of last year, yuan
	Arrears  bool
}

// Insured is a row of the social security register.
type Insured struct {
	Person   string // id number
	Employer string // credit code; empty: by oneself
	Base     int    // contribution base, yuan a month
	Months   int    // paid
	Since    time.Time
	Paying   bool
}

// Disabled is a row of the disabled persons' federation's register.
type Disabled struct {
	Person   string // id number
	Category int    // 1 visual … 7 multiple
	Grade    int    // 1 to 4
	Issued   time.Time
}

// Declaration is a row of customs' register.
type Declaration struct {
	Number     string
	Enterprise string // credit code of the consignee
	Goods      goods
	Country    string
	Value      int // yuan
	Declared   time.Time
	Status     string // declared, inspected, released
}

// settle makes the society of the people and premises there are. It takes its chances from a source of its own, so that
// what was made before stays as it is.
func (w *World) settle() {
	r := rand.New(rand.NewPCG(w.Seed, 2))
	w.marry(r)
	w.house(r)
	w.deeds(r)
	w.found(r)
	w.insure(r)
	w.examine(r)
	w.trade(r)
}

func (w *World) index() map[string]int {
	at := make(map[string]int, len(w.People))
	for i, p := range w.People {
		at[p.IDNumber] = i
	}
	return at
}

// marry marries most people to somebody of about their age, each once.
func (w *World) marry(r *rand.Rand) {
	wives := []int{}
	for i, p := range w.People {
		if p.Female {
			wives = append(wives, i)
		}
	}
	next := 0
	for i, p := range w.People {
		if p.Female || r.IntN(10) < 2 {
			continue
		}
		for skipped := 0; next < len(wives) && skipped < 8; skipped++ {
			wife := w.People[wives[next]]
			apart := p.Born.Year() - wife.Born.Year()
			if apart > 8 || apart < -8 {
				wives = append(wives, wives[next]) // perhaps for the next
				next++
				continue
			}
			next++
			from := later(p.Born, wife.Born).AddDate(22, 0, 0)
			days := int(asOf.Sub(from).Hours() / 24)
			if days <= 0 {
				break
			}
			on := from.AddDate(0, 0, r.IntN(min(days, 15*365)))
			w.Marriages = append(w.Marriages, Marriage{
				Number:  fmt.Sprintf("J%s-%d-%06d", fictional, on.Year(), i+1),
				Husband: p.IDNumber, Wife: wife.IDNumber, Registered: on, Divorced: r.IntN(8) == 0,
			})
			break
		}
	}
}

// house puts people into households: spouses into one, at the address of whoever can sign in or of the husband, and some
// grown children with their parents. An address is that of the household.
func (w *World) house(r *rand.Rand) {
	at := w.index()
	w.Members = make([]Member, len(w.People))
	families := [][2]int{}
	for _, m := range w.Marriages {
		head, spouse := at[m.Husband], at[m.Wife]
		if m.Divorced {
			continue
		}
		if w.People[spouse].User != "" {
			head, spouse = spouse, head
		}
		w.Members[head] = Member{Head: w.People[head].IDNumber, Relation: "head"}
		w.Members[spouse] = Member{Head: w.People[head].IDNumber, Relation: "spouse"}
		families = append(families, [2]int{head, spouse})
	}
	for i, p := range w.People {
		if w.Members[i].Relation != "" {
			continue
		}
		w.Members[i] = Member{Head: p.IDNumber, Relation: "head"}
		if p.User != "" || p.Born.Year() < 1990 || len(families) == 0 {
			continue
		}
		for range 12 {
			parents := families[r.IntN(len(families))]
			head, spouse := w.People[parents[0]], w.People[parents[1]]
			if older(head, p) && older(spouse, p) && family(head.Zh) == family(p.Zh) {
				w.Members[i] = Member{Head: head.IDNumber, Relation: "child"}
				break
			}
		}
	}
	numbers := map[string]int{}
	for _, m := range w.Members {
		if m.Relation == "head" {
			numbers[m.Head] = len(numbers) + 1
		}
	}
	for i, m := range w.Members {
		w.Members[i].Household = numbers[m.Head]
		w.People[i].Address = w.People[at[m.Head]].Address
	}
}

func older(parent, child Person) bool {
	years := child.Born.Year() - parent.Born.Year()
	return years >= 22 && years <= 45
}

// family is the family name's first character.
func family(name string) string { return string([]rune(name)[0]) }

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// deeds gives each premises its certificate, from the day it was registered.
func (w *World) deeds(r *rand.Rand) {
	spouse := map[string]string{}
	for _, m := range w.Marriages {
		if !m.Divorced {
			spouse[m.Husband], spouse[m.Wife] = m.Wife, m.Husband
		}
	}
	for i, b := range w.Premises {
		d := Deed{
			Number:   fmt.Sprintf("京（%d）房不动产权第%07d号", b.Since.Year(), i+1),
			Premises: b.Number, Holder: b.Owner, Issued: b.Since, Price: b.Area * (20_000 + 1000*r.IntN(80)), Seized: r.IntN(60) == 0,
		}
		if b.Use == "residential" && r.IntN(2) == 0 {
			d.CoOwner = spouse[b.Owner]
		}
		w.Deeds = append(w.Deeds, d)
	}
}

// found registers an enterprise at most commercial and industrial premises, led by the owner or by somebody else.
func (w *World) found(r *rand.Rand) {
	for i, b := range w.Premises {
		if i < len(demo) || b.Use == "residential" || r.IntN(5) == 0 { // those who sign in have not begun their business yet
			continue
		}
		legal := b.Owner
		if r.IntN(3) == 0 {
			legal = w.People[len(demo)+r.IntN(len(w.People)-len(demo))].IDNumber
		}
		trade := trades[r.IntN(len(trades))]
		form := forms[r.IntN(len(forms))]
		e := Enterprise{
			Code: creditCode(i + 1), Name: "北京" + brands[r.IntN(len(brands))] + brands[r.IntN(len(brands))] + trade.word + form.suffix,
			Legal: legal, Kind: form.kind, Scope: trade.scope, Capital: 100_000 * (1 + r.IntN(200)),
			Founded: b.Since.AddDate(0, 0, r.IntN(max(1, int(asOf.Sub(b.Since).Hours()/24)))), Premises: b.Number, Status: "operating",
			General: r.IntN(3) > 0, Grade: grades[r.IntN(len(grades))], Paid: 1000 * r.IntN(5000), Arrears: r.IntN(25) == 0,
		}
		switch r.IntN(12) {
		case 0:
			e.Status = "suspended"
		case 1:
			e.Status, e.Paid, e.Arrears = "deregistered", 0, false
		}
		w.Enterprises = append(w.Enterprises, e)
	}
}

// insure gives people between 18 and 60 an employer.
func (w *World) insure(r *rand.Rand) {
	for _, p := range w.People {
		age := asOf.Year() - p.Born.Year()
		if age < 18 || age >= 60 || len(w.Enterprises) == 0 {
			continue
		}
		months := 1 + r.IntN(12*min(age-17, 30))
		i := Insured{Person: p.IDNumber, Base: 6326 + 100*r.IntN(280), Months: months, Since: asOf.AddDate(0, -months-r.IntN(12), 0), Paying: r.IntN(12) > 0}
		if e := w.Enterprises[r.IntN(len(w.Enterprises))]; e.Status == "operating" && p.User == "" {
			i.Employer = e.Code
		}
		w.Insured = append(w.Insured, i)
	}
}

// examine gives one in forty a disability certificate.
func (w *World) examine(r *rand.Rand) {
	for _, p := range w.People {
		if r.IntN(40) == 0 && p.User == "" {
			w.Disabled = append(w.Disabled, Disabled{Person: p.IDNumber, Category: 1 + r.IntN(7), Grade: 1 + r.IntN(4), Issued: day(2012, 1, 1).AddDate(0, 0, r.IntN(14*365))})
		}
	}
}

// Number of the certificate: the holder's identity number, category and grade, as the federation makes it.
func (d Disabled) Number() string { return fmt.Sprintf("%s%d%d", d.Person, d.Category, d.Grade) }

// trade lets operating enterprises import.
func (w *World) trade(r *rand.Rand) {
	for _, e := range w.Enterprises {
		for range r.IntN(4) {
			on := asOf.AddDate(0, 0, -r.IntN(700))
			d := Declaration{
				Number:     fmt.Sprintf("0101%d1%09d", on.Year(), len(w.Declarations)+1), // port, year, import, sequence
				Enterprise: e.Code, Goods: imports[r.IntN(len(imports))], Country: countries[r.IntN(len(countries))],
				Value: 1000 * (5 + r.IntN(4000)), Declared: on, Status: "released",
			}
			if r.IntN(6) == 0 {
				d.Status = []string{"declared", "inspected"}[r.IntN(2)]
			}
			w.Declarations = append(w.Declarations, d)
		}
	}
}
