-- +goose Up

CREATE TABLE api_keys (
    workspace_id    TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    id              TEXT NOT NULL,
    name            TEXT NOT NULL,
    hash            BLOB NOT NULL UNIQUE, -- SHA-256
    prefix          TEXT NOT NULL,
    last4           TEXT NOT NULL,
    scopes          TEXT NOT NULL,        -- JSON
    allowed_ips     TEXT NOT NULL,        -- JSON; null: from anywhere
    allowed_origins TEXT NOT NULL,        -- JSON; null: from anywhere
    expires_at      INTEGER NOT NULL,
    last_used_at    INTEGER NOT NULL DEFAULT 0,
    rotated_to      TEXT NOT NULL,
    overlap_ends_at INTEGER NOT NULL,
    created_by      TEXT NOT NULL,
    version         INTEGER NOT NULL,
    created_at      INTEGER NOT NULL,
    revoked_at      INTEGER NOT NULL,
    PRIMARY KEY (workspace_id, id)
) STRICT;
CREATE INDEX api_keys_created ON api_keys (workspace_id, created_at, id);
CREATE INDEX api_keys_creator ON api_keys (workspace_id, created_by, created_at, id);
