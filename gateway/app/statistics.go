package app

import (
	"context"
	"slices"
	"strings"

	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/fault"
	"github.com/hutong-gov/hutong/gateway/store"
)

// Statistics is GET /v1/statistics/uses, and GET /v1/audit/statistics/uses.
type Statistics struct {
	After
	By       string `query:"by" json:"-" max:"64" doc:"What to break the numbers down by: any of day, dataset, provider, consumer, purpose, what, comma-separated; what alone if absent."`
	From     string `query:"from" json:"-" pattern:"^([0-9]{4}-[0-9]{2}-[0-9]{2})?$" doc:"First day; days are Beijing time."`
	Until    string `query:"until" json:"-" pattern:"^([0-9]{4}-[0-9]{2}-[0-9]{2})?$" doc:"Last day."`
	Dataset  string `query:"dataset" json:"-" max:"128" doc:"Only this dataset."`
	Provider string `query:"provider" json:"-" max:"64" doc:"Only data of this agency."`
	Consumer string `query:"consumer" json:"-" max:"64" doc:"Only uses by this agency."`
	Purpose  string `query:"purpose" json:"-" max:"64" doc:"Only for this purpose."`
	What     string `query:"what" json:"-" max:"32" doc:"Only this: requested, delivered, acknowledged, verified."`
}

// UseStatistics is what happened to uses, counted.
type UseStatistics struct {
	Items    []UseCount `json:"items" doc:"In the order of what they are broken down by."`
	Multiple int64      `json:"multiple" doc:"Numbers are rounded down to multiples of this, and what rounds to nothing is left out; 1: they are exact."`
	AsOf     uint64     `json:"as_of_block" doc:"The read includes this block and everything before it."`
}

// UseCount is one number.
type UseCount struct {
	exchange.Count
	N int64 `json:"n" doc:"How often."`
}

// Statistics tells anybody how often data is used: counts only, rounded so that none singles anybody out.
func (a *App) Statistics(ctx context.Context, _ Actor, req Statistics) (UseStatistics, error) {
	s, err := a.statistics(ctx, req)
	s.Multiple = exchange.PublishedMultiple
	for i := range s.Items {
		s.Items[i].N = exchange.Rounded(s.Items[i].N)
	}
	s.Items = slices.DeleteFunc(s.Items, func(c UseCount) bool { return c.N == 0 })
	return s, err
}

// ExactStatistics tells an auditor the exact numbers, which are those that the blocks give.
func (a *App) ExactStatistics(ctx context.Context, who Actor, req Statistics) (UseStatistics, error) {
	if err := who.is(Auditor); err != nil {
		return UseStatistics{}, err
	}
	s, err := a.statistics(ctx, req)
	s.Multiple = 1
	return s, err
}

func (a *App) statistics(ctx context.Context, req Statistics) (s UseStatistics, err error) {
	q := store.CountQuery{From: req.From, Until: req.Until, By: []string{"what"}, Count: exchange.Count{
		Dataset: req.Dataset, Provider: req.Provider, Consumer: req.Consumer, Purpose: req.Purpose, What: req.What,
	}}
	if req.By != "" {
		q.By = strings.Split(req.By, ",")
	}
	for _, part := range q.By {
		if !slices.Contains(exchange.CountParts, part) {
			return s, fault.Field("query.by", "one_of:"+strings.Join(exchange.CountParts, ","), "name parts that statistics have")
		}
	}
	if s.AsOf, err = a.wait(ctx, req.After); err != nil {
		return s, err
	}
	counts, err := a.Store.Counts(ctx, q)
	if err != nil {
		return s, err
	}
	s.Items = make([]UseCount, len(counts))
	for i, c := range counts {
		s.Items[i] = UseCount{c.Count, c.N}
	}
	return s, nil
}
