package app

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/hutong-gov/hutong/chaincode/collaboration"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/gateway/store"
)

// words tells entries of an access log in plain words. It remembers the names it looked up, for one page.
type words struct {
	app      *App
	now      time.Time
	agencies map[string]exchange.Text
	datasets map[string]exchange.Dataset
	purposes map[string]exchange.Text
}

func newWords(a *App) *words {
	return &words{a, a.now(), map[string]exchange.Text{}, map[string]exchange.Dataset{}, map[string]exchange.Text{}}
}

// of tells a use: who asked for what, from whom, what for, on what basis, for which case, when, and what came of it; of one that
// is sealed, that there was one and when it is opened.
func (w *words) of(ctx context.Context, u exchange.Use) (t exchange.Text, err error) {
	if u.Secret() {
		return w.sealed(u), nil
	}
	consumer, err := w.agency(ctx, u.Consumer)
	if err != nil {
		return t, err
	}
	provider, err := w.agency(ctx, u.Provider)
	if err != nil {
		return t, err
	}
	dataset, err := w.dataset(ctx, u.Dataset)
	if err != nil {
		return t, err
	}
	purpose, err := w.purpose(ctx, u.Purpose)
	if err != nil {
		return t, err
	}
	at, fields, status, consent := u.Created.At.In(exchange.Beijing), titles(dataset, u.Fields), w.status(u), exchange.Text{}
	if u.Consent != "" {
		consent = exchange.Text{Zh: "经您同意，", En: "with your consent, "}
	}
	act := exchange.Text{Zh: "向" + provider.Zh + "调取了您在“", En: " asked " + provider.En + " for your "}
	switch {
	case u.Verified():
		act = exchange.Text{Zh: "按" + provider.Zh + "的链上承诺，核验了您出示的“", En: " verified, by what " + provider.En + " has committed to, what you showed of your "}
	case u.Claims != "":
		act = exchange.Text{Zh: "请" + provider.Zh + "核验了您在“", En: " had " + provider.En + " verify claims about your "}
	}
	t.Zh = at.Format("2006年1月2日 15:04") + "，" + consumer.Zh + "为办理“" + purpose.Zh + "”，" + consent.Zh + act.Zh +
		dataset.Name.Zh + "”中的" + fields.Zh + "（依据：" + u.LegalBasis + "；案件：" + u.Case + "）。" + status.Zh
	t.En = at.Format("2 January 2006, 15:04") + ": " + consumer.En + act.En + fields.En + " in “" +
		dataset.Name.En + "”, " + consent.En + "for “" + purpose.En + "” (legal basis: " + u.LegalBasis + "; case: " + u.Case + "). " + status.En
	if u.Seal != nil {
		opened := u.Seal.OpenedAt.In(exchange.Beijing)
		t.Zh += "此记录于" + at.Format("2006年1月2日") + "封存，" + opened.Format("2006年1月2日") + "公开。"
		t.En += " This was sealed on " + at.Format("2 January 2006") + " and opened on " + opened.Format("2 January 2006") + "."
	}
	return t, nil
}

// sealed tells a use that is not open.
func (w *words) sealed(u exchange.Use) (t exchange.Text) {
	at, opens := u.Created.At.In(exchange.Beijing), u.Seal.OpensAt.In(exchange.Beijing)
	t.Zh = at.Format("2006年1月2日 15:04") + "，有机关依法使用了您的数据。由谁、为何使用以及使用了哪些数据，暂予封存，"
	t.En = at.Format("2 January 2006, 15:04") + ": an agency used your data. Which agency, which data and what for is sealed"
	if u.Overdue(w.now) == exchange.OverdueOpening {
		t.Zh += "本应于" + opens.Format("2006年1月2日") + "公开，至今未公开。您可以要求公开。"
		t.En += "; it should have been opened on " + opens.Format("2 January 2006") + " and was not. You may demand that it is."
		return t
	}
	t.Zh += "最迟于" + opens.Format("2006年1月2日") + "公开。"
	t.En += ", and will be opened on " + opens.Format("2 January 2006") + " at the latest."
	return t
}

func (w *words) status(u exchange.Use) exchange.Text {
	switch {
	case u.Status == exchange.Proven:
		return exchange.Text{Zh: "出示的内容与承诺一致。", En: "It was as committed to."}
	case u.Verified():
		return exchange.Text{Zh: "未能核验属实，也未能核验不实。", En: "Nothing could be told from it."}
	case u.Claims != "" && u.Delivery != "":
		return exchange.Text{Zh: "只答复了是、否或不详，没有提供数据。", En: "The answer was yes, no or unknown; no data was delivered."}
	case u.Status == exchange.Acknowledged:
		return exchange.Text{Zh: "数据已送达，并已签收。", En: "The data was delivered and received."}
	case u.Status == exchange.Delivered:
		return exchange.Text{Zh: "数据已送出，尚未签收。", En: "The data was delivered; its receipt is not recorded yet."}
	case u.Status == exchange.Refused:
		return exchange.Text{Zh: "您已拒绝，没有提供数据。", En: "You refused, and nothing was delivered."}
	case u.Status == exchange.Prepared && !w.now.After(u.Until):
		return exchange.Text{Zh: "等待您查看并放行。", En: "It waits for you to look at it and release it."}
	case w.now.After(u.Until):
		return exchange.Text{Zh: "期限已过，没有提供数据。", En: "Nothing was delivered, and the time for it is over."}
	}
	return exchange.Text{Zh: "数据尚未提供。", En: "Nothing has been delivered yet."}
}

func (w *words) agency(ctx context.Context, id string) (exchange.Text, error) {
	if name, known := w.agencies[id]; known {
		return name, nil
	}
	agency, found, err := find[exchange.Agency](ctx, w.app, "agency", id)
	if !found {
		agency.Name = exchange.Text{Zh: id, En: id}
	}
	w.agencies[id] = agency.Name
	return agency.Name, err
}

func (w *words) dataset(ctx context.Context, id string) (exchange.Dataset, error) {
	if dataset, known := w.datasets[id]; known {
		return dataset, nil
	}
	dataset, found, err := find[exchange.Dataset](ctx, w.app, "dataset", id)
	if !found {
		dataset.Name = exchange.Text{Zh: id, En: id}
	}
	w.datasets[id] = dataset
	return dataset, err
}

// purpose names a purpose by the service it is the code of; other codes stand for themselves.
func (w *words) purpose(ctx context.Context, code string) (exchange.Text, error) {
	if name, known := w.purposes[code]; known {
		return name, nil
	}
	name := exchange.Text{Zh: code, En: code}
	services, _, err := some[collaboration.Definition](ctx, w.app, store.Query{Noun: "definition", Kind: code, Descending: true, PageSize: 1})
	if len(services) > 0 {
		name = services[0].Name
	}
	w.purposes[code] = name
	return name, err
}

// titles words fields as the directory titles them.
func titles(d exchange.Dataset, fields []string) exchange.Text {
	zh, en := make([]string, len(fields)), make([]string, len(fields))
	for i, field := range fields {
		zh[i], en[i] = field, field
		if at := slices.IndexFunc(d.Fields, func(f exchange.FieldSpec) bool { return f.Name == field }); at >= 0 {
			zh[i], en[i] = d.Fields[at].Title.Zh, d.Fields[at].Title.En
		}
	}
	return exchange.Text{Zh: strings.Join(zh, "、"), En: strings.Join(en, ", ")}
}
