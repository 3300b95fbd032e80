-- +goose Up

-- From here on, a key that is unique in all workspaces, or that finds a workspace, is
-- in a look-up table of its own. All other rows, keys and joins are within one
-- workspace, so that a distributed database can store each workspace in one place.

CREATE TABLE workspace_slugs (
    slug         TEXT PRIMARY KEY,
    workspace_id TEXT,            -- NULL: freed
    freed_at     INTEGER NOT NULL -- 0: in use
) STRICT, WITHOUT ROWID;
INSERT INTO workspace_slugs (slug, workspace_id, freed_at) SELECT slug, id, 0 FROM workspaces;
INSERT INTO workspace_slugs (slug, workspace_id, freed_at) SELECT slug, NULL, freed_at FROM freed_slugs WHERE true ON CONFLICT DO NOTHING;
DROP TABLE freed_slugs;

CREATE TABLE api_key_hashes (
    hash         BLOB PRIMARY KEY, -- SHA-256
    workspace_id TEXT NOT NULL,
    key_id       TEXT NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO api_key_hashes (hash, workspace_id, key_id) SELECT hash, workspace_id, id FROM api_keys;

CREATE TABLE invitation_tokens (
    hash          BLOB PRIMARY KEY, -- SHA-256
    workspace_id  TEXT NOT NULL,
    invitation_id TEXT NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO invitation_tokens (hash, workspace_id, invitation_id) SELECT token_hash, workspace_id, id FROM invitations;

CREATE TABLE user_emails (
    email_key TEXT PRIMARY KEY, -- ASCII letters folded
    user_id   TEXT NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO user_emails (email_key, user_id) SELECT email_key, id FROM users;

CREATE TABLE user_workspaces (
    user_id              TEXT NOT NULL,
    workspace_id         TEXT NOT NULL,
    workspace_created_at INTEGER NOT NULL,
    role                 TEXT NOT NULL,
    PRIMARY KEY (user_id, workspace_id)
) STRICT, WITHOUT ROWID;
INSERT INTO user_workspaces (user_id, workspace_id, workspace_created_at, role) SELECT user_id, workspace_id, workspace_created_at, role FROM members;
CREATE INDEX user_workspaces_created ON user_workspaces (user_id, workspace_created_at, workspace_id, role);

-- Times are found without an index if they do not decrease.
DROP INDEX changelog_occurred;

-- The other tables are the same as before, without the constraints across
-- workspaces. Open turns foreign keys off for migrations.

CREATE TABLE new_access_tokens (
    hash       BLOB PRIMARY KEY, -- SHA-256
    id         TEXT NOT NULL,
    user_id    TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL -- 0: never
) STRICT, WITHOUT ROWID;
INSERT INTO new_access_tokens (hash, id, user_id, created_at, expires_at) SELECT hash, id, user_id, created_at, expires_at FROM access_tokens;
DROP TABLE access_tokens;
ALTER TABLE new_access_tokens RENAME TO access_tokens;
CREATE INDEX access_tokens_user ON access_tokens (user_id, created_at, id);
CREATE INDEX access_tokens_id ON access_tokens (id);

CREATE TABLE new_members (
    workspace_id   TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    id             TEXT NOT NULL,
    user_id        TEXT NOT NULL,
    email          TEXT NOT NULL, -- copy of the user's
    name           TEXT NOT NULL, -- copy of the user's
    search         TEXT NOT NULL, -- name and email, folded
    role           TEXT NOT NULL CHECK (role IN ('owner', 'admin', 'user')),
    last_active_at INTEGER NOT NULL DEFAULT 0,
    version        INTEGER NOT NULL,
    joined_at      INTEGER NOT NULL,
    PRIMARY KEY (workspace_id, id),
    UNIQUE (workspace_id, user_id)
) STRICT;
INSERT INTO new_members (workspace_id, id, user_id, email, name, search, role, last_active_at, version, joined_at)
SELECT m.workspace_id, m.id, m.user_id, u.email, u.name, u.search, m.role, m.last_active_at, m.version, m.joined_at FROM members m JOIN users u ON u.id = m.user_id;
DROP TABLE members;
ALTER TABLE new_members RENAME TO members;
CREATE UNIQUE INDEX members_owner ON members (workspace_id) WHERE role = 'owner';
CREATE INDEX members_joined ON members (workspace_id, joined_at, id);

CREATE TABLE new_users (
    id              TEXT PRIMARY KEY,
    email           TEXT NOT NULL,
    name            TEXT NOT NULL,
    workspace_count INTEGER NOT NULL DEFAULT 0,
    created_at      INTEGER NOT NULL
) STRICT;
INSERT INTO new_users (id, email, name, workspace_count, created_at) SELECT id, email, name, workspace_count, created_at FROM users;
DROP TABLE users;
ALTER TABLE new_users RENAME TO users;

CREATE TABLE new_workspaces (
    id                      TEXT PRIMARY KEY,
    name                    TEXT NOT NULL,
    slug                    TEXT NOT NULL,
    plan                    TEXT NOT NULL,
    owner_id                TEXT NOT NULL,
    version                 INTEGER NOT NULL,
    created_at              INTEGER NOT NULL,
    updated_at              INTEGER NOT NULL,
    changelog_sequence      INTEGER NOT NULL,
    changelog_hash          TEXT NOT NULL,
    changelog_at            INTEGER NOT NULL DEFAULT 0, -- of the newest entry; 0: none yet
    changelog_sorted        INTEGER NOT NULL DEFAULT 1, -- 0: the time of an entry is before that of the previous one
    subscribed_at           INTEGER NOT NULL DEFAULT 0, -- 0: with the workspace
    subscription_version    INTEGER NOT NULL DEFAULT 1,
    subscription_updated_at INTEGER NOT NULL DEFAULT 0, -- 0: with the workspace
    executions_period       INTEGER NOT NULL DEFAULT 0,
    executions_used         INTEGER NOT NULL DEFAULT 0,
    invoiced_until          INTEGER NOT NULL DEFAULT 0, -- 0: not yet
    paid_price              INTEGER NOT NULL DEFAULT 0, -- highest price paid up to invoiced_until, in US cents per month
    balance_micros          INTEGER NOT NULL DEFAULT 0,
    balance_updated_at      INTEGER NOT NULL DEFAULT 0,
    transaction_sequence    INTEGER NOT NULL DEFAULT 0,
    delivery_sequence       INTEGER NOT NULL DEFAULT 0
) STRICT;
INSERT INTO new_workspaces (id, name, slug, plan, owner_id, version, created_at, updated_at, changelog_sequence, changelog_hash, changelog_at, changelog_sorted,
    subscribed_at, subscription_version, subscription_updated_at, executions_period, executions_used, invoiced_until, paid_price,
    balance_micros, balance_updated_at, transaction_sequence, delivery_sequence)
SELECT id, name, slug, plan, owner_id, version, created_at, updated_at, changelog_sequence, changelog_hash,
    coalesce((SELECT c.occurred_at FROM changelog c WHERE c.workspace_id = w.id AND c.sequence = w.changelog_sequence), 0),
    NOT EXISTS (SELECT 1 FROM changelog c JOIN changelog p ON p.workspace_id = c.workspace_id AND p.sequence = c.sequence - 1
        WHERE c.workspace_id = w.id AND c.occurred_at < p.occurred_at),
    subscribed_at, subscription_version, subscription_updated_at, executions_period, executions_used, invoiced_until, paid_price,
    balance_micros, balance_updated_at, transaction_sequence, delivery_sequence FROM workspaces w;
DROP TABLE workspaces;
ALTER TABLE new_workspaces RENAME TO workspaces;

CREATE TABLE new_invitations (
    workspace_id TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    id           TEXT NOT NULL,
    email        TEXT NOT NULL,
    email_key    TEXT NOT NULL,
    role         TEXT NOT NULL CHECK (role IN ('admin', 'user')),
    status       TEXT NOT NULL CHECK (status IN ('pending', 'accepted', 'revoked')),
    invited_by   TEXT NOT NULL,
    token_hash   BLOB NOT NULL, -- SHA-256
    expires_at   INTEGER NOT NULL,
    version      INTEGER NOT NULL,
    created_at   INTEGER NOT NULL,
    PRIMARY KEY (workspace_id, id)
) STRICT;
INSERT INTO new_invitations (workspace_id, id, email, email_key, role, status, invited_by, token_hash, expires_at, version, created_at)
SELECT workspace_id, id, email, email_key, role, status, invited_by, token_hash, expires_at, version, created_at FROM invitations;
DROP TABLE invitations;
ALTER TABLE new_invitations RENAME TO invitations;
CREATE INDEX invitations_created ON invitations (workspace_id, created_at, id);
CREATE INDEX invitations_pending ON invitations (workspace_id, email_key, expires_at) WHERE status = 'pending';

CREATE TABLE new_api_keys (
    workspace_id    TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    id              TEXT NOT NULL,
    name            TEXT NOT NULL,
    key_hash        BLOB NOT NULL, -- SHA-256; earlier programs, which do not know api_key_hashes, cannot add keys
    prefix          TEXT NOT NULL,
    last4           TEXT NOT NULL,
    scopes          TEXT NOT NULL, -- JSON
    allowed_ips     TEXT NOT NULL, -- JSON; null: any address
    allowed_origins TEXT NOT NULL, -- JSON; null: any origin
    expires_at      INTEGER NOT NULL,
    last_used_at    INTEGER NOT NULL DEFAULT 0,
    last_used_ip    TEXT NOT NULL DEFAULT '',
    rotated_to      TEXT NOT NULL,
    overlap_ends_at INTEGER NOT NULL,
    created_by      TEXT NOT NULL,
    version         INTEGER NOT NULL,
    created_at      INTEGER NOT NULL,
    revoked_at      INTEGER NOT NULL,
    PRIMARY KEY (workspace_id, id)
) STRICT;
INSERT INTO new_api_keys (workspace_id, id, name, key_hash, prefix, last4, scopes, allowed_ips, allowed_origins, expires_at, last_used_at, last_used_ip,
    rotated_to, overlap_ends_at, created_by, version, created_at, revoked_at)
SELECT workspace_id, id, name, hash, prefix, last4, scopes, allowed_ips, allowed_origins, expires_at, last_used_at, last_used_ip,
    rotated_to, overlap_ends_at, created_by, version, created_at, revoked_at FROM api_keys;
DROP TABLE api_keys;
ALTER TABLE new_api_keys RENAME TO api_keys;
CREATE INDEX api_keys_created ON api_keys (workspace_id, created_at, id);
CREATE INDEX api_keys_creator ON api_keys (workspace_id, created_by, created_at, id);

-- One process at a time sends the deliveries of a channel.
ALTER TABLE notification_channels ADD COLUMN claimed_until INTEGER NOT NULL DEFAULT 0; -- 0: not claimed
ALTER TABLE notification_channels ADD COLUMN claim_token TEXT NOT NULL DEFAULT '';

-- The order of each list that is narrowed by one value.
CREATE INDEX members_role ON members (workspace_id, role, joined_at, id);
CREATE INDEX invitations_status ON invitations (workspace_id, status, created_at, id);
CREATE INDEX api_keys_expires ON api_keys (workspace_id, expires_at, id) WHERE expires_at > 0;
CREATE INDEX api_keys_used ON api_keys (workspace_id, last_used_at, id);
CREATE INDEX notification_deliveries_status ON notification_deliveries (workspace_id, channel_id, status, sequence);
