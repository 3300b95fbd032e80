package store

import (
	"fmt"
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
)

// The queries in this file are not limited to one workspace: users and their
// tokens, slugs, outcomes, and the look-ups that find a workspace.

// Workspace returns the transaction bound to a workspace. It does not check that
// the workspace exists: a workspace that does not exist has no rows.
func (g *Global) Workspace(id string) *Tx { return &Tx{global: g, workspace: id} }

// WorkspaceID returns the id of the workspace with that id or slug.
func (g *Global) WorkspaceID(idOrSlug string) (id string, err error) {
	err = g.row("SELECT id FROM workspaces WHERE id = $1 OR slug = $1 ORDER BY id = $1 DESC", []any{idOrSlug}, &id)
	return id, err
}

// CreateWorkspace adds a workspace and returns the transaction bound to it. It
// returns ErrExists if the slug is in use.
func (g *Global) CreateWorkspace(w *promptrails.Workspace, genesis string) (*Tx, error) {
	_, err := g.exec(`INSERT INTO workspaces (id, name, slug, search, plan, owner_id, version, created_at, updated_at, changelog_sequence, changelog_hash)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, $10)`,
		w.ID, w.Name, w.Slug, searchable(w.Name, w.Slug), string(w.Plan), w.OwnerID, w.Version, micros(w.CreatedAt), micros(w.UpdatedAt), genesis)
	if err != nil {
		return nil, err
	}
	return &Tx{global: g, workspace: w.ID}, nil
}

// SlugFreedSince reports whether a slug was freed after a time.
func (g *Global) SlugFreedSince(slug string, since time.Time) (bool, error) {
	var n int
	err := g.row("SELECT count(*) FROM freed_slugs WHERE slug = $1 AND freed_at > $2", []any{slug, micros(since)}, &n)
	return n > 0, err
}

// FreeSlug records that a slug was freed.
func (g *Global) FreeSlug(slug string, at time.Time) error {
	_, err := g.exec("INSERT INTO freed_slugs (slug, freed_at) VALUES ($1, $2) ON CONFLICT (slug) DO UPDATE SET freed_at = excluded.freed_at", slug, micros(at))
	return err
}

// UserWorkspaces returns a page of a user's workspaces, each with the user's
// role, and the number of workspaces. The number is 0 if p has a cursor.
func (g *Global) UserWorkspaces(userID, role, q string, p Paging) (page []*promptrails.Workspace, total int, err error) {
	f := filter{base: 1}
	f.andText("m.role = ?", role)
	f.andSearch("w.search", q)
	switch {
	case p.After != nil: // pages after a cursor have no total
	case f.narrowed():
		err = g.row("SELECT count(*) FROM members m JOIN workspaces w ON w.id = m.workspace_id WHERE m.user_id = $1"+f.sql.String(), append([]any{userID}, f.args...), &total)
	default:
		err = g.row("SELECT workspace_count FROM users WHERE id = $1", []any{userID}, &total)
	}
	if err != nil {
		return nil, 0, err
	}
	query := "SELECT " + workspaceColumns + ", m.role FROM members m JOIN workspaces w ON w.id = m.workspace_id WHERE m.user_id = $1" +
		f.page(p, "m.workspace_created_at", "m.workspace_id")
	err = g.rows(query, append([]any{userID}, f.args...), func(r scanner) error {
		w := new(promptrails.Workspace)
		page = append(page, w)
		return r.Scan(append(workspaceFields(w), &w.Role)...)
	})
	return page, total, err
}

// InvitationByToken returns the workspace and the id of the invitation with that
// token hash.
func (g *Global) InvitationByToken(hash []byte) (workspaceID, id string, err error) {
	err = g.row("SELECT workspace_id, id FROM invitations WHERE token_hash = $1", []any{hash}, &workspaceID, &id)
	return workspaceID, id, err
}

// APIKeyByHash returns the key with that hash, with its status at now.
func (g *Global) APIKeyByHash(hash []byte, now time.Time) (*promptrails.APIKey, error) {
	k := new(promptrails.APIKey)
	err := g.row("SELECT "+string(apiKeyColumns)+" FROM api_keys k WHERE k.hash = $1", []any{hash}, apiKeyFields(k)...)
	keyAt(k, now)
	return k, err
}

// countWorkspace adds to the number of a user's workspaces.
func (g *Global) countWorkspace(userID string, by int) error {
	return affected(g.exec("UPDATE users SET workspace_count = workspace_count + $2 WHERE id = $1", userID, by))
}

// CreateUser adds a user. It returns ErrExists if the email address is in use.
func (g *Global) CreateUser(u *promptrails.User, at time.Time) error {
	_, err := g.exec("INSERT INTO users (id, email, email_key, name, search, created_at) VALUES ($1, $2, $3, $4, $5, $6)",
		u.ID, u.Email, Fold(u.Email), u.Name, searchable(u.Name, u.Email), micros(at))
	return err
}

// RenameUser changes a user's name.
func (g *Global) RenameUser(u *promptrails.User, name string) error {
	return affected(g.exec("UPDATE users SET name = $2, search = $3 WHERE id = $1", u.ID, name, searchable(name, u.Email)))
}

const userColumns = "u.id, u.email, u.name"

// User returns the user with that id.
func (g *Global) User(id string) (*promptrails.User, error) {
	u := new(promptrails.User)
	return u, g.row("SELECT "+userColumns+" FROM users u WHERE u.id = $1", []any{id}, &u.ID, &u.Email, &u.Name)
}

// UserByEmail returns the user with that email address.
func (g *Global) UserByEmail(email string) (*promptrails.User, error) {
	u := new(promptrails.User)
	return u, g.row("SELECT "+userColumns+" FROM users u WHERE u.email_key = $1", []any{Fold(email)}, &u.ID, &u.Email, &u.Name)
}

// UserByToken returns the user with that access token hash, and the time at which
// the token expires.
func (g *Global) UserByToken(hash []byte) (*promptrails.User, time.Time, error) {
	u := new(promptrails.User)
	var expires time.Time
	err := g.row("SELECT "+userColumns+", t.expires_at FROM access_tokens t JOIN users u ON u.id = t.user_id WHERE t.hash = $1",
		[]any{hash}, &u.ID, &u.Email, &u.Name, stamp{&expires})
	return u, expires, err
}

// AccessToken describes an access token. It does not contain the token.
type AccessToken struct {
	ID                   string
	CreatedAt, ExpiresAt time.Time
}

// CreateAccessToken adds a token. Only its hash is stored.
func (g *Global) CreateAccessToken(userID string, t *AccessToken, hash []byte) error {
	_, err := g.exec("INSERT INTO access_tokens (id, user_id, hash, created_at, expires_at) VALUES ($1, $2, $3, $4, $5)",
		t.ID, userID, hash, micros(t.CreatedAt), micros(t.ExpiresAt))
	return err
}

// AccessTokens returns a user's tokens, newest first.
func (g *Global) AccessTokens(userID string) (tokens []*AccessToken, err error) {
	err = g.rows("SELECT id, created_at, expires_at FROM access_tokens WHERE user_id = $1 ORDER BY created_at DESC, id DESC", []any{userID}, func(r scanner) error {
		t := new(AccessToken)
		tokens = append(tokens, t)
		return r.Scan(&t.ID, stamp{&t.CreatedAt}, stamp{&t.ExpiresAt})
	})
	return tokens, err
}

// DeleteAccessToken deletes a token.
func (g *Global) DeleteAccessToken(id string) error {
	return affected(g.exec("DELETE FROM access_tokens WHERE id = $1", id))
}

// OutcomeKey identifies an outcome: the hash of an idempotency key, scoped to a
// principal and a workspace.
type OutcomeKey struct {
	Principal, Workspace string
	Hash                 []byte
}

// Outcome is the stored response of a request with an idempotency key.
type Outcome struct {
	Fingerprint []byte
	Status      int
	ETag        string
	Body        []byte // nil if it was secret and has been deleted
	Secret      bool   // Body is sealed
	EndsRight   bool   // the request revoked the caller's right to repeat it
	CreatedAt   time.Time
}

// Outcome returns the outcome with that key.
func (g *Global) Outcome(k OutcomeKey) (*Outcome, error) {
	o := new(Outcome)
	err := g.row("SELECT fingerprint, status, etag, body, secret, ends_right, created_at FROM outcomes WHERE principal = $1 AND workspace_id = $2 AND key_hash = $3",
		[]any{k.Principal, k.Workspace, k.Hash}, &o.Fingerprint, &o.Status, &o.ETag, &o.Body, &o.Secret, &o.EndsRight, stamp{&o.CreatedAt})
	return o, err
}

// SaveOutcome stores an outcome. It replaces an earlier one with the same key.
func (g *Global) SaveOutcome(k OutcomeKey, o *Outcome) error {
	_, err := g.exec(`INSERT INTO outcomes (principal, workspace_id, key_hash, fingerprint, status, etag, body, secret, ends_right, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
		ON CONFLICT (principal, workspace_id, key_hash) DO UPDATE SET fingerprint = excluded.fingerprint, status = excluded.status,
			etag = excluded.etag, body = excluded.body, secret = excluded.secret, ends_right = excluded.ends_right, created_at = excluded.created_at`,
		k.Principal, k.Workspace, k.Hash, o.Fingerprint, o.Status, o.ETag, o.Body, flag(o.Secret), flag(o.EndsRight), micros(o.CreatedAt))
	return err
}

// ChannelRef identifies a channel with pending deliveries and the time of its
// next attempt.
type ChannelRef struct {
	Workspace, ID string
	At            time.Time
}

// DueChannels returns the channels with pending deliveries, the one with the
// earliest attempt first. It omits the channels of the workspaces in without.
func (g *Global) DueChannels(without []string, limit int) (found []ChannelRef, err error) {
	f := filter{}
	for _, workspace := range without {
		f.and("workspace_id <> ?", workspace)
	}
	query := "SELECT workspace_id, id, next_attempt_at FROM notification_channels WHERE next_attempt_at > 0" + f.sql.String() + " ORDER BY next_attempt_at" + f.limit(Paging{Limit: limit})
	err = g.rows(query, f.args, func(r scanner) error {
		found = append(found, ChannelRef{})
		c := &found[len(found)-1]
		return r.Scan(&c.Workspace, &c.ID, stamp{&c.At})
	})
	return found, err
}

// Past holds the times up to which, inclusive, rows are deleted.
type Past struct {
	Outcomes   time.Time
	Secrets    time.Time // the secret bodies of outcomes
	Slugs      time.Time // freed slugs
	Deliveries time.Time
	Now        time.Time // expired previous secrets of channels
}

// Prune deletes the rows and values that are past.
func (g *Global) Prune(p Past) error {
	for _, s := range []struct {
		statement string
		at        time.Time
	}{
		{"DELETE FROM outcomes WHERE created_at <= $1", p.Outcomes},
		{"UPDATE outcomes SET body = NULL WHERE secret = 1 AND body IS NOT NULL AND created_at <= $1", p.Secrets},
		{"DELETE FROM freed_slugs WHERE freed_at <= $1", p.Slugs},
		{"DELETE FROM notification_deliveries WHERE created_at <= $1", p.Deliveries},
		{"UPDATE notification_channels SET previous_secret = NULL WHERE previous_secret IS NOT NULL AND previous_ends_at <= $1", p.Now},
	} {
		if _, err := g.exec(s.statement, micros(s.at)); err != nil {
			return err
		}
	}
	return nil
}

// SealedColumn is a column with sealed values.
type SealedColumn struct{ Table, Name string }

// SealedColumns returns the columns with sealed values, except for the bodies of
// outcomes and the master key proof.
func SealedColumns() []SealedColumn {
	return []SealedColumn{
		{"credentials", "value"},
		{"notification_channels", "url"},
		{"notification_channels", "secret"},
		{"notification_channels", "previous_secret"},
	}
}

// SealedRow is a sealed value and the row that it is stored in.
type SealedRow struct {
	Workspace, ID string
	Value         []byte
}

// Stale returns the values of a column that do not begin with prefix, which means
// that they are sealed under another master key. It starts after the row after
// and returns at most limit rows.
func (g *Global) Stale(c SealedColumn, prefix []byte, after SealedRow, limit int) (rows []SealedRow, err error) {
	err = g.rows(fmt.Sprintf(`SELECT workspace_id, id, %[2]s FROM %[1]s WHERE (workspace_id, id) > ($1, $2) AND substr(%[2]s, 1, $3) <> $4
		ORDER BY workspace_id, id LIMIT $5`, c.Table, c.Name), []any{after.Workspace, after.ID, len(prefix), prefix, limit}, func(r scanner) error {
		rows = append(rows, SealedRow{})
		row := &rows[len(rows)-1]
		return r.Scan(&row.Workspace, &row.ID, &row.Value)
	})
	return rows, err
}

// Replace stores a value that was sealed again.
func (g *Global) Replace(c SealedColumn, row SealedRow) error {
	return affected(g.exec(fmt.Sprintf("UPDATE %s SET %s = $3 WHERE workspace_id = $1 AND id = $2", c.Table, c.Name), row.Workspace, row.ID, row.Value))
}

// StaleOutcomes returns the keys of at most limit outcomes with a sealed body
// that does not begin with prefix.
func (g *Global) StaleOutcomes(prefix []byte, limit int) (rows []OutcomeKey, err error) {
	err = g.rows(`SELECT principal, workspace_id, key_hash FROM outcomes WHERE secret = 1 AND body IS NOT NULL AND substr(body, 1, $1) <> $2 LIMIT $3`,
		[]any{len(prefix), prefix, limit}, func(r scanner) error {
			rows = append(rows, OutcomeKey{})
			k := &rows[len(rows)-1]
			return r.Scan(&k.Principal, &k.Workspace, &k.Hash)
		})
	return rows, err
}

// MasterKeyProof is the name of a setting sealed under the master key. It is used
// to check that the master key is correct.
const MasterKeyProof = "master_key"

// Setting returns the value of a setting of the service.
func (g *Global) Setting(name string) (value []byte, err error) {
	err = g.row("SELECT value FROM settings WHERE name = $1", []any{name}, &value)
	return value, err
}

// SetSetting stores the value of a setting.
func (g *Global) SetSetting(name string, value []byte) error {
	_, err := g.exec("INSERT INTO settings (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value", name, value)
	return err
}

// Activity is the time at which a member or a key was last used.
type Activity struct {
	Workspace     string
	UserID, KeyID string // one of them is set
	At            time.Time
	IP            string // only for a key
}

// Touch stores when members and keys were last used.
func (g *Global) Touch(seen []Activity) error {
	for _, a := range seen {
		if a.KeyID != "" {
			if _, err := g.exec("UPDATE api_keys SET last_used_at = $3, last_used_ip = $4 WHERE workspace_id = $1 AND id = $2 AND last_used_at <= $3", a.Workspace, a.KeyID, micros(a.At), a.IP); err != nil {
				return err
			}
			continue
		}
		if _, err := g.exec("UPDATE members SET last_active_at = $3 WHERE workspace_id = $1 AND user_id = $2 AND last_active_at < $3", a.Workspace, a.UserID, micros(a.At)); err != nil {
			return err
		}
	}
	return nil
}
