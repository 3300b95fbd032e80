-- +goose Up

ALTER TABLE workspaces ADD COLUMN subscription_version INTEGER NOT NULL DEFAULT 1;
ALTER TABLE workspaces ADD COLUMN subscription_updated_at INTEGER NOT NULL DEFAULT 0; -- 0: with the workspace
ALTER TABLE workspaces ADD COLUMN invoiced_until INTEGER NOT NULL DEFAULT 0;          -- 0: nothing yet
ALTER TABLE workspaces ADD COLUMN balance_micros INTEGER NOT NULL DEFAULT 0;
ALTER TABLE workspaces ADD COLUMN balance_updated_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE workspaces ADD COLUMN transaction_sequence INTEGER NOT NULL DEFAULT 0;

CREATE TABLE invoices (
    workspace_id TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    id           TEXT NOT NULL,
    number       TEXT NOT NULL,
    status       TEXT NOT NULL,
    lines        TEXT NOT NULL,    -- JSON
    total        INTEGER NOT NULL, -- US cents
    period_start INTEGER NOT NULL,
    period_end   INTEGER NOT NULL,
    issued_at    INTEGER NOT NULL,
    paid_at      INTEGER NOT NULL,
    PRIMARY KEY (workspace_id, id),
    UNIQUE (workspace_id, number)
) STRICT;
CREATE INDEX invoices_issued ON invoices (workspace_id, issued_at, id);
CREATE INDEX invoices_status ON invoices (workspace_id, status, issued_at, id);

CREATE TABLE transactions (
    workspace_id         TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    sequence             INTEGER NOT NULL,
    id                   TEXT NOT NULL,
    type                 TEXT NOT NULL,
    amount_micros        INTEGER NOT NULL,
    balance_after_micros INTEGER NOT NULL,
    description          TEXT NOT NULL,
    execution_id         TEXT NOT NULL,
    created_at           INTEGER NOT NULL,
    PRIMARY KEY (workspace_id, sequence),
    UNIQUE (workspace_id, id)
) STRICT;

-- That a limit was 80 or 100 per cent used, once in a period.
CREATE TABLE usage_crossings (
    workspace_id TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    limit_key    TEXT NOT NULL,
    percent      INTEGER NOT NULL,
    period_start INTEGER NOT NULL,
    crossed_at   INTEGER NOT NULL,
    PRIMARY KEY (workspace_id, limit_key, percent, period_start)
) STRICT;
