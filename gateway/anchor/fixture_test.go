package anchor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/chaincode/state"
)

const dataset = "market.customs/clearance"

func clearance() exchange.Dataset {
	title := exchange.Text{Zh: "名称", En: "Name"}
	d := exchange.Dataset{Head: state.Head{ID: dataset, Status: exchange.Published}, Agency: "market.customs", Code: "clearance"}
	d.Selector = []string{"declaration", "item"}
	for _, f := range []struct{ name, kind string }{{"declaration", "string"}, {"item", "integer"}, {"goods", "string"}, {"released", "boolean"}, {"declared_on", "date"}} {
		d.Fields = append(d.Fields, exchange.FieldSpec{Name: f.name, Title: title, Type: f.kind})
	}
	return d
}

// journal is a ledger in a file: the contract's own rules, and a line for each anchor, so that a process that is killed and
// its successor see one ledger. Of some calls the answer is lost after they were carried out.
type journal struct {
	path string
	lose float64

	mu        sync.Mutex
	withdrawn []string
	calls     int
}

func (l *journal) Dataset(context.Context, string) (exchange.Dataset, error) { return clearance(), nil }

func (l *journal) Withdrawn(context.Context, string) ([]string, error) { return l.withdrawn, nil }

func (l *journal) all() (anchors []exchange.Anchor) {
	text, err := os.ReadFile(l.path)
	if err != nil {
		return nil
	}
	for line := range strings.Lines(string(text)) {
		var a exchange.Anchor
		if json.Unmarshal([]byte(line), &a) == nil && strings.HasSuffix(line, "\n") {
			anchors = append(anchors, a)
		}
	}
	return anchors
}

func (l *journal) Anchor(_ context.Context, _ string, r exchange.CreateAnchor) (Receipt, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls++
	if err := r.Validate(); err != nil {
		return Receipt{}, err
	}
	before := false
	for _, a := range l.all() {
		if a.ID == r.ID() {
			if a.Root != r.Root || a.Size != r.Size {
				return Receipt{}, errors.New("anchor.conflict")
			}
			return Receipt{Anchor: a.ID}, nil
		}
		before = before || a.ID == exchange.AnchorID(r.Dataset, r.Source, r.Position-1, r.Replaces)
	}
	if r.Position > 1 && !before {
		return Receipt{}, errors.New("anchor.missing")
	}
	a, _, _, err := r.Create(r.ID(), access.Caller{Agency: "market.customs"}, clearance(), exchange.Series{}, nil)
	if err != nil {
		return Receipt{}, err
	}
	line, err := json.Marshal(a)
	if err != nil {
		return Receipt{}, err
	}
	file, err := os.OpenFile(l.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return Receipt{}, err
	}
	_, err = file.Write(append(line, '\n'))
	if err := errors.Join(err, file.Close()); err != nil {
		return Receipt{}, err
	}
	if rand.Float64() < l.lose {
		return Receipt{}, Temporary{errors.New("the answer was lost")}
	}
	return Receipt{Anchor: a.ID}, nil
}

// csvFile writes n rows, every tenth of which is wrong in one way or another.
func csvFile(t testing.TB, folder string, n int) (path string, good int) {
	var b strings.Builder
	b.WriteString("\xef\xbb\xbfdeclaration,item,goods,released,declared_on\r\n")
	for i := range n {
		switch {
		case i%10 != 9:
			fmt.Fprintf(&b, "D%07d,%d,\"茶叶, green\n\"\"spring\"\" %d\",Y,20260%d%02d\r\n", i, i%5, i, 1+i%9, 1+i%28)
			good++
		case i%50 == 9:
			fmt.Fprintf(&b, "D%07d,%d,again,N,2026-01-01\r\n", i-1, (i-1)%5)
		case i%50 == 19:
			fmt.Fprintf(&b, "D%07d,many,x,N,2026-01-01\r\n", i)
		case i%50 == 29:
			fmt.Fprintf(&b, "D%07d,1,x,N\r\n", i)
		case i%50 == 39:
			fmt.Fprintf(&b, ",1,x,N,2026-01-01\r\n")
		default:
			fmt.Fprintf(&b, "D%07d,1,\xff,N,2026-01-01\r\n", i)
		}
	}
	path = filepath.Join(folder, "clearance.csv")
	require.NoError(t, os.WriteFile(path, []byte(b.String()), 0o600))
	return path, good
}

func opened(t testing.TB, folder string) *Archive {
	a, err := Open(folder)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, a.Close()) })
	return a
}

// keyed is the key of row i of csvFile.
func keyed(i int) map[string]json.RawMessage {
	return map[string]json.RawMessage{"declaration": fmt.Appendf(nil, `"D%07d"`, i), "item": fmt.Append(nil, i%5)}
}

const shortPatience = time.Second
