package promptrails

import (
	"github.com/promptrails-community/promptrails-go/internal/apikey"
	"github.com/promptrails-community/promptrails-go/internal/wire"
)

// ownKey maps the hash of an API key to its id.
type ownKey struct {
	hash [32]byte
	id   string
}

// learnOwnKey stores the id of the client's API key from a response to
// APIKeys.Current.
func (ex *exchange) learnOwnKey() {
	if current, ok := ex.out.(*object[APIKey]); ok && ex.op.name == opAPIKeysCurrent.name && ex.credentials.header == ex.conn.credentials.header {
		ex.conn.ownKey.Store(&ownKey{hash: ex.keyHash(), id: current.Data.value.ID})
	}
}

// isOwnKey reports whether id is the id of the API key used in the last attempt.
// It uses the details of refusal, or else the id stored by learnOwnKey.
func (ex *exchange) isOwnKey(id string, refusal *Error) bool {
	var d struct {
		ID string `json:"api_key_id"`
	}
	if wire.Decode(refusal.Details, &d) == nil && d.ID != "" {
		return d.ID == id
	}
	known := ex.conn.ownKey.Load()
	return known != nil && known.id == id && known.hash == ex.keyHash()
}

func (ex *exchange) keyHash() [32]byte { return apikey.Hash(ex.sent[len(ex.sent)-1]) }
