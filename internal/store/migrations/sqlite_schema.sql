-- Written by: PROMPTRAILS_UPDATE_SCHEMA=1 go test ./internal/store -run TestSchemaOfNewDatabases

CREATE TABLE schema_versions (
		id INTEGER PRIMARY KEY AUTOINCREMENT,
		version_id INTEGER NOT NULL,
		is_applied INTEGER NOT NULL,
		tstamp TIMESTAMP DEFAULT (datetime('now'))
	);

CREATE TABLE counters (
    workspace_id TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    kind         TEXT NOT NULL,
    n            INTEGER NOT NULL CHECK (n >= 0),
    PRIMARY KEY (workspace_id, kind)
) STRICT;

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

CREATE TABLE settings (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT;

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
    document     TEXT NOT NULL, member_name TEXT, member_type TEXT, member_kind TEXT, member_agent_id TEXT, member_session_id TEXT, member_execution_id TEXT, member_trace_id TEXT, member_source TEXT, member_data_type TEXT, member_config_id TEXT,    -- as it is served
    PRIMARY KEY (workspace_id, id),
    FOREIGN KEY (workspace_id, parent_id) REFERENCES resources (workspace_id, id) ON DELETE CASCADE
) STRICT;

CREATE INDEX resources_created ON resources (workspace_id, kind, coalesce(parent_id, ''), created_at, id);

CREATE INDEX resources_status ON resources (workspace_id, kind, coalesce(parent_id, ''), status, created_at, id);

CREATE INDEX resources_parent ON resources (workspace_id, parent_id) WHERE parent_id IS NOT NULL;

CREATE TABLE resource_references (
    workspace_id TEXT NOT NULL,
    from_id      TEXT NOT NULL,
    to_id        TEXT NOT NULL,
    PRIMARY KEY (workspace_id, from_id, to_id),
    FOREIGN KEY (workspace_id, from_id) REFERENCES resources (workspace_id, id) ON DELETE CASCADE
) STRICT;

CREATE INDEX resource_references_to ON resource_references (workspace_id, to_id, from_id);

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

CREATE TABLE usage_crossings (
    workspace_id TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    limit_key    TEXT NOT NULL,
    percent      INTEGER NOT NULL,
    period_start INTEGER NOT NULL,
    crossed_at   INTEGER NOT NULL,
    PRIMARY KEY (workspace_id, limit_key, percent, period_start)
) STRICT;

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
    updated_at       INTEGER NOT NULL, claimed_until INTEGER NOT NULL DEFAULT 0, claim_token TEXT NOT NULL DEFAULT '',
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

CREATE INDEX resources_name ON resources (workspace_id, kind, member_name, created_at, id) WHERE member_name IS NOT NULL;

CREATE INDEX resources_type ON resources (workspace_id, kind, member_type, created_at, id) WHERE member_type IS NOT NULL;

CREATE INDEX resources_kind ON resources (workspace_id, kind, member_kind, created_at, id) WHERE member_kind IS NOT NULL;

CREATE INDEX resources_agent ON resources (workspace_id, kind, member_agent_id, created_at, id) WHERE member_agent_id IS NOT NULL;

CREATE INDEX resources_session ON resources (workspace_id, kind, member_session_id, created_at, id) WHERE member_session_id IS NOT NULL;

CREATE INDEX resources_execution ON resources (workspace_id, kind, member_execution_id, created_at, id) WHERE member_execution_id IS NOT NULL;

CREATE INDEX resources_trace ON resources (workspace_id, kind, member_trace_id, created_at, id) WHERE member_trace_id IS NOT NULL;

CREATE INDEX resources_source ON resources (workspace_id, kind, member_source, created_at, id) WHERE member_source IS NOT NULL;

CREATE INDEX resources_data_type ON resources (workspace_id, kind, member_data_type, created_at, id) WHERE member_data_type IS NOT NULL;

CREATE INDEX resources_config ON resources (workspace_id, kind, member_config_id, created_at, id) WHERE member_config_id IS NOT NULL;

CREATE TABLE masked_values (
    workspace_id TEXT NOT NULL,
    trace_id     TEXT NOT NULL,    -- the resource's id
    detector     TEXT NOT NULL,
    agent_id     TEXT NOT NULL,
    created_at   INTEGER NOT NULL, -- the trace's
    n            INTEGER NOT NULL,
    PRIMARY KEY (workspace_id, trace_id, detector),
    FOREIGN KEY (workspace_id, trace_id) REFERENCES resources (workspace_id, id) ON DELETE CASCADE
) STRICT;

CREATE INDEX masked_values_created ON masked_values (workspace_id, created_at);

CREATE INDEX masked_values_agent ON masked_values (workspace_id, agent_id, created_at);

CREATE TABLE workspace_slugs (
    slug         TEXT PRIMARY KEY,
    workspace_id TEXT,            -- NULL: freed
    freed_at     INTEGER NOT NULL -- 0: in use
) STRICT, WITHOUT ROWID;

CREATE TABLE api_key_hashes (
    hash         BLOB PRIMARY KEY, -- SHA-256
    workspace_id TEXT NOT NULL,
    key_id       TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE invitation_tokens (
    hash          BLOB PRIMARY KEY, -- SHA-256
    workspace_id  TEXT NOT NULL,
    invitation_id TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE user_emails (
    email_key TEXT PRIMARY KEY, -- ASCII letters folded
    user_id   TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE user_workspaces (
    user_id              TEXT NOT NULL,
    workspace_id         TEXT NOT NULL,
    workspace_created_at INTEGER NOT NULL,
    role                 TEXT NOT NULL,
    PRIMARY KEY (user_id, workspace_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX user_workspaces_created ON user_workspaces (user_id, workspace_created_at, workspace_id, role);

CREATE TABLE "access_tokens" (
    hash       BLOB PRIMARY KEY, -- SHA-256
    id         TEXT NOT NULL,
    user_id    TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL -- 0: never
) STRICT, WITHOUT ROWID;

CREATE INDEX access_tokens_user ON access_tokens (user_id, created_at, id);

CREATE INDEX access_tokens_id ON access_tokens (id);

CREATE TABLE "members" (
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

CREATE UNIQUE INDEX members_owner ON members (workspace_id) WHERE role = 'owner';

CREATE INDEX members_joined ON members (workspace_id, joined_at, id);

CREATE TABLE "users" (
    id              TEXT PRIMARY KEY,
    email           TEXT NOT NULL,
    name            TEXT NOT NULL,
    workspace_count INTEGER NOT NULL DEFAULT 0,
    created_at      INTEGER NOT NULL
) STRICT;

CREATE TABLE "workspaces" (
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

CREATE TABLE "invitations" (
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

CREATE INDEX invitations_created ON invitations (workspace_id, created_at, id);

CREATE INDEX invitations_pending ON invitations (workspace_id, email_key, expires_at) WHERE status = 'pending';

CREATE TABLE "api_keys" (
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

CREATE INDEX api_keys_created ON api_keys (workspace_id, created_at, id);

CREATE INDEX api_keys_creator ON api_keys (workspace_id, created_by, created_at, id);

CREATE INDEX members_role ON members (workspace_id, role, joined_at, id);

CREATE INDEX invitations_status ON invitations (workspace_id, status, created_at, id);

CREATE INDEX api_keys_expires ON api_keys (workspace_id, expires_at, id) WHERE expires_at > 0;

CREATE INDEX api_keys_used ON api_keys (workspace_id, last_used_at, id);

CREATE INDEX notification_deliveries_status ON notification_deliveries (workspace_id, channel_id, status, sequence);

INSERT INTO schema_versions (version_id, is_applied) VALUES (0, 1);

INSERT INTO schema_versions (version_id, is_applied) VALUES (1, 1);

INSERT INTO schema_versions (version_id, is_applied) VALUES (2, 1);

INSERT INTO schema_versions (version_id, is_applied) VALUES (3, 1);

INSERT INTO schema_versions (version_id, is_applied) VALUES (4, 1);

INSERT INTO schema_versions (version_id, is_applied) VALUES (5, 1);

INSERT INTO schema_versions (version_id, is_applied) VALUES (6, 1);

INSERT INTO schema_versions (version_id, is_applied) VALUES (7, 1);

INSERT INTO schema_versions (version_id, is_applied) VALUES (8, 1);

INSERT INTO schema_versions (version_id, is_applied) VALUES (9, 1);

INSERT INTO schema_versions (version_id, is_applied) VALUES (10, 1);

INSERT INTO schema_versions (version_id, is_applied) VALUES (11, 1);
