package departments

import (
	"crypto/subtle"
	"encoding/json"
	"net/http"
)

// TaxService is the tax service's own interface: GET /v3/taxpayers/{number} with its key in the header Authorization.
func (w World) TaxService(key string) http.Handler {
	found := make(map[string]Enterprise, len(w.Enterprises))
	for _, e := range w.Enterprises {
		found[e.Code] = e
	}
	routes := http.NewServeMux()
	routes.HandleFunc("GET /v3/taxpayers/{number}", func(out http.ResponseWriter, r *http.Request) {
		e, ok := found[r.PathValue("number")]
		switch {
		case subtle.ConstantTimeCompare([]byte(r.Header.Get("Authorization")), []byte("Bearer "+key)) == 0:
			out.WriteHeader(http.StatusUnauthorized)
			return
		case !ok:
			out.WriteHeader(http.StatusNotFound)
			return
		}
		out.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(out).Encode(map[string]any{"data": map[string]any{ // a caller that has gone needs no answer
			"tin": e.Code, "name": e.Name, "vat": map[string]any{"kind": vat(e.General)}, "credit": map[string]any{"grade": e.Grade},
			"year_end": []any{map[string]any{"year": asOf.Year() - 1, "paid": e.Paid, "arrears": letter(e.Arrears)}},
		}})
	})
	return routes
}
