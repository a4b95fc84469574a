package feed

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"

	"github.com/hutong-gov/hutong/chaincode/collaboration"
)

// maxCases bounds the cases that are remembered.
const maxCases = 4096

// cases remembers what stays the same of cases. A case that is not open yet is not remembered.
type cases struct {
	mu    sync.Mutex
	known map[string]*inCase
}

// split gives what is remembered of the cases named, and which are not.
func (c *cases) split(ids []string) (known map[string]*inCase, unknown []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	known = make(map[string]*inCase, len(ids))
	for _, id := range ids {
		if one, ok := c.known[id]; ok {
			known[id] = one
		} else {
			unknown = append(unknown, id)
		}
	}
	return known, unknown
}

func (c *cases) remember(id string, one *inCase) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known == nil || len(c.known) >= maxCases {
		c.known = map[string]*inCase{}
	}
	c.known[id] = one
}

// casesOf tells of cases by their ids; those that were never opened are left out.
func (f *Feed) casesOf(ctx context.Context, ids []string) (map[string]*inCase, error) {
	slices.Sort(ids)
	known, ids := f.cases.split(slices.Compact(ids))
	if len(ids) == 0 {
		return known, nil
	}
	opened, err := f.source.Opened(ctx, collaboration.EventCaseOpened, ids)
	if err != nil {
		return nil, err
	}
	records, err := f.source.Some(ctx, collaboration.Cases.Noun, ids)
	if err != nil {
		return nil, err
	}
	for _, r := range records {
		at, ok := opened[r.ID]
		if !ok {
			continue
		}
		var c collaboration.Case
		if err := json.Unmarshal(r.Body, &c); err != nil {
			return nil, fmt.Errorf("case %s: %w", r.ID, err)
		}
		one := &inCase{agencies: c.Agencies, desk: c.Created.By, opened: at}
		f.cases.remember(r.ID, one)
		known[r.ID] = one
	}
	return known, nil
}
