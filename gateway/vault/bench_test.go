package vault

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/gateway/credential/seal"
	"github.com/hutong-gov/hutong/gateway/database/databasetest"
)

func BenchmarkPut(b *testing.B) {
	ctx := context.Background()
	v, err := Open(ctx, databasetest.Chosen(b))
	require.NoError(b, err)
	defer func() { require.NoError(b, v.Close()) }()
	var n atomic.Int64
	sealed := strings.Repeat("x", 2000)
	b.SetParallelism(64)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			e := Entry{Kind: Certificate, Envelope: seal.Envelope{Commitment: fmt.Sprint(n.Add(1)), To: "a.b", Sealed: sealed}}
			if err := v.Put(ctx, e, Entry{Kind: Certificate, Envelope: seal.Envelope{Commitment: e.Envelope.Commitment, To: "a.c", Sealed: sealed}}); err != nil {
				b.Error(err)
			}
		}
	})
}
