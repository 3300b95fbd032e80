package promptrails

import (
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/promptrails-community/promptrails-go/internal/wire"
)

// Types with time fields marshal to the JSON of the API, in which a zero time
// is null. encoding/json calls MarshalJSON, which redacts secrets.
// encoding/json/v2 and this package's requests and responses call
// MarshalJSONTo.

// MarshalJSON implements [json.Marshaler].
func (w Workspace) MarshalJSON() ([]byte, error) {
	type form Workspace
	return wire.Show((*form)(&w))
}

// MarshalJSONTo implements [json.MarshalerTo].
func (w Workspace) MarshalJSONTo(enc *jsontext.Encoder) error {
	type form Workspace
	return wire.EncodeNested(enc, (*form)(&w))
}

// MarshalJSON implements [json.Marshaler].
func (m Member) MarshalJSON() ([]byte, error) {
	type form Member
	return wire.Show((*form)(&m))
}

// MarshalJSONTo implements [json.MarshalerTo].
func (m Member) MarshalJSONTo(enc *jsontext.Encoder) error {
	type form Member
	return wire.EncodeNested(enc, (*form)(&m))
}

// MarshalJSON implements [json.Marshaler].
func (i Invitation) MarshalJSON() ([]byte, error) {
	type form Invitation
	return wire.Show((*form)(&i))
}

// MarshalJSONTo implements [json.MarshalerTo].
func (i Invitation) MarshalJSONTo(enc *jsontext.Encoder) error {
	type form Invitation
	return wire.EncodeNested(enc, (*form)(&i))
}

// MarshalJSON implements [json.Marshaler].
func (c Credential) MarshalJSON() ([]byte, error) {
	type form Credential
	return wire.Show((*form)(&c))
}

// MarshalJSONTo implements [json.MarshalerTo].
func (c Credential) MarshalJSONTo(enc *jsontext.Encoder) error {
	type form Credential
	return wire.EncodeNested(enc, (*form)(&c))
}

// MarshalJSON implements [json.Marshaler].
func (c CredentialCheck) MarshalJSON() ([]byte, error) {
	type form CredentialCheck
	return wire.Show((*form)(&c))
}

// MarshalJSONTo implements [json.MarshalerTo].
func (c CredentialCheck) MarshalJSONTo(enc *jsontext.Encoder) error {
	type form CredentialCheck
	return wire.EncodeNested(enc, (*form)(&c))
}

// MarshalJSON implements [json.Marshaler].
func (k APIKey) MarshalJSON() ([]byte, error) {
	type form APIKey
	return wire.Show((*form)(&k))
}

// MarshalJSONTo implements [json.MarshalerTo].
func (k APIKey) MarshalJSONTo(enc *jsontext.Encoder) error {
	type form APIKey
	return wire.EncodeNested(enc, (*form)(&k))
}

// MarshalJSON implements [json.Marshaler].
func (c Channel) MarshalJSON() ([]byte, error) {
	type form Channel
	return wire.Show((*form)(&c))
}

// MarshalJSONTo implements [json.MarshalerTo].
func (c Channel) MarshalJSONTo(enc *jsontext.Encoder) error {
	type form Channel
	return wire.EncodeNested(enc, (*form)(&c))
}

// MarshalJSON implements [json.Marshaler].
func (d Delivery) MarshalJSON() ([]byte, error) {
	type form Delivery
	return wire.Show((*form)(&d))
}

// MarshalJSONTo implements [json.MarshalerTo].
func (d Delivery) MarshalJSONTo(enc *jsontext.Encoder) error {
	type form Delivery
	return wire.EncodeNested(enc, (*form)(&d))
}

// MarshalJSON implements [json.Marshaler].
func (a DeliveryAttempt) MarshalJSON() ([]byte, error) {
	type form DeliveryAttempt
	return wire.Show((*form)(&a))
}

// MarshalJSONTo implements [json.MarshalerTo].
func (a DeliveryAttempt) MarshalJSONTo(enc *jsontext.Encoder) error {
	type form DeliveryAttempt
	return wire.EncodeNested(enc, (*form)(&a))
}

// MarshalJSON implements [json.Marshaler].
func (s MaskingSettings) MarshalJSON() ([]byte, error) {
	type form MaskingSettings
	return wire.Show((*form)(&s))
}

// MarshalJSONTo implements [json.MarshalerTo].
func (s MaskingSettings) MarshalJSONTo(enc *jsontext.Encoder) error {
	type form MaskingSettings
	return wire.EncodeNested(enc, (*form)(&s))
}

// MarshalJSON implements [json.Marshaler].
func (o MaskingOverride) MarshalJSON() ([]byte, error) {
	type form MaskingOverride
	return wire.Show((*form)(&o))
}

// MarshalJSONTo implements [json.MarshalerTo].
func (o MaskingOverride) MarshalJSONTo(enc *jsontext.Encoder) error {
	type form MaskingOverride
	return wire.EncodeNested(enc, (*form)(&o))
}

// MarshalJSON implements [json.Marshaler].
func (s Subscription) MarshalJSON() ([]byte, error) {
	type form Subscription
	return wire.Show((*form)(&s))
}

// MarshalJSONTo implements [json.MarshalerTo].
func (s Subscription) MarshalJSONTo(enc *jsontext.Encoder) error {
	type form Subscription
	return wire.EncodeNested(enc, (*form)(&s))
}

// MarshalJSON implements [json.Marshaler].
func (i Invoice) MarshalJSON() ([]byte, error) {
	type form Invoice
	return wire.Show((*form)(&i))
}

// MarshalJSONTo implements [json.MarshalerTo].
func (i Invoice) MarshalJSONTo(enc *jsontext.Encoder) error {
	type form Invoice
	return wire.EncodeNested(enc, (*form)(&i))
}

// MarshalJSON implements [json.Marshaler].
func (b Balance) MarshalJSON() ([]byte, error) {
	type form Balance
	return wire.Show((*form)(&b))
}

// MarshalJSONTo implements [json.MarshalerTo].
func (b Balance) MarshalJSONTo(enc *jsontext.Encoder) error {
	type form Balance
	return wire.EncodeNested(enc, (*form)(&b))
}

// MarshalJSON implements [json.Marshaler].
func (t Transaction) MarshalJSON() ([]byte, error) {
	type form Transaction
	return wire.Show((*form)(&t))
}

// MarshalJSONTo implements [json.MarshalerTo].
func (t Transaction) MarshalJSONTo(enc *jsontext.Encoder) error {
	type form Transaction
	return wire.EncodeNested(enc, (*form)(&t))
}

// MarshalJSON implements [json.Marshaler].
func (u Usage) MarshalJSON() ([]byte, error) {
	type form Usage
	return wire.Show((*form)(&u))
}

// MarshalJSONTo implements [json.MarshalerTo].
func (u Usage) MarshalJSONTo(enc *jsontext.Encoder) error {
	type form Usage
	return wire.EncodeNested(enc, (*form)(&u))
}

// MarshalJSON implements [json.Marshaler].
func (e UsageEvent) MarshalJSON() ([]byte, error) {
	type form UsageEvent
	return wire.Show((*form)(&e))
}

// MarshalJSONTo implements [json.MarshalerTo].
func (e UsageEvent) MarshalJSONTo(enc *jsontext.Encoder) error {
	type form UsageEvent
	return wire.EncodeNested(enc, (*form)(&e))
}

// createdAPIKeyForm is CreatedAPIKey without methods.
type createdAPIKeyForm struct {
	apiKeyForm
	Key Secret `json:"key"`
}

type apiKeyForm APIKey

func (k *CreatedAPIKey) form() *createdAPIKeyForm {
	return &createdAPIKeyForm{apiKeyForm(k.APIKey), k.Key}
}

// UnmarshalJSON implements [json.Unmarshaler].
func (k *CreatedAPIKey) UnmarshalJSON(data []byte) error {
	var f createdAPIKeyForm
	if err := wire.Decode(data, &f); err != nil {
		return err
	}
	k.APIKey, k.Key = APIKey(f.apiKeyForm), f.Key
	return nil
}

// MarshalJSON implements [json.Marshaler].
func (k CreatedAPIKey) MarshalJSON() ([]byte, error) { return wire.Show(k.form()) }

// MarshalJSONTo implements [json.MarshalerTo].
func (k CreatedAPIKey) MarshalJSONTo(enc *jsontext.Encoder) error {
	return wire.EncodeNested(enc, k.form())
}

// updateAPIKeyForm is the JSON form of UpdateAPIKeyParams, in which null clears
// a list or the expiry. ExpiresAt is a jsontext.Value because omitzero omits a
// pointer to a zero time.Time, which has an IsZero method.
type updateAPIKeyForm struct {
	Name           *string        `json:"name,omitzero"`
	Scopes         *Scopes        `json:"scopes,omitzero"`
	AllowedIPs     *[]string      `json:"allowed_ips,omitzero"`
	AllowedOrigins *[]string      `json:"allowed_origins,omitzero"`
	ExpiresAt      jsontext.Value `json:"expires_at,omitzero"`
}

func (p *UpdateAPIKeyParams) form() (*updateAPIKeyForm, error) {
	f := &updateAPIKeyForm{Name: p.Name, Scopes: p.Scopes, AllowedIPs: p.AllowedIPs, AllowedOrigins: p.AllowedOrigins}
	if p.ExpiresAt == nil {
		return f, nil
	}
	var err error
	f.ExpiresAt, err = wire.Encode(*p.ExpiresAt)
	return f, err
}

// MarshalJSON implements [json.Marshaler].
func (p UpdateAPIKeyParams) MarshalJSON() ([]byte, error) {
	f, err := p.form()
	if err != nil {
		return nil, err
	}
	return wire.Encode(f)
}

// UnmarshalJSON implements [json.Unmarshaler].
func (p *UpdateAPIKeyParams) UnmarshalJSON(data []byte) error {
	var f updateAPIKeyForm
	if err := wire.Decode(data, &f); err != nil {
		return err
	}
	*p = UpdateAPIKeyParams{Name: f.Name, Scopes: f.Scopes, AllowedIPs: f.AllowedIPs, AllowedOrigins: f.AllowedOrigins}
	return wire.EachMember(data, func(name string, _, value jsontext.Value) error {
		switch name {
		case "scopes":
			return present(&p.Scopes)
		case "allowed_ips":
			return present(&p.AllowedIPs)
		case "allowed_origins":
			return present(&p.AllowedOrigins)
		case "expires_at":
			p.ExpiresAt = new(time.Time)
			return wire.Decode(value, p.ExpiresAt)
		default:
			return nil
		}
	})
}

// present sets a field that was null to a pointer to a zero value.
func present[T any](field **T) error {
	if *field == nil {
		*field = new(T)
	}
	return nil
}
