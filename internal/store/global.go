package store

import (
	"errors"
	"fmt"
	"slices"
	"strings"
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
	if len(idOrSlug) == idLength {
		err = g.row("SELECT id FROM workspaces WHERE id = $1", []any{idOrSlug}, &id)
		if !errors.Is(err, ErrNotFound) {
			return id, err
		}
	}
	err = g.row("SELECT workspace_id FROM workspace_slugs WHERE slug = $1 AND workspace_id IS NOT NULL", []any{idOrSlug}, &id)
	return id, err
}

// idLength is the length of an id.
const idLength = 27

// CreateWorkspace adds a workspace and returns the transaction bound to it. It
// returns ErrExists if the slug is in use, or was freed after a time.
func (g *Global) CreateWorkspace(w *promptrails.Workspace, genesis string, freedBefore time.Time) (*Tx, error) {
	n, err := g.exec(`INSERT INTO workspace_slugs (slug, workspace_id, freed_at) VALUES ($1, $2, 0)
		ON CONFLICT (slug) DO UPDATE SET workspace_id = excluded.workspace_id, freed_at = 0
		WHERE workspace_slugs.workspace_id IS NULL AND workspace_slugs.freed_at <= $3`, w.Slug, w.ID, micros(freedBefore))
	if err == nil && n == 0 {
		err = ErrExists
	}
	if err != nil {
		return nil, err
	}
	_, err = g.exec(`INSERT INTO workspaces (id, name, slug, plan, owner_id, version, created_at, updated_at, changelog_sequence, changelog_hash)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, $9)`,
		w.ID, w.Name, w.Slug, string(w.Plan), w.OwnerID, w.Version, micros(w.CreatedAt), micros(w.UpdatedAt), genesis)
	if err != nil {
		return nil, err
	}
	return g.Workspace(w.ID), nil
}

// freeSlug frees the slug of a workspace.
func (g *Global) freeSlug(slug, workspace string, at time.Time) error {
	return affected(g.exec("UPDATE workspace_slugs SET workspace_id = NULL, freed_at = $3 WHERE slug = $1 AND workspace_id = $2", slug, workspace, micros(at)))
}

// UserWorkspaces returns a page of a user's workspaces, each with the user's
// role, and the number of workspaces. The number is 0 if p has a cursor.
func (g *Global) UserWorkspaces(userID, role, q string, p Paging) (page []*promptrails.Workspace, total int, err error) {
	if q != "" {
		return g.searchWorkspaces(userID, role, q, p)
	}
	return g.workspacesOf(userID, role, p, func() (n int, err error) {
		err = g.row("SELECT workspace_count FROM users WHERE id = $1", []any{userID}, &n)
		return n, err
	})
}

// searchWorkspaces is UserWorkspaces for a search. It compares a bounded number of
// workspaces, because their names are in other tables than their order.
func (g *Global) searchWorkspaces(userID, role, q string, p Paging) (page []*promptrails.Workspace, total int, err error) {
	q = strings.ToLower(q)
	next := Paging{Limit: maxListed - 1, After: p.After}
	for scanned := 0; ; {
		some, _, err := g.workspacesOf(userID, role, next, nil)
		if err != nil {
			return nil, 0, err
		}
		for _, w := range some {
			if strings.Contains(searchable(w.Name, w.Slug), q) {
				if total++; total > p.Offset && len(page) <= p.Limit {
					page = append(page, w)
				}
			}
		}
		if len(some) < maxListed || p.After != nil && len(page) > p.Limit { // pages after a cursor have no total
			break
		}
		last := some[len(some)-1]
		next.After = &Position{At: micros(last.CreatedAt), ID: last.ID}
		if scanned += len(some); p.Bounds != nil && scanned >= p.Bounds.Scanned {
			more, _, err := g.workspacesOf(userID, role, Paging{After: next.After}, nil)
			switch {
			case err != nil:
				return nil, 0, err
			case len(more) == 0:
			case p.Offset > 0:
				return nil, 0, ErrTooFar
			default:
				total, p.Bounds.End = Uncounted, next.After
			}
			break
		}
	}
	if p.After != nil {
		total = 0
	}
	return page, total, nil
}

// workspacesOf returns a page of a user's workspaces. The look-up table has their
// order, and their ids find the workspaces. It is not trusted: the user must be a
// member.
func (g *Global) workspacesOf(userID, role string, p Paging, count func() (int, error)) (page []*promptrails.Workspace, total int, err error) {
	l := &list{rows: "FROM user_workspaces l WHERE l.user_id = $1", at: "l.workspace_created_at", id: "l.workspace_id", total: count}
	f := filter{base: 1}
	f.scanEqual("l.role", role)
	from, total, err := g.pageOf(userID, l, &f, p)
	if err != nil {
		return nil, 0, err
	}
	byID := map[string]*promptrails.Workspace{}
	args := []any{userID}
	var last Position
	err = g.rows("SELECT l.workspace_id, l.workspace_created_at "+from, append([]any{userID}, f.args...), func(r scanner) error {
		w := new(promptrails.Workspace)
		page = append(page, w)
		err := r.Scan(&w.ID, &last.At)
		last.ID = w.ID
		byID[w.ID] = w
		args = append(args, w.ID)
		return err
	})
	if err != nil || len(page) == 0 {
		return nil, total, err
	}
	query := "SELECT " + workspaceColumns + ", m.role FROM workspaces w JOIN members m ON m.workspace_id = w.id AND m.user_id = $1 WHERE w.id IN " + places(2, len(page))
	err = g.rows(query, args, func(r scanner) error {
		var w promptrails.Workspace
		err := r.Scan(append(workspaceFields(&w), &w.Role)...)
		*byID[w.ID] = w
		return err
	})
	found := len(page)
	page = slices.DeleteFunc(page, func(w *promptrails.Workspace) bool { return w.Slug == "" || role != "" && string(w.Role) != role })
	if omitted := found - len(page); err == nil && omitted > 0 && found > p.Limit {
		var more []*promptrails.Workspace
		more, _, err = g.workspacesOf(userID, role, Paging{Limit: omitted - 1, After: &last}, nil)
		page = append(page, more...)
	}
	return page, total, err
}

// InvitationByToken returns the workspace and the id of the invitation with that
// token hash.
func (g *Global) InvitationByToken(hash []byte) (workspaceID, id string, err error) {
	err = g.row("SELECT workspace_id, invitation_id FROM invitation_tokens WHERE hash = $1", []any{hash}, &workspaceID, &id)
	return workspaceID, id, err
}

// APIKeyByHash returns the key with that hash, with its status at now.
func (g *Global) APIKeyByHash(hash []byte, now time.Time) (*promptrails.APIKey, error) {
	place, err := g.keyPlace(hash)
	if err != nil {
		return nil, err
	}
	return g.Workspace(place.workspace).apiKeyByHash(place.id, hash, now)
}

// keyPlace returns the key that a hash finds. The key may have been deleted: it is read
// with its hash. A hash always finds the same key, so that one look-up is enough.
func (g *Global) keyPlace(hash []byte) (place keyPlace, err error) {
	place, known := g.keys.Get(string(hash))
	if known {
		return place, nil
	}
	err = g.row("SELECT workspace_id, key_id FROM api_key_hashes WHERE hash = $1", []any{hash}, &place.workspace, &place.id)
	if err == nil {
		g.keys.Add(string(hash), place)
	}
	return place, err
}

// CreateUser adds a user. It returns ErrExists if the email address is in use.
func (g *Global) CreateUser(u *promptrails.User, at time.Time) error {
	n, err := g.exec("INSERT INTO user_emails (email_key, user_id) VALUES ($1, $2) ON CONFLICT DO NOTHING", Fold(u.Email), u.ID)
	if err == nil && n == 0 {
		err = ErrExists
	}
	if err != nil {
		return err
	}
	return g.later("INSERT INTO users (id, email, name, created_at) VALUES ($1, $2, $3, $4)", u.ID, u.Email, u.Name, micros(at))
}

// RenameUser changes a user's name, also in the user's memberships.
func (g *Global) RenameUser(u *promptrails.User, name string) error {
	// Locks the user, so that no membership is added with the previous name.
	if err := affected(g.exec("UPDATE users SET name = $2 WHERE id = $1", u.ID, name)); err != nil {
		return err
	}
	var workspaces []string
	err := g.rows("SELECT workspace_id FROM user_workspaces WHERE user_id = $1 ORDER BY workspace_id", []any{u.ID}, func(r scanner) error {
		var id string
		err := r.Scan(&id)
		workspaces = append(workspaces, id)
		return err
	})
	if err != nil {
		return err
	}
	for _, id := range workspaces {
		err := g.later("UPDATE members SET name = $3, search = $4 WHERE workspace_id = $1 AND user_id = $2", id, u.ID, name, searchable(name, u.Email))
		if err != nil {
			return err
		}
	}
	return nil
}

// User returns the user with that id.
func (g *Global) User(id string) (*promptrails.User, error) {
	u := new(promptrails.User)
	return u, g.row("SELECT u.id, u.email, u.name FROM users u WHERE u.id = $1", []any{id}, &u.ID, &u.Email, &u.Name)
}

// Users returns up to n users after that id, in the order of their ids, which is that
// of their creation.
func (g *Global) Users(after string, n int) (users []*promptrails.User, err error) {
	err = g.rows("SELECT id, email, name FROM users WHERE id > $1 ORDER BY id LIMIT $2", []any{after, n}, func(r scanner) error {
		u := new(promptrails.User)
		users = append(users, u)
		return r.Scan(&u.ID, &u.Email, &u.Name)
	})
	return users, err
}

// UserByEmail returns the user with that email address.
func (g *Global) UserByEmail(email string) (*promptrails.User, error) {
	var id string
	if err := g.row("SELECT user_id FROM user_emails WHERE email_key = $1", []any{Fold(email)}, &id); err != nil {
		return nil, err
	}
	return g.User(id)
}

// UserByToken returns the user with that access token hash, and the time at which
// the token expires.
func (g *Global) UserByToken(hash []byte) (u *promptrails.User, expires time.Time, err error) {
	var id string
	if err := g.row("SELECT user_id, expires_at FROM access_tokens WHERE hash = $1", []any{hash}, &id, stamp{&expires}); err != nil {
		return nil, expires, err
	}
	u, err = g.User(id)
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

// Reserve begins the request with an idempotency key. If the key has an outcome that
// is younger than expired, Reserve returns it. Otherwise the key is reserved until
// the end of the transaction, and Finish stores its outcome: another transaction with
// the same key waits. The result is nil then.
func (g *Global) Reserve(k OutcomeKey, fingerprint []byte, at, expired time.Time) (*Outcome, error) {
	n, err := g.exec(`INSERT INTO outcomes (principal, workspace_id, key_hash, fingerprint, status, etag, secret, ends_right, created_at)
		VALUES ($1, $2, $3, $4, 0, '', 0, 0, $5)
		ON CONFLICT (principal, workspace_id, key_hash) DO UPDATE SET fingerprint = excluded.fingerprint, status = 0, etag = '', body = NULL,
			secret = 0, ends_right = 0, created_at = excluded.created_at WHERE outcomes.created_at <= $6`,
		k.Principal, k.Workspace, k.Hash, fingerprint, micros(at), micros(expired))
	if err != nil || n > 0 {
		return nil, err
	}
	return g.Outcome(k)
}

// Outcome returns the outcome with that key.
func (g *Global) Outcome(k OutcomeKey) (*Outcome, error) {
	o := new(Outcome)
	err := g.row("SELECT fingerprint, status, etag, body, secret, ends_right, created_at FROM outcomes WHERE principal = $1 AND workspace_id = $2 AND key_hash = $3",
		[]any{k.Principal, k.Workspace, k.Hash}, &o.Fingerprint, &o.Status, &o.ETag, &o.Body, switched[bool]{&o.Secret}, switched[bool]{&o.EndsRight}, stamp{&o.CreatedAt})
	return o, err
}

// Finish stores the outcome of a reserved key.
func (g *Global) Finish(k OutcomeKey, o *Outcome) error {
	return g.later("UPDATE outcomes SET status = $4, etag = $5, body = $6, secret = $7, ends_right = $8 WHERE principal = $1 AND workspace_id = $2 AND key_hash = $3",
		k.Principal, k.Workspace, k.Hash, o.Status, o.ETag, o.Body, flag(o.Secret), flag(o.EndsRight))
}

// ChannelRef identifies a channel with pending deliveries and the time of its
// next attempt.
type ChannelRef struct {
	Workspace, ID string
	At            time.Time
}

// DueChannels returns the channels with pending deliveries, the one with the
// earliest attempt first. It omits those that are claimed at now, and those of the
// workspaces in without.
func (g *Global) DueChannels(now time.Time, without []string, limit int) (found []ChannelRef, err error) {
	f := filter{}
	f.and("claimed_until <= ?", micros(now))
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

// PruneStep deletes rows or values of a kind.
type PruneStep struct {
	Rows string // the name of the kind in metrics
	Run  func(*Global) (rows int64, err error)
}

// Prune returns the steps that delete the rows and values that are past. Each is for
// a transaction of its own.
func Prune(p Past) (steps []PruneStep) {
	for _, s := range []struct {
		rows, statement string
		at              time.Time
	}{
		{"outcomes", "DELETE FROM outcomes WHERE created_at <= $1", p.Outcomes},
		{"outcome_secrets", "UPDATE outcomes SET body = NULL WHERE secret = 1 AND body IS NOT NULL AND created_at <= $1", p.Secrets},
		{"slugs", "DELETE FROM workspace_slugs WHERE workspace_id IS NULL AND freed_at <= $1", p.Slugs},
		{"deliveries", "DELETE FROM notification_deliveries WHERE created_at <= $1", p.Deliveries},
		{"channel_secrets", "UPDATE notification_channels SET previous_secret = NULL WHERE previous_secret IS NOT NULL AND previous_ends_at <= $1", p.Now},
	} {
		steps = append(steps, PruneStep{s.rows, func(g *Global) (int64, error) { return g.exec(s.statement, micros(s.at)) }})
	}
	return steps
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

// Replace stores a value that was sealed again. It does nothing if the value of the
// row has changed.
func (g *Global) Replace(c SealedColumn, row SealedRow, sealed []byte) error {
	_, err := g.Workspace(row.Workspace).exec(scoped(fmt.Sprintf("UPDATE %[1]s SET %[2]s = $3 WHERE workspace_id = $1 AND id = $2 AND %[2]s = $4", c.Table, c.Name)), row.ID, sealed, row.Value)
	return err
}

// SealedOutcome is the sealed body of an outcome.
type SealedOutcome struct {
	Key  OutcomeKey
	Body []byte
}

// StaleOutcomes returns at most limit sealed bodies of outcomes that do not begin
// with prefix.
func (g *Global) StaleOutcomes(prefix []byte, limit int) (rows []SealedOutcome, err error) {
	err = g.rows(`SELECT principal, workspace_id, key_hash, body FROM outcomes WHERE secret = 1 AND body IS NOT NULL AND substr(body, 1, $1) <> $2 LIMIT $3`,
		[]any{len(prefix), prefix, limit}, func(r scanner) error {
			rows = append(rows, SealedOutcome{})
			o := &rows[len(rows)-1]
			return r.Scan(&o.Key.Principal, &o.Key.Workspace, &o.Key.Hash, &o.Body)
		})
	return rows, err
}

// ReplaceOutcome stores a body that was sealed again, or deletes it if sealed is nil.
// It does nothing if the body has changed.
func (g *Global) ReplaceOutcome(o SealedOutcome, sealed []byte) error {
	_, err := g.exec("UPDATE outcomes SET body = $4 WHERE principal = $1 AND workspace_id = $2 AND key_hash = $3 AND body = $5",
		o.Key.Principal, o.Key.Workspace, o.Key.Hash, sealed, o.Body)
	return err
}

// MasterKeyProof is the name of a setting sealed under the master key. It is used
// to check that the master key is correct.
const MasterKeyProof = "master_key"

// Setting returns the value of a setting of the service.
func (g *Global) Setting(name string) (value []byte, err error) {
	err = g.row("SELECT value FROM settings WHERE name = $1", []any{name}, &value)
	return value, err
}

// CreateSetting stores the value of a setting, unless it has one.
func (g *Global) CreateSetting(name string, value []byte) error {
	_, err := g.exec("INSERT INTO settings (name, value) VALUES ($1, $2) ON CONFLICT DO NOTHING", name, value)
	return err
}

// ReplaceSetting replaces a value of a setting.
func (g *Global) ReplaceSetting(name string, previous, value []byte) error {
	return affected(g.exec("UPDATE settings SET value = $3 WHERE name = $1 AND value = $2", name, previous, value))
}

// Activity is the time at which a member or a key was last used.
type Activity struct {
	Workspace     string
	UserID, KeyID string // one of them is set
	At            time.Time
	IP            string // only for a key
}

// Touch stores when members and keys of a workspace were last used.
func (g *Global) Touch(seen []Activity) error {
	for _, a := range seen {
		x := g.Workspace(a.Workspace)
		if a.KeyID != "" {
			if err := x.later("UPDATE api_keys SET last_used_at = $3, last_used_ip = $4 WHERE workspace_id = $1 AND id = $2 AND last_used_at <= $3", a.KeyID, micros(a.At), a.IP); err != nil {
				return err
			}
			continue
		}
		if err := x.later("UPDATE members SET last_active_at = $3 WHERE workspace_id = $1 AND user_id = $2 AND last_active_at < $3", a.UserID, micros(a.At)); err != nil {
			return err
		}
	}
	return nil
}
