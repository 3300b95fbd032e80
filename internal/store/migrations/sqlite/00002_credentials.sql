-- +goose Up

CREATE TABLE credentials (
    workspace_id   TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    id             TEXT NOT NULL,
    name           TEXT NOT NULL,
    search         TEXT NOT NULL, -- the name, folded
    type           TEXT NOT NULL,
    category       TEXT NOT NULL,
    description    TEXT NOT NULL,
    value          BLOB NOT NULL, -- sealed
    masked_content TEXT NOT NULL,
    is_default     INTEGER NOT NULL,
    schema_type    TEXT NOT NULL,
    is_valid       INTEGER,       -- NULL: not known
    version        INTEGER NOT NULL,
    created_at     INTEGER NOT NULL,
    updated_at     INTEGER NOT NULL,
    PRIMARY KEY (workspace_id, id)
) STRICT;
CREATE INDEX credentials_created ON credentials (workspace_id, created_at, id);
CREATE INDEX credentials_type ON credentials (workspace_id, type, created_at, id);
CREATE INDEX credentials_category ON credentials (workspace_id, category, created_at, id);
CREATE UNIQUE INDEX credentials_default ON credentials (workspace_id, type) WHERE is_default = 1;
