package app_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/access"
	"github.com/hutong-gov/hutong/chaincode/exchange"
	"github.com/hutong-gov/hutong/gateway/app"
	"github.com/hutong-gov/hutong/gateway/client"
	"github.com/hutong-gov/hutong/gateway/connector"
	"github.com/hutong-gov/hutong/test/story"
)

// plans is a department's file of three chunks, and what regulation needs to use it.
type plans struct {
	*scene
	content []byte
	request app.RequestUse
	officer story.Officer
}

const planDataset = "planning.housing/plans"

func newPlans(t *testing.T) *plans {
	t.Helper()
	p := &plans{scene: newScene(t), content: make([]byte, 2*exchange.ChunkBytes+1000)}
	source := rand.NewChaCha8([32]byte{1})
	_, err := source.Read(p.content)
	require.NoError(t, err)
	dir := t.TempDir()
	db, err := sql.Open("sqlite", filepath.Join(dir, "plans.db"))
	require.NoError(t, err)
	_, err = db.Exec(`CREATE TABLE plan (number TEXT, drawing BLOB)`)
	require.NoError(t, err)
	_, err = db.Exec(`INSERT INTO plan VALUES ('P1', ?)`, p.content)
	require.NoError(t, err)
	require.NoError(t, db.Close())
	require.NoError(t, os.WriteFile(filepath.Join(dir, "plans.yaml"), []byte(`dataset: `+planDataset+`
source: {sqlite: plans.db}
from: plan
selector: {number: plan.number}
fields: {number: {column: plan.number}, drawing: {column: plan.drawing}}
`), 0o600))
	connectors, err := connector.Open(filepath.Join(dir, "plans.yaml"), nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, connectors.Close()) })
	p.Gateways["planning"].App.Connectors = connectors

	p.officer = p.scene.officer("market.regulation")
	caseID := p.apply(p.citizen)
	text := exchange.Text{Zh: "图纸", En: "Plans"}
	write := func(organisation, user, method, path string, request any) app.Receipt {
		receipt, err := do[app.Receipt](p.scene, p.as(organisation, user), method, path, request)
		require.NoError(t, err)
		return receipt
	}
	write("planning", "admin.housing", http.MethodPost, "/v1/datasets", exchange.PublishDataset{Code: "plans", Content: exchange.Content{
		Name: text, Classification: exchange.Shared, Selector: []string{"number"},
		Fields: []exchange.FieldSpec{{Name: "drawing", Title: text, Type: exchange.FileType}, {Name: "number", Title: text, Type: "string"}},
	}})
	now := p.Ledger.Now().UTC().Truncate(time.Millisecond)
	terms := exchange.Terms{Purposes: []string{story.Service}, Fields: []string{"drawing", "number"}, ValidFrom: now.Add(-time.Hour), ValidUntil: now.Add(24 * time.Hour)}
	grant := write("market", "admin.regulation", http.MethodPost, "/v1/grants", exchange.RequestGrant{Dataset: planDataset, Terms: terms, Basis: "Building Rule 1"})
	_, err = p.Ledger.As("planning.housing", access.Admin).Submit(exchange.GrantGrant, "plans", exchange.GrantAccess{Grant: grant.ID, Terms: terms})
	require.NoError(t, err)
	p.request = app.RequestUse{
		Case: caseID, Dataset: planDataset, Fields: []string{"drawing", "number"}, Purpose: story.Service, LegalBasis: "Building Rule 1", Grant: grant.ID,
		Selector: map[string]json.RawMessage{"number": json.RawMessage(`"P1"`)},
	}
	return p
}

func (p *plans) fetch() (app.Used, error) {
	return do[app.Used](p.scene, p.officer.Client, http.MethodPost, "/v1/uses", p.request, client.Key("plans"))
}

// line is the way to the provider's gateway: it counts chunks, and may give another than the one asked for.
type line struct {
	app.Peers
	chunks int
	give   func(number int, stream string, next func(stream string, number int) (app.SealedChunk, error)) (app.SealedChunk, error)
}

func (l *line) Chunk(ctx context.Context, msp, use, stream string, number int) (app.SealedChunk, error) {
	next := func(stream string, number int) (app.SealedChunk, error) {
		return l.Peers.Chunk(ctx, msp, use, stream, number)
	}
	if l.give != nil {
		return l.give(number, stream, next)
	}
	l.chunks++
	return next(stream, number)
}

// TestAFileTravelsInChunks: sealed, bounded, committed to as a whole before it is acknowledged, and read piece by piece.
func TestAFileTravelsInChunks(t *testing.T) {
	t.Parallel()
	p := newPlans(t)
	market := p.Gateways["market"].App
	way := &line{Peers: market.Peers}
	market.Peers = way
	used, err := p.fetch()
	require.NoError(t, err)
	require.Equal(t, exchange.Acknowledged, used.Status)
	require.Equal(t, 3, way.chunks)
	read := func(number int) (*app.FileChunk, error) {
		payload, err := get[app.Payload](p.scene, p.officer.Client, fmt.Sprintf("/v1/uses/%s/payload?file=drawing&chunk=%d", used.ID, number))
		return payload.Chunk, err
	}
	var whole []byte
	for n := range 3 {
		c, err := read(n)
		require.NoError(t, err)
		require.Equal(t, 3, c.Chunks)
		require.EqualValues(t, len(p.content), c.Size)
		part, err := base64.StdEncoding.DecodeString(c.Data)
		require.NoError(t, err)
		whole = append(whole, part...)
	}
	require.True(t, bytes.Equal(p.content, whole))
	_, err = read(3)
	require.Equal(t, "file.chunk_missing", client.Reason(err))
	require.Equal(t, 3, way.chunks, "each is asked for once")

	_, err = do[app.Receipt](p.scene, p.officer.Client, http.MethodPut, "/v1/uses/"+used.ID+"/purge", app.PurgeUse{Reason: "case.over"})
	require.NoError(t, err)
	_, err = read(0)
	require.Equal(t, "use.purged", client.Reason(err))
}

// TestAFileThatIsTamperedWithIsNotTaken, and the transfer goes on where it stopped when the line is good again.
func TestAFileThatIsTamperedWithIsNotTaken(t *testing.T) {
	t.Parallel()
	p := newPlans(t)
	market := p.Gateways["market"].App
	way := &line{Peers: market.Peers}
	market.Peers = way
	first := ""
	type next = func(string, int) (app.SealedChunk, error)
	for _, c := range []struct {
		name, reason string
		give         func(number int, stream string, next next) (app.SealedChunk, error)
	}{
		{"reordered", "sealed.chunk", func(n int, s string, next next) (app.SealedChunk, error) { return next(s, (n+1)%3) }},
		{"truncated", "sealed.chunk", func(n int, s string, next next) (app.SealedChunk, error) {
			got, err := next(s, n)
			return app.SealedChunk{Sealed: got.Sealed[:len(got.Sealed)/2]}, err
		}},
		{"changed", "sealed.chunk", func(n int, s string, next next) (app.SealedChunk, error) {
			got, err := next(s, n)
			return app.SealedChunk{Sealed: "AAAA" + got.Sealed[4:]}, err
		}},
		{"the last one is another", "sealed.chunk", func(n int, s string, next next) (app.SealedChunk, error) {
			if n == 2 {
				return app.SealedChunk{Sealed: first}, nil
			}
			got, err := next(s, n)
			first = got.Sealed
			return got, err
		}},
		{"foreign", "file.chunk_missing", func(_ int, _ string, next next) (app.SealedChunk, error) {
			return next(p.request.Grant+p.request.Grant+"000000000000", 0)
		}},
	} {
		way.give = c.give
		_, err := p.fetch()
		require.Equal(t, c.reason, client.Reason(err), c.name)
	}
	way.give = nil
	used, err := p.fetch()
	require.NoError(t, err)
	require.Equal(t, exchange.Acknowledged, used.Status)
	require.Equal(t, 1, way.chunks, "two were kept before the line was good")
}

// TestNobodyGetsAChunkBeforeTheDelivery, nor one of another use.
func TestChunksAreOfTheirUse(t *testing.T) {
	t.Parallel()
	p := newPlans(t)
	market := p.Gateways["market"].App
	way := &line{Peers: market.Peers}
	market.Peers = way
	stream := ""
	way.give = func(n int, s string, next func(string, int) (app.SealedChunk, error)) (app.SealedChunk, error) {
		stream = s
		return next(s, n)
	}
	used, err := p.fetch()
	require.NoError(t, err)
	other, _, err := p.scene.officer("market.tax").Fetch(p.ctx, p.request.Case, "tax-identity")
	require.NoError(t, err)
	ask := func(organisation, use string) error {
		_, err := get[any](p.scene, p.as(organisation, ""), "/v1/uses/"+use+"/chunks/"+stream+"/0")
		return err
	}
	require.NoError(t, ask("planning", used.ID))
	require.Equal(t, "file.chunk_missing", client.Reason(ask("planning", other.ID)))
	require.Equal(t, "file.chunk_missing", client.Reason(ask("services", used.ID)))
}
