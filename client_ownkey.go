package promptrails

import (
	"github.com/promptrails-community/promptrails-go/internal/apikey"
	"github.com/promptrails-community/promptrails-go/internal/wire"
)

// ownKey is the id of an API key, by the hash of the key.
type ownKey struct {
	hash [32]byte
	id   string
}

// learnOwnKey remembers the id of the key that the client calls with, once the
// server has named it.
func (ex *exchange) learnOwnKey() {
	if current, ok := ex.out.(*object[APIKey]); ok && ex.op.name == opAPIKeysCurrent.name && ex.credentials.header == ex.conn.credentials.header {
		ex.conn.ownKey.Store(&ownKey{hash: ex.keyHash(), id: current.Data.ID})
	}
}

// isOwnKey reports whether id names the key of the last attempt: as the refusal
// says, or as the server said before.
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
