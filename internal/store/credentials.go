package store

import (
	promptrails "github.com/promptrails-community/promptrails-go"
)

const credentialRows scoped = "FROM credentials c WHERE c.workspace_id = $1"

var credentialColumns = scoped(credentialRow(new(promptrails.Credential)).names("c"))

func credentialRow(c *promptrails.Credential) row {
	return row{
		{"id", &c.ID, onceSet},
		{"workspace_id", &c.WorkspaceID, onlyRead},
		{"name", &c.Name, everywhere},
		{"type", &c.Type, onceSet},
		{"category", &c.Category, everywhere},
		{"description", &c.Description, everywhere},
		{"masked_content", &c.MaskedContent, everywhere},
		{"is_default", switched[bool]{&c.IsDefault}, everywhere},
		{"schema_type", &c.SchemaType, everywhere},
		{"is_valid", switched[*bool]{&c.IsValid}, everywhere},
		{"version", &c.Version, everywhere},
		{"created_at", stamp{&c.CreatedAt}, onceSet},
		{"updated_at", stamp{&c.UpdatedAt}, everywhere},
	}
}

// Credentials returns a page of the credentials and the number of matching
// credentials. The number is 0 if p has a cursor.
func (t *Tx) Credentials(category, kind, q string, p Paging) (page []*promptrails.Credential, total int, err error) {
	f := filter{base: 1}
	f.equal("c.type", kind)
	f.equal("c.category", category)
	f.scanSearch("c.search", q)
	from, total, err := t.pageOf(&list{rows: string(credentialRows), at: "c.created_at", id: "c.id", total: t.total(countCredentials)}, &f, p)
	if err != nil {
		return nil, 0, err
	}
	query := "SELECT " + credentialColumns + " " + from
	err = t.rows(query, f.args, func(r scanner) error {
		c := new(promptrails.Credential)
		page = append(page, c)
		return r.Scan(credentialRow(c).into()...)
	})
	return page, total, err
}

// Credential returns the credential with that id, without its value.
func (t *Tx) Credential(id string) (*promptrails.Credential, error) {
	c := new(promptrails.Credential)
	return c, t.row("SELECT "+credentialColumns+" "+credentialRows+" AND c.id = $2", []any{id}, credentialRow(c).into()...)
}

// DefaultCredential returns the default credential of a type.
func (t *Tx) DefaultCredential(kind promptrails.CredentialType) (*promptrails.Credential, error) {
	c := new(promptrails.Credential)
	return c, t.row("SELECT "+credentialColumns+" "+credentialRows+" AND c.type = $2 AND c.is_default = 1", []any{string(kind)}, credentialRow(c).into()...)
}

// CredentialValue returns the sealed value of a credential.
func (t *Tx) CredentialValue(id string) (sealed []byte, err error) {
	err = t.row("SELECT c.value "+credentialRows+" AND c.id = $2", []any{id}, &sealed)
	return sealed, err
}

// CreateCredential adds a credential with its sealed value.
func (t *Tx) CreateCredential(c *promptrails.Credential, sealed []byte) error {
	err := t.insert("credentials", credentialRow(c), column{"search", searchable(c.Name), onceSet}, column{"value", sealed, onceSet})
	if err != nil {
		return err
	}
	return t.count(countCredentials, 1)
}

// UpdateCredential stores the mutable fields of a credential, except for its
// value.
func (t *Tx) UpdateCredential(c *promptrails.Credential) error {
	return t.update("credentials", c.ID, credentialRow(c), column{"search", searchable(c.Name), everywhere})
}

// SetCredentialValue replaces the sealed value of a credential.
func (t *Tx) SetCredentialValue(id string, sealed []byte) error {
	return affected(t.exec("UPDATE credentials SET value = $3 WHERE workspace_id = $1 AND id = $2", id, sealed))
}

// DeleteCredential deletes a credential.
func (t *Tx) DeleteCredential(id string) error {
	if err := affected(t.exec("DELETE FROM credentials WHERE workspace_id = $1 AND id = $2", id)); err != nil {
		return err
	}
	return t.count(countCredentials, -1)
}

// HasCredential reports whether a credential exists.
func (t *Tx) HasCredential(id string) (bool, error) {
	var n int
	err := t.row("SELECT count(*) "+credentialRows+" AND c.id = $2", []any{id}, &n)
	return n > 0, err
}
