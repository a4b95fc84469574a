package canonical_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hutong-gov/hutong/chaincode/canonical"
)

// typical is a request of ordinary size.
var typical = func() []byte {
	more := make([]json.RawMessage, 4)
	for i := range more {
		more[i] = json.RawMessage(fmt.Sprintf(`{"purposes":["business.start","tax.check"],"until":"2026-03-02T09:00:%02dZ"}`, i))
	}
	raw, err := json.Marshal(map[string]any{"id": "premises-registration", "count": 12, "more": more, "terms": more[0],
		"labels": map[string]string{"name": "名称", "title": "Title of a dataset"}})
	if err != nil {
		panic(err)
	}
	return raw
}()

func BenchmarkDecode(b *testing.B) {
	b.SetBytes(int64(len(typical)))
	for b.Loop() {
		var r request
		require.NoError(b, canonical.Decode(typical, &r))
	}
}

func BenchmarkMarshal(b *testing.B) {
	var r request
	require.NoError(b, canonical.Decode(typical, &r))
	b.SetBytes(int64(len(typical)))
	for b.Loop() {
		_, err := canonical.Marshal(r)
		require.NoError(b, err)
	}
}
