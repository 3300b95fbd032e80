package service

import (
	"context"
	"encoding/hex"
	"errors"
	"strings"
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/internal/changelog"
	"github.com/promptrails-community/promptrails-go/internal/credential"
	"github.com/promptrails-community/promptrails-go/internal/seal"
	"github.com/promptrails-community/promptrails-go/internal/store"
	"github.com/promptrails-community/promptrails-go/internal/wire"
)

const (
	maxDescription = 1000
	maxValue       = 64 << 10
)

// Credentials returns a page of the credentials.
func (x *Session) Credentials(p *promptrails.ListCredentialsParams) (*Page[*promptrails.Credential], error) {
	l, err := newListing("credentials", x.workspaceID(), p.ListOptions, string(p.Category), string(p.Type), p.Query)
	if err != nil {
		return nil, err
	}
	rows, total, err := x.tx.Credentials(string(p.Category), string(p.Type), p.Query, l.store)
	if err != nil {
		return nil, err
	}
	return finish(l, rows, total, func(c *promptrails.Credential) store.Position {
		return store.Position{At: c.CreatedAt.UnixMicro(), ID: c.ID}
	}), nil
}

// Credential returns one credential.
func (x *Session) Credential(id string) (*promptrails.Credential, error) {
	c, err := x.tx.Credential(id)
	return c, orNotFound(err, "credential")
}

// CreateCredential stores a secret.
func (x *Session) CreateCredential(body *CreateCredentialBody) (*promptrails.Credential, error) {
	p, bad := *body, faults{} // a copy, as the transaction may run again
	if p.Type == "" {
		p.Type = p.Provider
	} else if p.Provider != "" && p.Provider != p.Type {
		bad.add("provider", "is an older name of type; send only one of them")
	}
	if p.Value.IsZero() {
		p.Value = p.APIKey
	} else if !p.APIKey.IsZero() {
		bad.add("api_key", "is an older name of value; send only one of them")
	}
	bad.add("type", textFault(string(p.Type), 1, 100))
	fields := &promptrails.UpdateCredentialParams{
		Name: &p.Name, Category: &p.Category, Description: &p.Description, SchemaType: &p.SchemaType, IsDefault: &p.IsDefault, Value: &p.Value,
	}
	if err := checkCredential(fields, bad).err(); err != nil {
		return nil, err
	}
	if p.Category == "" {
		p.Category = promptrails.CredentialCategory(credential.Category(string(p.Type)))
	}
	c := &promptrails.Credential{
		ID: x.newID(), WorkspaceID: x.workspaceID(), Type: p.Type, MaskedContent: credential.Mask(p.Value.Reveal()),
		Version: 1, CreatedAt: x.now, UpdatedAt: x.now,
	}
	setCredential(c, fields)
	if c.IsDefault {
		if err := x.noDefault(c.Type); err != nil {
			return nil, err
		}
	}
	sealed := x.service.Ring.Seal(valuePlace(c), []byte(p.Value.Reveal()))
	if err := x.tx.CreateCredential(c, sealed); err != nil {
		return nil, err
	}
	return c, x.record(x.tx, promptrails.ActionCreated, credentialRef(c), nil, credentialFields(c, sealed))
}

func valueFault(v promptrails.Secret) string {
	switch text := v.Reveal(); {
	case text == "":
		return "must not be empty"
	case text == wire.Redacted:
		return "must be the secret itself, not " + wire.Redacted
	case len(text) > maxValue:
		return "must be at most 65536 bytes"
	case strings.ContainsRune(text, 0):
		return "must not contain NUL"
	default:
		return ""
	}
}

// UpdateCredential changes a credential.
func (x *Session) UpdateCredential(id string, body *UpdateCredentialBody) (*promptrails.Credential, error) {
	p, bad := *body, faults{} // a copy, as the transaction may run again
	if p.Value == nil {
		p.Value = p.APIKey
	} else if p.APIKey != nil {
		bad.add("api_key", "is an older name of value; send only one of them")
	}
	if err := checkCredential(&p.UpdateCredentialParams, bad).err(); err != nil {
		return nil, err
	}
	return x.changeCredential(id, p.Value, func(c *promptrails.Credential) { setCredential(c, &p.UpdateCredentialParams) })
}

// checkCredential validates the given fields and adds their faults to bad.
func checkCredential(p *promptrails.UpdateCredentialParams, bad faults) faults {
	if p.Name != nil {
		*p.Name = strings.TrimSpace(*p.Name)
		bad.add("name", nameFault(*p.Name))
	}
	if p.Category != nil {
		bad.add("category", textFault(string(*p.Category), 0, 100))
	}
	if p.Description != nil {
		bad.add("description", textFault(*p.Description, 0, maxDescription))
	}
	if p.SchemaType != nil {
		bad.add("schema_type", textFault(*p.SchemaType, 0, 100))
	}
	if p.Value != nil {
		bad.add("value", valueFault(*p.Value))
	}
	return bad
}

// setCredential sets the given fields except the value.
func setCredential(c *promptrails.Credential, p *promptrails.UpdateCredentialParams) {
	set(&c.Name, p.Name)
	set(&c.Category, p.Category)
	set(&c.Description, p.Description)
	set(&c.SchemaType, p.SchemaType)
	set(&c.IsDefault, p.IsDefault)
}

// set sets field unless given is nil.
func set[T any](field, given *T) {
	if given != nil {
		*field = *given
	}
}

// SetDefaultCredential makes a credential the default of its type.
func (x *Session) SetDefaultCredential(id string) (*promptrails.Credential, error) {
	return x.changeCredential(id, nil, func(c *promptrails.Credential) { c.IsDefault = true })
}

// changeCredential applies a change and, if value is not nil, stores a new
// value. If no field changes, the version stays the same and nothing is
// recorded.
func (x *Session) changeCredential(id string, value *promptrails.Secret, change func(*promptrails.Credential)) (*promptrails.Credential, error) {
	c, err := x.Credential(id)
	if err != nil {
		return nil, err
	}
	if err := x.match(c.Version); err != nil {
		return nil, err
	}
	sealed, err := x.tx.CredentialValue(id)
	if err != nil {
		return nil, err
	}
	was, before := *c, credentialFields(c, sealed)
	change(c)
	if value != nil {
		old, err := x.service.Ring.Open(valuePlace(c), sealed)
		if err != nil {
			return nil, err
		}
		if !value.Equal(promptrails.NewSecret(string(old))) {
			sealed = x.service.Ring.Seal(valuePlace(c), []byte(value.Reveal()))
			c.MaskedContent, c.IsValid = credential.Mask(value.Reveal()), nil
			if err := x.tx.SetCredentialValue(id, sealed); err != nil {
				return nil, err
			}
		}
	}
	after := credentialFields(c, sealed)
	if changes, err := changelog.Diff(before, after); err != nil || changes == nil {
		return c, err
	}
	if c.IsDefault && !was.IsDefault {
		if err := x.noDefault(c.Type); err != nil {
			return nil, err
		}
	}
	return c, x.updateCredential(c, before, after)
}

// noDefault clears the default of a type.
func (x *Session) noDefault(kind promptrails.CredentialType) error {
	c, err := x.tx.DefaultCredential(kind)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	before := credentialFields(c, nil)
	c.IsDefault = false
	return x.updateCredential(c, before, credentialFields(c, nil))
}

func (x *Session) updateCredential(c *promptrails.Credential, before, after map[string]any) error {
	c.Version++
	c.UpdatedAt = x.now
	if err := x.tx.UpdateCredential(c); err != nil {
		return err
	}
	return x.record(x.tx, promptrails.ActionUpdated, credentialRef(c), before, after)
}

// DeleteCredential deletes a credential. It returns an error if resources refer
// to the credential, unless p.Force is set.
func (x *Session) DeleteCredential(id string, p *promptrails.DeleteCredentialParams) error {
	c, err := x.Credential(id)
	if err != nil {
		return err
	}
	if err := x.match(c.Version); err != nil {
		return err
	}
	if !p.Force {
		if err := x.notInUse(id); err != nil {
			return err
		}
	}
	sealed, err := x.tx.CredentialValue(id)
	if err != nil {
		return err
	}
	if err := x.tx.DeleteCredential(id); err != nil {
		return err
	}
	return x.record(x.tx, promptrails.ActionDeleted, credentialRef(c), credentialFields(c, sealed), nil)
}

// maxUsers is the maximum number of resources in details.used_by.
const maxUsers = 20

// notInUse returns an error if resources refer to the credential.
func (x *Session) notInUse(id string) error {
	users, err := x.tx.UsedBy(id, maxUsers)
	if err != nil || len(users) == 0 {
		return err
	}
	usedBy := make([]map[string]any, len(users))
	for i, u := range users {
		usedBy[i] = map[string]any{"type": kindByName(u.Kind).Type, "id": u.ID}
	}
	return conflict(promptrails.CodeInUse, "the credential is in use; see details.used_by, or delete it with force=true").
		With(map[string]any{"used_by": usedBy})
}

// maxUsage is the maximum number of resources that CredentialUsage returns.
const maxUsage = 10_000

// CredentialUsage returns the resources that refer to a credential.
func (x *Session) CredentialUsage(id string) ([]*promptrails.ResourceRef, error) {
	if _, err := x.Credential(id); err != nil {
		return nil, err
	}
	users, err := x.tx.UsedBy(id, maxUsage)
	if err != nil {
		return nil, err
	}
	refs := make([]*promptrails.ResourceRef, len(users))
	for i, u := range users {
		refs[i] = &promptrails.ResourceRef{Type: kindByName(u.Kind).Type, ID: u.ID, Name: u.Name}
	}
	return refs, nil
}

// CheckCredential checks whether a credential works. Config.CheckCredential may
// make network requests, so it runs outside of a transaction.
func (s *Service) CheckCredential(ctx context.Context, r *Request, id string) (*promptrails.CredentialCheck, error) {
	var c *promptrails.Credential
	var value promptrails.Secret
	err := s.Read(ctx, r, func(x *Session) (err error) {
		if c, err = x.Credential(id); err != nil {
			return err
		}
		sealed, err := x.tx.CredentialValue(id)
		if err != nil {
			return err
		}
		text, err := s.Ring.Open(valuePlace(c), sealed)
		value = promptrails.NewSecret(string(text))
		return err
	})
	if err != nil {
		return nil, err
	}
	now := s.Now().UTC().Truncate(time.Microsecond)
	if s.Config.CheckCredential != nil {
		check, err := s.Config.CheckCredential(ctx, c, value)
		if err != nil {
			return nil, Unavailable(err)
		}
		found := *check
		if found.CheckedAt.IsZero() {
			found.CheckedAt = now
		}
		return &found, nil
	}
	valid, reason := credential.Check(string(c.Type), value.Reveal())
	return &promptrails.CredentialCheck{IsValid: valid, Reason: reason, CheckedAt: now}, nil
}

// KeepCheck stores the result of a check. It does not increment the
// credential's version, and it is not recorded in the changelog.
func (x *Session) KeepCheck(id string, check *promptrails.CredentialCheck) error {
	c, err := x.Credential(id)
	if err != nil {
		return err
	}
	c.IsValid = check.IsValid
	return x.tx.UpdateCredential(c)
}

func valuePlace(c *promptrails.Credential) seal.Place {
	return seal.Place{Workspace: c.WorkspaceID, Table: "credentials", Column: "value", Row: c.ID}
}

func credentialRef(c *promptrails.Credential) changelog.Ref {
	return changelog.Ref{Type: string(promptrails.ResourceCredential), ID: c.ID, Name: c.Name}
}

// credentialFields returns the fields that the changelog records. The changelog
// shows that the value changed, but not the value.
func credentialFields(c *promptrails.Credential, sealed []byte) map[string]any {
	return map[string]any{
		"name": c.Name, "type": c.Type, "category": c.Category, "description": c.Description,
		"is_default": c.IsDefault, "schema_type": c.SchemaType, "value": changelog.Secret{Mark: hex.EncodeToString(sealed)},
	}
}
