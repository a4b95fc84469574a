package departments

import (
	"time"
)

// database is a department's: its file, its tables in its own words, and what is in them. The SQL is understood by SQLite and
// by PostgreSQL.
type database struct {
	file   string
	schema string
	tables []table // in an order in which what is referred to comes first
}

type table struct {
	name string
	rows func(w World) [][]any
}

// databases by department.
var databases = map[string]database{
	"police":     {PoliceFile, policeSchema, []table{{"household", households}, {"resident", residents}}},
	"civil":      {CivilFile, civilSchema, []table{{"marriage", marriages}, {"party", parties}}},
	"housing":    {HousingFile, housingSchema, []table{{"owner", owners}, {"premises", premises}, {"deed", deeds}}},
	"regulation": {RegulationFile, regulationSchema, []table{{"person", representatives}, {"enterprise", enterprises}}},
	"tax":        {TaxFile, taxSchema, []table{{"taxpayer", taxpayers}, {"year_end", yearEnds}}},
	"social":     {SocialFile, socialSchema, []table{{"employer", employers}, {"insured", insured}}},
	"disabled":   {DisabledFile, disabledSchema, []table{{"certificate", certificates}}},
	"customs":    {CustomsFile, customsSchema, []table{{"tariff", tariffs}, {"entry", entries}}},
}

// Files the departments' databases are kept in.
const (
	PoliceFile     = "police.db"
	CivilFile      = "civil.db"
	HousingFile    = "housing.db"
	RegulationFile = "regulation.db"
	TaxFile        = "tax.db"
	SocialFile     = "social.db"
	DisabledFile   = "disabled.db"
	CustomsFile    = "customs.db"
)

// Public security's own tables, in its own words.
const policeSchema = `
CREATE TABLE household (household_no INTEGER PRIMARY KEY, address TEXT NOT NULL, head_id_no TEXT NOT NULL, head_name TEXT NOT NULL, members INTEGER NOT NULL);
CREATE TABLE resident (
	id_no TEXT PRIMARY KEY, name_zh TEXT NOT NULL, name_en TEXT NOT NULL, sex TEXT NOT NULL, birth_date TEXT NOT NULL,
	household_no INTEGER NOT NULL REFERENCES household, relation INTEGER NOT NULL, fingerprint_ref TEXT NOT NULL,
	account TEXT UNIQUE -- at the identity provider, for those who have one
);`

var relations = map[string]int{"head": 1, "spouse": 2, "child": 3}

func households(w World) (rows [][]any) {
	at, members := w.index(), map[int]int{}
	for _, m := range w.Members {
		members[m.Household]++
	}
	for i, m := range w.Members {
		if m.Relation == "head" {
			head := w.People[at[m.Head]]
			rows = append(rows, []any{m.Household, w.People[i].Address, head.IDNumber, head.Zh, members[m.Household]})
		}
	}
	return rows
}

func residents(w World) (rows [][]any) {
	for i, p := range w.People {
		sex := "M"
		if p.Female {
			sex = "F"
		}
		rows = append(rows, []any{p.IDNumber, p.Zh, p.En, sex, p.Born.Format("20060102"), w.Members[i].Household, relations[w.Members[i].Relation], fingerprint(i), orNull(p.User)})
	}
	return rows
}

// Civil affairs' own tables: a marriage has two parties.
const civilSchema = `
CREATE TABLE marriage (cert_no TEXT PRIMARY KEY, registered_on TEXT NOT NULL, state TEXT NOT NULL);
CREATE TABLE party (id_no TEXT PRIMARY KEY, cert_no TEXT NOT NULL REFERENCES marriage, name TEXT NOT NULL, spouse_id_no TEXT NOT NULL, spouse_name TEXT NOT NULL);`

func marriages(w World) (rows [][]any) {
	for _, m := range w.Marriages {
		state := "M"
		if m.Divorced {
			state = "D"
		}
		rows = append(rows, []any{m.Number, m.Registered.Format("2006/01/02"), state})
	}
	return rows
}

func parties(w World) (rows [][]any) {
	at := w.index()
	for _, m := range w.Marriages {
		husband, wife := w.People[at[m.Husband]], w.People[at[m.Wife]]
		rows = append(rows, []any{husband.IDNumber, m.Number, husband.Zh, wife.IDNumber, wife.Zh}, []any{wife.IDNumber, m.Number, wife.Zh, husband.IDNumber, husband.Zh})
	}
	return rows
}

// The housing authority's own tables, in its own words.
const housingSchema = `
CREATE TABLE owner (owner_no INTEGER PRIMARY KEY, id_no TEXT NOT NULL UNIQUE, full_name TEXT NOT NULL);
CREATE TABLE premises (
	prem_no TEXT PRIMARY KEY, address TEXT NOT NULL, use_code INTEGER NOT NULL, floor_area_m2 NUMERIC NOT NULL,
	owner_no INTEGER NOT NULL REFERENCES owner, registered_on TEXT NOT NULL, mortgaged TEXT NOT NULL
);
CREATE TABLE deed (
	prem_no TEXT PRIMARY KEY REFERENCES premises, deed_no TEXT NOT NULL UNIQUE, owner_no INTEGER NOT NULL REFERENCES owner,
	co_owner TEXT, issued_on TEXT NOT NULL, price INTEGER NOT NULL, seized INTEGER NOT NULL
);`

var useCodes = map[string]int{"commercial": 1, "residential": 2, "industrial": 3}

func owners(w World) (rows [][]any) {
	for i, p := range w.People {
		rows = append(rows, []any{i + 1, p.IDNumber, p.Zh})
	}
	return rows
}

func premises(w World) (rows [][]any) {
	at := w.index()
	for _, b := range w.Premises {
		rows = append(rows, []any{b.Number, b.Address, useCodes[b.Use], float64(b.Area), at[b.Owner] + 1, b.Since.Format(time.DateOnly), letter(b.Mortgage)})
	}
	return rows
}

func deeds(w World) (rows [][]any) {
	at := w.index()
	for _, d := range w.Deeds {
		var co any
		if d.CoOwner != "" {
			co = w.People[at[d.CoOwner]].Zh
		}
		seized := 0
		if d.Seized {
			seized = 1
		}
		rows = append(rows, []any{d.Premises, d.Number, at[d.Holder] + 1, co, d.Issued.Format(time.DateOnly), d.Price, seized})
	}
	return rows
}

// Market regulation's own tables.
const regulationSchema = `
CREATE TABLE person (id_no TEXT PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE enterprise (
	uscc TEXT PRIMARY KEY, ent_name TEXT NOT NULL, ent_type TEXT NOT NULL, legal_id_no TEXT NOT NULL REFERENCES person,
	reg_capital NUMERIC(14,2) NOT NULL, est_date DATE NOT NULL, prem_no TEXT NOT NULL, op_scope TEXT NOT NULL, reg_state INTEGER NOT NULL
);`

var (
	kindCodes  = map[string]string{"limited": "1130", "sole": "4530", "partnership": "4531"}
	stateCodes = map[string]int{"operating": 1, "suspended": 2, "deregistered": 3}
)

func representatives(w World) (rows [][]any) {
	at, seen := w.index(), map[string]bool{}
	for _, e := range w.Enterprises {
		if !seen[e.Legal] {
			seen[e.Legal] = true
			rows = append(rows, []any{e.Legal, w.People[at[e.Legal]].Zh})
		}
	}
	return rows
}

func enterprises(w World) (rows [][]any) {
	for _, e := range w.Enterprises {
		rows = append(rows, []any{e.Code, e.Name, kindCodes[e.Kind], e.Legal, e.Capital, e.Founded.Format(time.DateOnly), e.Premises, e.Scope, stateCodes[e.Status]})
	}
	return rows
}

// The tax service's own tables.
const taxSchema = `
CREATE TABLE taxpayer (tin TEXT PRIMARY KEY, tp_name TEXT NOT NULL, vat_kind TEXT NOT NULL, grade TEXT NOT NULL);
CREATE TABLE year_end (tin TEXT PRIMARY KEY REFERENCES taxpayer, tax_year INTEGER NOT NULL, paid INTEGER NOT NULL, arrears TEXT NOT NULL);`

func taxpayers(w World) (rows [][]any) {
	for _, e := range w.Enterprises {
		rows = append(rows, []any{e.Code, e.Name, vat(e.General), e.Grade})
	}
	return rows
}

func vat(general bool) string {
	if general {
		return "G"
	}
	return "S"
}

func yearEnds(w World) (rows [][]any) {
	for _, e := range w.Enterprises {
		rows = append(rows, []any{e.Code, asOf.Year() - 1, e.Paid, letter(e.Arrears)})
	}
	return rows
}

// Social security's own tables.
const socialSchema = `
CREATE TABLE employer (uscc TEXT PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE insured (
	id_no TEXT PRIMARY KEY, name TEXT NOT NULL, uscc TEXT REFERENCES employer, base_yuan INTEGER NOT NULL, months_paid INTEGER NOT NULL,
	first_paid INTEGER NOT NULL, state TEXT NOT NULL
);`

func employers(w World) (rows [][]any) {
	for _, e := range w.Enterprises {
		rows = append(rows, []any{e.Code, e.Name})
	}
	return rows
}

func insured(w World) (rows [][]any) {
	at := w.index()
	for _, i := range w.Insured {
		state := "A"
		if !i.Paying {
			state = "S"
		}
		rows = append(rows, []any{i.Person, w.People[at[i.Person]].Zh, orNull(i.Employer), i.Base, i.Months, i.Since.Year()*10000 + int(i.Since.Month())*100 + i.Since.Day(), state})
	}
	return rows
}

// The disabled persons' federation's own table.
const disabledSchema = `
CREATE TABLE certificate (cert_no TEXT PRIMARY KEY, id_no TEXT NOT NULL UNIQUE, name TEXT NOT NULL, category INTEGER NOT NULL, grade INTEGER NOT NULL, issued TEXT NOT NULL, valid_to TEXT NOT NULL);`

func certificates(w World) (rows [][]any) {
	at := w.index()
	for _, d := range w.Disabled {
		rows = append(rows, []any{d.Number(), d.Person, w.People[at[d.Person]].Zh, d.Category, d.Grade, d.Issued.Format("20060102"), d.Issued.AddDate(10, 0, 0).Format("20060102")})
	}
	return rows
}

// Customs' own tables.
const customsSchema = `
CREATE TABLE tariff (hs TEXT PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE entry (
	entry_no TEXT PRIMARY KEY, uscc TEXT NOT NULL, hs TEXT NOT NULL REFERENCES tariff, origin TEXT NOT NULL, value_yuan INTEGER NOT NULL,
	declared_at TEXT NOT NULL, state INTEGER NOT NULL
);`

var clearances = map[string]int{"declared": 10, "inspected": 20, "released": 30}

func tariffs(World) (rows [][]any) {
	for _, g := range imports {
		rows = append(rows, []any{g.hs, g.zh})
	}
	return rows
}

func entries(w World) (rows [][]any) {
	for _, d := range w.Declarations {
		rows = append(rows, []any{d.Number, d.Enterprise, d.Goods.hs, d.Country, d.Value, d.Declared.Format(time.DateTime), clearances[d.Status]})
	}
	return rows
}
