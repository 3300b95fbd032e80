-- +goose Up

CREATE TABLE data_masking (
    workspace_id TEXT PRIMARY KEY REFERENCES workspaces (id) ON DELETE CASCADE,
    enabled      INTEGER NOT NULL,
    detectors    TEXT NOT NULL, -- JSON; what is not named is on
    version      INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL
) STRICT;

CREATE TABLE masking_overrides (
    workspace_id TEXT NOT NULL,
    agent_id     TEXT NOT NULL,
    enabled      INTEGER NOT NULL,
    detectors    TEXT NOT NULL, -- JSON; what is not named is on
    version      INTEGER NOT NULL,
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL,
    PRIMARY KEY (workspace_id, agent_id),
    FOREIGN KEY (workspace_id, agent_id) REFERENCES resources (workspace_id, id) ON DELETE CASCADE
) STRICT;
CREATE INDEX masking_overrides_created ON masking_overrides (workspace_id, created_at, agent_id);
