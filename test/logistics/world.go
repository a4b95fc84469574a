package logistics

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// world is what the records are about.
type world struct {
	seed  uint64
	codes [Enterprises]string // credit codes of the enterprises
}

func newWorld(seed uint64) *world {
	w := &world{seed: seed}
	for i := range w.codes {
		w.codes[i] = creditCode(i)
	}
	return w
}

// random is the source of chance for one record of a kind: any record can be made without those before it.
func (w *world) random(kind, i int) *rand.Rand {
	return rand.New(rand.NewPCG(w.seed+uint64(kind)<<56, uint64(i)))
}

// shipment is what one waybill carries.
type shipment struct {
	waybill, flight, flown, direction string
	origin, destination               string
	shipper, consignee                string
	goods                             goods
	pieces, weight, value             int
	day                               time.Time
}

type goods struct {
	hs, name string
	rate     int // of duty, per cent
	yuan     int // a kilogram, about
}

var (
	carriers = []string{"999-CA", "784-CZ", "781-MU", "880-HU", "020-LH", "618-SQ", "160-CX", "180-KE", "023-FX", "176-EK"}
	airports = []string{"FRA", "LHR", "SIN", "HKG", "ICN", "NRT", "LAX", "ORD", "AMS", "DXB", "SVO", "CDG"}
	modes    = []string{"0110", "0214", "1210", "9610", "0615"}
	trade    = []goods{
		{"85423190", "集成电路 Integrated circuits", 0, 5200}, {"85176290", "通信设备 Telecommunication equipment", 0, 900},
		{"30049090", "药品 Medicaments", 2, 2600}, {"90189099", "医疗器械 Medical instruments", 4, 1500},
		{"03063290", "鲜活龙虾 Live lobster", 7, 260}, {"08092900", "车厘子 Fresh cherries", 10, 70},
		{"62043300", "服装 Garments", 6, 180}, {"84119990", "航空发动机零件 Aircraft engine parts", 1, 3800},
		{"33049900", "化妆品 Cosmetics", 5, 420}, {"84713000", "便携电脑 Portable computers", 0, 700},
		{"95030089", "玩具 Toys", 0, 90}, {"09024090", "茶叶 Tea", 15, 150},
	}
)

var firstDay = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func (w *world) shipment(i int) shipment {
	r := w.random(1, i)
	g := trade[r.IntN(len(trade))]
	s := shipment{waybill: waybill(i), goods: g, pieces: 1 + r.IntN(60), day: firstDay.AddDate(0, 0, r.IntN(92))}
	s.weight = s.pieces * (2 + r.IntN(28))
	s.value = s.weight * g.yuan * (80 + r.IntN(40)) / 100
	s.flight = fmt.Sprintf("%s%03d", carriers[i%len(carriers)][4:], 100+r.IntN(900))
	s.flown = s.day.Format(time.DateOnly)
	s.direction, s.origin, s.destination = "import", airports[r.IntN(len(airports))], "PEK"
	if r.IntN(2) == 0 {
		s.direction, s.origin, s.destination = "export", "PEK", s.origin
	}
	s.shipper, s.consignee = w.codes[r.IntN(Enterprises)], w.codes[r.IntN(Enterprises)]
	return s
}

// waybill is the number of the i-th air waybill: airline, serial number, and its remainder modulo 7 (IATA Resolution 600a).
func waybill(i int) string {
	serial := 1_000_000 + i/len(carriers)
	return fmt.Sprintf("%s-%07d%d", carriers[i%len(carriers)][:3], serial, serial%7)
}

func receipt(i int) string     { return fmt.Sprintf("WH26%09d", i+1) }
func declaration(i int) string { return fmt.Sprintf("010120261%09d", i+1) } // 18 digits: customs, year, import or export, serial
func refund(i int) string      { return fmt.Sprintf("TR2026%08d", i+1) }

// fictional is a county code inside Beijing's range that GB/T 2260 has never assigned.
const fictional = "110199"

// letters are those of a credit code, in the order of their values (GB 32100).
const letters = "0123456789ABCDEFGHJKLMNPQRTUWXY"

// creditCode is an enterprise's: category, district, subject code and check character.
func creditCode(i int) string {
	body := fmt.Sprintf("91%sMA%07d", fictional, 100_000+i*37)
	return body + string(checkCharacter(body))
}

func checkCharacter(body string) byte {
	sum, weight := 0, 1
	for _, c := range body {
		for value, letter := range letters {
			if letter == c {
				sum += value * weight
			}
		}
		weight = weight * 3 % 31
	}
	return letters[(31-sum%31)%31]
}
