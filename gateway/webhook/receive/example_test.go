package receive_test

import (
	"encoding/json"
	"log"
	"net/http"
	"os"

	"github.com/hutong-gov/hutong/gateway/feed"
	"github.com/hutong-gov/hutong/gateway/webhook/receive"
)

// A receiver verifies a delivery, drops it if it has dealt with it before, and acknowledges it once what it has done about
// it is durable.
func ExampleReceiver() {
	keys, err := os.ReadFile("keys.json") // curl https://gateway.example/v1/signing-keys
	if err != nil {
		log.Fatal(err)
	}
	receiver, err := receive.New("https://portal.example/hooks/hutong", keys)
	if err != nil {
		log.Fatal(err)
	}
	dealtWith := map[string]bool{} // in truth a table, written in the same transaction as what is done
	http.HandleFunc("POST /hooks/hutong", func(w http.ResponseWriter, r *http.Request) {
		delivery, err := receiver.Open(r)
		if err != nil {
			http.Error(w, "not a delivery of our gateway", http.StatusUnauthorized)
			return
		}
		var event feed.Event
		if err := json.Unmarshal(delivery.Body, &event); err != nil {
			http.Error(w, "not an event", http.StatusBadRequest)
			return
		}
		if !dealtWith[delivery.ID] {
			dealtWith[delivery.ID] = true
			log.Println(event.Type, event.Record)
		}
		w.WriteHeader(http.StatusNoContent)
	})
	log.Fatal(http.ListenAndServeTLS(":8443", "cert.pem", "key.pem", nil))
}
