-- +goose Up

-- What belongs to a workspace beside what has a table of its own. A kind is its
-- collection's path; what is nested stands under its parent.
CREATE TABLE resources (
    workspace_id TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    id           TEXT NOT NULL,
    kind         TEXT NOT NULL,
    parent_id    TEXT,             -- NULL: not nested
    name         TEXT NOT NULL,
    search       TEXT NOT NULL,    -- the name, folded
    status       TEXT NOT NULL,
    created_by   TEXT NOT NULL,
    version      INTEGER NOT NULL,
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL,
    document     TEXT NOT NULL,    -- as it is served
    PRIMARY KEY (workspace_id, id),
    FOREIGN KEY (workspace_id, parent_id) REFERENCES resources (workspace_id, id) ON DELETE CASCADE
) STRICT;
CREATE INDEX resources_created ON resources (workspace_id, kind, coalesce(parent_id, ''), created_at, id);
CREATE INDEX resources_status ON resources (workspace_id, kind, coalesce(parent_id, ''), status, created_at, id);
CREATE INDEX resources_parent ON resources (workspace_id, parent_id) WHERE parent_id IS NOT NULL;

-- What the document of a resource names. What is named may be gone.
CREATE TABLE resource_references (
    workspace_id TEXT NOT NULL,
    from_id      TEXT NOT NULL,
    to_id        TEXT NOT NULL,
    PRIMARY KEY (workspace_id, from_id, to_id),
    FOREIGN KEY (workspace_id, from_id) REFERENCES resources (workspace_id, id) ON DELETE CASCADE
) STRICT;
CREATE INDEX resource_references_to ON resource_references (workspace_id, to_id, from_id);

-- The subscription's periods begin at this moment, and every month from it on;
-- what was executed is counted within one.
ALTER TABLE workspaces ADD COLUMN subscribed_at INTEGER NOT NULL DEFAULT 0; -- 0: with the workspace
ALTER TABLE workspaces ADD COLUMN executions_period INTEGER NOT NULL DEFAULT 0;
ALTER TABLE workspaces ADD COLUMN executions_used INTEGER NOT NULL DEFAULT 0;
