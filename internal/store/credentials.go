package store

import (
	"database/sql"

	promptrails "github.com/promptrails-community/promptrails-go"
)

const (
	credentialColumns = `c.id, c.workspace_id, c.name, c.type, c.category, c.description, c.masked_content, c.is_default,
	c.schema_type, c.is_valid, c.version, c.created_at, c.updated_at`
	credentialRows scoped = "FROM credentials c WHERE c.workspace_id = $1"
)

func credentialFields(c *promptrails.Credential) []any {
	return []any{
		&c.ID, &c.WorkspaceID, &c.Name, &c.Type, &c.Category, &c.Description, &c.MaskedContent, &c.IsDefault,
		&c.SchemaType, &c.IsValid, &c.Version,
		stamp{&c.CreatedAt},
		stamp{&c.UpdatedAt},
	}
}

// Credentials returns a page of the credentials and the number of matching
// credentials. The number is 0 if p has a cursor.
func (t *Tx) Credentials(category, kind, q string, p Paging) (page []*promptrails.Credential, total int, err error) {
	f := filter{base: 1}
	f.andText("c.category = ?", category)
	f.andText("c.type = ?", kind)
	f.andSearch("c.search", q)
	if total, err = t.total(countCredentials, credentialRows, &f, p); err != nil {
		return nil, 0, err
	}
	query := "SELECT " + credentialColumns + " " + credentialRows + scoped(f.page(p, "c.created_at", "c.id"))
	err = t.rows(query, f.args, func(r *sql.Rows) error {
		c := new(promptrails.Credential)
		page = append(page, c)
		return r.Scan(credentialFields(c)...)
	})
	return page, total, err
}

// Credential returns the credential with that id, without its value.
func (t *Tx) Credential(id string) (*promptrails.Credential, error) {
	c := new(promptrails.Credential)
	return c, t.row("SELECT "+credentialColumns+" "+credentialRows+" AND c.id = $2", []any{id}, credentialFields(c)...)
}

// DefaultCredential returns the default credential of a type.
func (t *Tx) DefaultCredential(kind promptrails.CredentialType) (*promptrails.Credential, error) {
	c := new(promptrails.Credential)
	return c, t.row("SELECT "+credentialColumns+" "+credentialRows+" AND c.type = $2 AND c.is_default = 1", []any{string(kind)}, credentialFields(c)...)
}

// CredentialValue returns the sealed value of a credential.
func (t *Tx) CredentialValue(id string) (sealed []byte, err error) {
	err = t.row("SELECT c.value "+credentialRows+" AND c.id = $2", []any{id}, &sealed)
	return sealed, err
}

// CreateCredential adds a credential with its sealed value.
func (t *Tx) CreateCredential(c *promptrails.Credential, sealed []byte) error {
	_, err := t.exec(`INSERT INTO credentials (workspace_id, id, name, search, type, category, description, value, masked_content, is_default, schema_type, version, created_at, updated_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)`,
		c.ID, c.Name, searchable(c.Name), string(c.Type), string(c.Category), c.Description, sealed, c.MaskedContent, flag(c.IsDefault), c.SchemaType,
		c.Version, micros(c.CreatedAt), micros(c.UpdatedAt))
	if err != nil {
		return err
	}
	return t.count(countCredentials, 1)
}

// UpdateCredential stores the mutable fields of a credential, except for its
// value.
func (t *Tx) UpdateCredential(c *promptrails.Credential) error {
	return affected(t.exec(`UPDATE credentials SET name = $3, search = $4, category = $5, description = $6, masked_content = $7, is_default = $8, schema_type = $9,
		is_valid = $10, version = $11, updated_at = $12 WHERE workspace_id = $1 AND id = $2`,
		c.ID, c.Name, searchable(c.Name), string(c.Category), c.Description, c.MaskedContent, flag(c.IsDefault), c.SchemaType,
		c.IsValid, c.Version, micros(c.UpdatedAt)))
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
