package contract_test

import (
	"maps"
	"slices"

	"pgregory.net/rapid"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/exchange"
)

type modelDataset struct {
	owner     string
	edition   int
	content   exchange.Content // of the edition in force
	withdrawn bool
}

// gives: the dataset is in the directory, and all the fields are given.
func (d *modelDataset) gives(fields []string) bool {
	for _, f := range d.content.Fields {
		if f.Withdrawn && slices.Contains(fields, f.Name) {
			return false
		}
	}
	return !d.withdrawn
}

// needs: whoever uses the fields needs the subject's consent.
func (d *modelDataset) needs(fields []string) bool {
	for _, f := range d.content.Fields {
		if f.Sensitivity == "sensitive" && slices.Contains(fields, f.Name) {
			return true
		}
	}
	return d.content.ConsentRequired || d.content.Classification == "restricted"
}

// offers: the entry may be asked for these purposes.
func (d *modelDataset) offers(purposes []string) bool {
	return len(d.content.Conditions.Purposes) == 0 || contains(d.content.Conditions.Purposes, purposes)
}

func (m *model) datasetIDs() []string { return slices.Sorted(maps.Keys(m.datasets)) }

func (m *model) anyDataset() (id string, d *modelDataset) {
	id = anyOf(m, "dataset", m.datasetIDs())
	return id, m.datasets[id]
}

// entry is what an owner says of a dataset, in a form that its classification allows. Fields that were withdrawn before
// stay so, most often.
func (m *model) entry(before exchange.Content) exchange.Content {
	content := publication().Content
	content.Classification = rapid.SampledFrom([]string{"conditional", "conditional", "shared", "restricted", "open"}).Draw(m.t, "classification")
	personal := content.Classification != "open"
	content.ConsentRequired = personal && rapid.IntRange(0, 2).Draw(m.t, "consent required") == 0
	content.PreviewRequired = m.seldom("preview required")
	if m.seldom("one purpose") {
		content.Conditions.Purposes = goals[:1]
	}
	for i := range content.Fields {
		f := &content.Fields[i]
		if personal && content.Classification != "shared" && m.seldom("sensitive") {
			f.Sensitivity = "sensitive"
		}
		if before.Fields != nil && f.Name == "area" { // by the address a record is found
			f.Withdrawn = before.Fields[i].Withdrawn != m.seldom("withdraw it, or give it again")
		}
	}
	return content
}

func (m *model) publish(*rapid.T) {
	owner := m.pick("owner", players)
	request := exchange.PublishDataset{Code: m.pick("code", []string{"premises", "plans"}), Content: m.entry(exchange.Content{})}
	if m.datasets[owner+"/"+request.Code] != nil {
		panic(idle{})
	}
	id, _ := m.attempt(true, owner, access.Admin, exchange.DatasetPublish, request)
	m.datasets[id] = &modelDataset{owner: owner, edition: 1, content: request.Content}
}

// revise makes the next edition; seldom one that takes from others what they rely on.
func (m *model) revise(*rapid.T) {
	m.onlyIn(2)
	id, d := m.anyDataset()
	request := exchange.ReviseDataset{Dataset: id, Edition: d.edition + 1, Content: m.entry(d.content)}
	caller := m.usually(d.owner)
	may := caller == d.owner && !d.withdrawn && (d.content.Classification != "open" || request.Classification == "open")
	if m.seldom("another edition") {
		request.Edition = d.edition + rapid.SampledFrom([]int{0, 2}).Draw(m.t, "ahead")
		if request.Edition < 2 {
			request.Edition = 3
		}
		may = may && request.Edition == d.edition+1
	}
	if m.seldom("drop a field") {
		request.Fields, may = request.Fields[:1], false
	}
	if m.seldom("another type") {
		request.Fields[0].Type, may = "date", false
	}
	if !request.Fields[len(request.Fields)-1].Withdrawn && m.seldom("found by another field") {
		request.Selector, may = []string{request.Fields[len(request.Fields)-1].Name}, may && len(request.Fields) == 1
	}
	if _, done := m.attempt(may, caller, access.Admin, exchange.DatasetRevise, request); done {
		d.edition, d.content = request.Edition, request.Content
	}
}

func (m *model) withdrawDataset(*rapid.T) {
	m.onlyIn(16) // it ends everything
	id, d := m.anyDataset()
	caller := m.usually(d.owner)
	if _, done := m.attempt(caller == d.owner && !d.withdrawn, caller, access.Admin, exchange.DatasetWithdraw, exchange.WithdrawDataset{Dataset: id, Reason: "replaced"}); done {
		d.withdrawn = true
	}
}
