-- +goose Up

ALTER TABLE workspaces ADD COLUMN delivery_sequence INTEGER NOT NULL DEFAULT 0;

CREATE TABLE notification_channels (
    workspace_id     TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    id               TEXT NOT NULL,
    name             TEXT NOT NULL,
    type             TEXT NOT NULL,
    url              BLOB NOT NULL,    -- sealed
    shown_url        TEXT NOT NULL,    -- scheme and host
    events           TEXT NOT NULL,    -- JSON; empty: all
    is_active        INTEGER NOT NULL,
    paused_reason    TEXT NOT NULL,
    secret           BLOB,             -- sealed; NULL: it signs nothing
    previous_secret  BLOB,             -- sealed; signs until previous_ends_at
    previous_ends_at INTEGER NOT NULL DEFAULT 0,
    failing_since    INTEGER NOT NULL DEFAULT 0, -- 0: the last attempt was no failure
    next_attempt_at  INTEGER NOT NULL DEFAULT 0, -- of all its deliveries the earliest; 0: none
    version          INTEGER NOT NULL,
    created_at       INTEGER NOT NULL,
    updated_at       INTEGER NOT NULL,
    PRIMARY KEY (workspace_id, id)
) STRICT;
CREATE INDEX notification_channels_created ON notification_channels (workspace_id, created_at, id);
CREATE INDEX notification_channels_due ON notification_channels (next_attempt_at) WHERE next_attempt_at > 0;

CREATE TABLE notification_deliveries (
    workspace_id    TEXT NOT NULL,
    sequence        INTEGER NOT NULL,
    id              TEXT NOT NULL,
    channel_id      TEXT NOT NULL,
    webhook_id      TEXT NOT NULL,    -- that of the first delivery of the event over the channel
    event           TEXT NOT NULL,
    body            TEXT NOT NULL,    -- as it is sent
    status          TEXT NOT NULL CHECK (status IN ('pending', 'delivered', 'failed')),
    attempts        TEXT NOT NULL,    -- JSON
    next_attempt_at INTEGER NOT NULL, -- 0: no more
    created_at      INTEGER NOT NULL,
    PRIMARY KEY (workspace_id, sequence),
    UNIQUE (workspace_id, id),
    FOREIGN KEY (workspace_id, channel_id) REFERENCES notification_channels (workspace_id, id) ON DELETE CASCADE
) STRICT;
CREATE INDEX notification_deliveries_channel ON notification_deliveries (workspace_id, channel_id, sequence);
CREATE INDEX notification_deliveries_due ON notification_deliveries (workspace_id, channel_id, next_attempt_at, sequence) WHERE next_attempt_at > 0;
CREATE INDEX notification_deliveries_created ON notification_deliveries (created_at);
