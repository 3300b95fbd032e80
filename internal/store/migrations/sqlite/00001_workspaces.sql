-- +goose Up

-- People and their access tokens belong to no workspace.
CREATE TABLE users (
    id              TEXT PRIMARY KEY,
    email           TEXT NOT NULL,
    email_key       TEXT NOT NULL UNIQUE, -- ASCII letters folded
    name            TEXT NOT NULL,
    search          TEXT NOT NULL,        -- name and email, folded
    workspace_count INTEGER NOT NULL DEFAULT 0,
    created_at      INTEGER NOT NULL
) STRICT;

CREATE TABLE access_tokens (
    id         TEXT PRIMARY KEY,
    user_id    TEXT NOT NULL REFERENCES users (id),
    hash       BLOB NOT NULL UNIQUE, -- SHA-256
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL      -- 0: no end
) STRICT;
CREATE INDEX access_tokens_user ON access_tokens (user_id, created_at, id);

-- Every time is in microseconds since 1970, UTC; 0 is a time that is not set.
CREATE TABLE workspaces (
    id                 TEXT PRIMARY KEY,
    name               TEXT NOT NULL,
    slug               TEXT NOT NULL UNIQUE,
    search             TEXT NOT NULL, -- name and slug, folded
    plan               TEXT NOT NULL,
    owner_id           TEXT NOT NULL REFERENCES users (id),
    version            INTEGER NOT NULL,
    created_at         INTEGER NOT NULL,
    updated_at         INTEGER NOT NULL,
    changelog_sequence INTEGER NOT NULL,
    changelog_hash     TEXT NOT NULL
) STRICT;

CREATE TABLE freed_slugs (
    slug     TEXT PRIMARY KEY,
    freed_at INTEGER NOT NULL
) STRICT;

-- How many rows of a kind a workspace has, so that no list counts them.
CREATE TABLE counters (
    workspace_id TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    kind         TEXT NOT NULL,
    n            INTEGER NOT NULL CHECK (n >= 0),
    PRIMARY KEY (workspace_id, kind)
) STRICT;

CREATE TABLE members (
    workspace_id         TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    id                   TEXT NOT NULL,
    user_id              TEXT NOT NULL REFERENCES users (id),
    role                 TEXT NOT NULL CHECK (role IN ('owner', 'admin', 'user')),
    last_active_at       INTEGER NOT NULL DEFAULT 0,
    version              INTEGER NOT NULL,
    joined_at            INTEGER NOT NULL,
    workspace_created_at INTEGER NOT NULL, -- for the list of a person's workspaces
    PRIMARY KEY (workspace_id, id),
    UNIQUE (workspace_id, user_id)
) STRICT;
CREATE UNIQUE INDEX members_owner ON members (workspace_id) WHERE role = 'owner';
CREATE INDEX members_joined ON members (workspace_id, joined_at, id);
CREATE INDEX members_user ON members (user_id, workspace_created_at, workspace_id);

CREATE TABLE invitations (
    workspace_id TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    id           TEXT NOT NULL,
    email        TEXT NOT NULL,
    email_key    TEXT NOT NULL,
    role         TEXT NOT NULL CHECK (role IN ('admin', 'user')),
    status       TEXT NOT NULL CHECK (status IN ('pending', 'accepted', 'revoked')),
    invited_by   TEXT NOT NULL,
    token_hash   BLOB NOT NULL UNIQUE, -- SHA-256
    expires_at   INTEGER NOT NULL,
    version      INTEGER NOT NULL,
    created_at   INTEGER NOT NULL,
    PRIMARY KEY (workspace_id, id)
) STRICT;
CREATE INDEX invitations_created ON invitations (workspace_id, created_at, id);
CREATE INDEX invitations_pending ON invitations (workspace_id, email_key, expires_at) WHERE status = 'pending';

CREATE TABLE changelog (
    workspace_id  TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    sequence      INTEGER NOT NULL,
    id            TEXT NOT NULL,
    occurred_at   INTEGER NOT NULL,
    action        TEXT NOT NULL,
    resource_type TEXT NOT NULL,
    resource_id   TEXT NOT NULL,
    actor_type    TEXT NOT NULL,
    actor_id      TEXT NOT NULL,
    document      TEXT NOT NULL, -- as it is served
    PRIMARY KEY (workspace_id, sequence),
    UNIQUE (workspace_id, id)
) STRICT;
CREATE INDEX changelog_resource ON changelog (workspace_id, resource_id, sequence);
CREATE INDEX changelog_type ON changelog (workspace_id, resource_type, sequence);
CREATE INDEX changelog_actor ON changelog (workspace_id, actor_id, sequence);
CREATE INDEX changelog_occurred ON changelog (workspace_id, occurred_at, sequence);

-- What an idempotency key stands for. It outlives the workspace, so that the
-- deletion of one can be repeated.
CREATE TABLE outcomes (
    principal    TEXT NOT NULL,
    workspace_id TEXT NOT NULL,
    key_hash     BLOB NOT NULL,    -- SHA-256 of the Idempotency-Key
    fingerprint  BLOB NOT NULL,    -- HMAC of method, path, query and body
    status       INTEGER NOT NULL,
    etag         TEXT NOT NULL,
    body         BLOB,             -- NULL where a secret one is gone
    secret       INTEGER NOT NULL, -- 1: body is sealed
    ends_right   INTEGER NOT NULL, -- 1: it took away the right to repeat it
    created_at   INTEGER NOT NULL,
    PRIMARY KEY (principal, workspace_id, key_hash)
) STRICT;
CREATE INDEX outcomes_created ON outcomes (created_at);

-- One row: the master key's proof.
CREATE TABLE settings (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT;
