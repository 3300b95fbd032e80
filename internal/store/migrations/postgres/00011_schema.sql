-- +goose Up

-- The same schema as that of migration 11 of SQLite. Times are in microseconds since
-- 1970, UTC; 0 is a time that is not set. Texts are compared by their bytes.

CREATE TABLE settings (
    name  TEXT COLLATE "C" PRIMARY KEY,
    value BYTEA NOT NULL
);

CREATE TABLE workspace_slugs (
    slug         TEXT COLLATE "C" PRIMARY KEY,
    workspace_id TEXT COLLATE "C", -- NULL: freed
    freed_at     BIGINT NOT NULL -- 0: in use
);

CREATE TABLE api_key_hashes (
    hash         BYTEA PRIMARY KEY, -- SHA-256
    workspace_id TEXT COLLATE "C" NOT NULL,
    key_id       TEXT COLLATE "C" NOT NULL
);

CREATE TABLE invitation_tokens (
    hash          BYTEA PRIMARY KEY, -- SHA-256
    workspace_id  TEXT COLLATE "C" NOT NULL,
    invitation_id TEXT COLLATE "C" NOT NULL
);

CREATE TABLE user_emails (
    email_key TEXT COLLATE "C" PRIMARY KEY, -- ASCII letters folded
    user_id   TEXT COLLATE "C" NOT NULL
);

CREATE TABLE users (
    id              TEXT COLLATE "C" PRIMARY KEY,
    email           TEXT COLLATE "C" NOT NULL,
    name            TEXT COLLATE "C" NOT NULL,
    workspace_count BIGINT NOT NULL DEFAULT 0,
    created_at      BIGINT NOT NULL
);

CREATE TABLE user_workspaces (
    user_id              TEXT COLLATE "C" NOT NULL,
    workspace_id         TEXT COLLATE "C" NOT NULL,
    workspace_created_at BIGINT NOT NULL,
    role                 TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (user_id, workspace_id)
);
CREATE INDEX user_workspaces_created ON user_workspaces (user_id, workspace_created_at, workspace_id, role);

CREATE TABLE access_tokens (
    hash       BYTEA PRIMARY KEY, -- SHA-256
    id         TEXT COLLATE "C" NOT NULL,
    user_id    TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL -- 0: never
);
CREATE INDEX access_tokens_user ON access_tokens (user_id, created_at, id);
CREATE INDEX access_tokens_id ON access_tokens (id);

CREATE TABLE outcomes (
    principal    TEXT COLLATE "C" NOT NULL,
    workspace_id TEXT COLLATE "C" NOT NULL,
    key_hash     BYTEA NOT NULL, -- SHA-256 of the Idempotency-Key
    fingerprint  BYTEA NOT NULL, -- HMAC of method, path, query and body
    status       BIGINT NOT NULL,
    etag         TEXT COLLATE "C" NOT NULL,
    body         BYTEA, -- NULL: it was secret and has been deleted
    secret       BIGINT NOT NULL, -- 1: body is sealed
    ends_right   BIGINT NOT NULL, -- 1: the request revoked the right to repeat it
    created_at   BIGINT NOT NULL,
    PRIMARY KEY (principal, workspace_id, key_hash)
);
CREATE INDEX outcomes_created ON outcomes (created_at);

CREATE TABLE workspaces (
    id                      TEXT COLLATE "C" PRIMARY KEY,
    name                    TEXT COLLATE "C" NOT NULL,
    slug                    TEXT COLLATE "C" NOT NULL,
    plan                    TEXT COLLATE "C" NOT NULL,
    owner_id                TEXT COLLATE "C" NOT NULL,
    version                 BIGINT NOT NULL,
    created_at              BIGINT NOT NULL,
    updated_at              BIGINT NOT NULL,
    changelog_sequence      BIGINT NOT NULL,
    changelog_hash          TEXT COLLATE "C" NOT NULL,
    changelog_at            BIGINT NOT NULL DEFAULT 0, -- of the newest entry; 0: none yet
    changelog_sorted        BIGINT NOT NULL DEFAULT 1, -- 0: the time of an entry is before that of the previous one
    subscribed_at           BIGINT NOT NULL DEFAULT 0, -- 0: with the workspace
    subscription_version    BIGINT NOT NULL DEFAULT 1,
    subscription_updated_at BIGINT NOT NULL DEFAULT 0, -- 0: with the workspace
    executions_period       BIGINT NOT NULL DEFAULT 0,
    executions_used         BIGINT NOT NULL DEFAULT 0,
    invoiced_until          BIGINT NOT NULL DEFAULT 0, -- 0: not yet
    paid_price              BIGINT NOT NULL DEFAULT 0, -- highest price paid up to invoiced_until, in US cents per month
    balance_micros          BIGINT NOT NULL DEFAULT 0,
    balance_updated_at      BIGINT NOT NULL DEFAULT 0,
    transaction_sequence    BIGINT NOT NULL DEFAULT 0,
    delivery_sequence       BIGINT NOT NULL DEFAULT 0
);

CREATE TABLE counters (
    workspace_id TEXT COLLATE "C" NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    kind         TEXT COLLATE "C" NOT NULL,
    n            BIGINT NOT NULL CHECK (n >= 0),
    PRIMARY KEY (workspace_id, kind)
);

CREATE TABLE members (
    workspace_id   TEXT COLLATE "C" NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    id             TEXT COLLATE "C" NOT NULL,
    user_id        TEXT COLLATE "C" NOT NULL,
    email          TEXT COLLATE "C" NOT NULL, -- copy of the user's
    name           TEXT COLLATE "C" NOT NULL, -- copy of the user's
    search         TEXT COLLATE "C" NOT NULL, -- name and email, folded
    role           TEXT COLLATE "C" NOT NULL CHECK (role IN ('owner', 'admin', 'user')),
    last_active_at BIGINT NOT NULL DEFAULT 0,
    version        BIGINT NOT NULL,
    joined_at      BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, id),
    UNIQUE (workspace_id, user_id)
);
CREATE UNIQUE INDEX members_owner ON members (workspace_id) WHERE role = 'owner';
CREATE INDEX members_joined ON members (workspace_id, joined_at, id);
CREATE INDEX members_role ON members (workspace_id, role, joined_at, id);

CREATE TABLE invitations (
    workspace_id TEXT COLLATE "C" NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    id           TEXT COLLATE "C" NOT NULL,
    email        TEXT COLLATE "C" NOT NULL,
    email_key    TEXT COLLATE "C" NOT NULL,
    role         TEXT COLLATE "C" NOT NULL CHECK (role IN ('admin', 'user')),
    status       TEXT COLLATE "C" NOT NULL CHECK (status IN ('pending', 'accepted', 'revoked')),
    invited_by   TEXT COLLATE "C" NOT NULL,
    token_hash   BYTEA NOT NULL, -- SHA-256
    expires_at   BIGINT NOT NULL,
    version      BIGINT NOT NULL,
    created_at   BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, id)
);
CREATE INDEX invitations_created ON invitations (workspace_id, created_at, id);
CREATE INDEX invitations_pending ON invitations (workspace_id, email_key, expires_at) WHERE status = 'pending';
CREATE INDEX invitations_status ON invitations (workspace_id, status, created_at, id);

CREATE TABLE api_keys (
    workspace_id    TEXT COLLATE "C" NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    id              TEXT COLLATE "C" NOT NULL,
    name            TEXT COLLATE "C" NOT NULL,
    key_hash        BYTEA NOT NULL, -- SHA-256
    prefix          TEXT COLLATE "C" NOT NULL,
    last4           TEXT COLLATE "C" NOT NULL,
    scopes          TEXT COLLATE "C" NOT NULL, -- JSON
    allowed_ips     TEXT COLLATE "C" NOT NULL, -- JSON; null: any address
    allowed_origins TEXT COLLATE "C" NOT NULL, -- JSON; null: any origin
    expires_at      BIGINT NOT NULL,
    last_used_at    BIGINT NOT NULL DEFAULT 0,
    last_used_ip    TEXT COLLATE "C" NOT NULL DEFAULT '',
    rotated_to      TEXT COLLATE "C" NOT NULL,
    overlap_ends_at BIGINT NOT NULL,
    created_by      TEXT COLLATE "C" NOT NULL,
    version         BIGINT NOT NULL,
    created_at      BIGINT NOT NULL,
    revoked_at      BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, id)
);
CREATE INDEX api_keys_created ON api_keys (workspace_id, created_at, id);
CREATE INDEX api_keys_creator ON api_keys (workspace_id, created_by, created_at, id);
CREATE INDEX api_keys_expires ON api_keys (workspace_id, expires_at, id) WHERE expires_at > 0;
CREATE INDEX api_keys_used ON api_keys (workspace_id, last_used_at, id);

CREATE TABLE credentials (
    workspace_id   TEXT COLLATE "C" NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    id             TEXT COLLATE "C" NOT NULL,
    name           TEXT COLLATE "C" NOT NULL,
    search         TEXT COLLATE "C" NOT NULL, -- the name, folded
    type           TEXT COLLATE "C" NOT NULL,
    category       TEXT COLLATE "C" NOT NULL,
    description    TEXT COLLATE "C" NOT NULL,
    value          BYTEA NOT NULL, -- sealed
    masked_content TEXT COLLATE "C" NOT NULL,
    is_default     BIGINT NOT NULL,
    schema_type    TEXT COLLATE "C" NOT NULL,
    is_valid       BIGINT, -- NULL: not known
    version        BIGINT NOT NULL,
    created_at     BIGINT NOT NULL,
    updated_at     BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, id)
);
CREATE INDEX credentials_created ON credentials (workspace_id, created_at, id);
CREATE INDEX credentials_type ON credentials (workspace_id, type, created_at, id);
CREATE INDEX credentials_category ON credentials (workspace_id, category, created_at, id);
CREATE UNIQUE INDEX credentials_default ON credentials (workspace_id, type) WHERE is_default = 1;

CREATE TABLE changelog (
    workspace_id  TEXT COLLATE "C" NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    sequence      BIGINT NOT NULL,
    id            TEXT COLLATE "C" NOT NULL,
    occurred_at   BIGINT NOT NULL,
    action        TEXT COLLATE "C" NOT NULL,
    resource_type TEXT COLLATE "C" NOT NULL,
    resource_id   TEXT COLLATE "C" NOT NULL,
    actor_type    TEXT COLLATE "C" NOT NULL,
    actor_id      TEXT COLLATE "C" NOT NULL,
    document      TEXT COLLATE "C" NOT NULL, -- as it is served
    PRIMARY KEY (workspace_id, sequence),
    UNIQUE (workspace_id, id)
);
CREATE INDEX changelog_resource ON changelog (workspace_id, resource_id, sequence);
CREATE INDEX changelog_type ON changelog (workspace_id, resource_type, sequence);
CREATE INDEX changelog_actor ON changelog (workspace_id, actor_id, sequence);

CREATE TABLE resources (
    workspace_id        TEXT COLLATE "C" NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    id                  TEXT COLLATE "C" NOT NULL,
    kind                TEXT COLLATE "C" NOT NULL,
    parent_id           TEXT COLLATE "C", -- NULL: not nested
    name                TEXT COLLATE "C" NOT NULL,
    search              TEXT COLLATE "C" NOT NULL, -- the name, folded
    status              TEXT COLLATE "C" NOT NULL,
    created_by          TEXT COLLATE "C" NOT NULL,
    version             BIGINT NOT NULL,
    created_at          BIGINT NOT NULL,
    updated_at          BIGINT NOT NULL,
    document            TEXT COLLATE "C" NOT NULL, -- as it is served
    -- The members of the document that lists are filtered by; NULL: not a filter of the kind, or no such text.
    member_name         TEXT COLLATE "C",
    member_type         TEXT COLLATE "C",
    member_kind         TEXT COLLATE "C",
    member_agent_id     TEXT COLLATE "C",
    member_session_id   TEXT COLLATE "C",
    member_execution_id TEXT COLLATE "C",
    member_trace_id     TEXT COLLATE "C",
    member_source       TEXT COLLATE "C",
    member_data_type    TEXT COLLATE "C",
    member_config_id    TEXT COLLATE "C",
    PRIMARY KEY (workspace_id, id),
    FOREIGN KEY (workspace_id, parent_id) REFERENCES resources (workspace_id, id) ON DELETE CASCADE
);
CREATE INDEX resources_created ON resources (workspace_id, kind, coalesce(parent_id, ''), created_at, id);
CREATE INDEX resources_status ON resources (workspace_id, kind, coalesce(parent_id, ''), status, created_at, id);
CREATE INDEX resources_parent ON resources (workspace_id, parent_id) WHERE parent_id IS NOT NULL;
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

CREATE TABLE resource_references (
    workspace_id TEXT COLLATE "C" NOT NULL,
    from_id      TEXT COLLATE "C" NOT NULL,
    to_id        TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (workspace_id, from_id, to_id),
    FOREIGN KEY (workspace_id, from_id) REFERENCES resources (workspace_id, id) ON DELETE CASCADE
);
CREATE INDEX resource_references_to ON resource_references (workspace_id, to_id, from_id);

CREATE TABLE masked_values (
    workspace_id TEXT COLLATE "C" NOT NULL,
    trace_id     TEXT COLLATE "C" NOT NULL, -- the resource's id
    detector     TEXT COLLATE "C" NOT NULL,
    agent_id     TEXT COLLATE "C" NOT NULL,
    created_at   BIGINT NOT NULL, -- the trace's
    n            BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, trace_id, detector),
    FOREIGN KEY (workspace_id, trace_id) REFERENCES resources (workspace_id, id) ON DELETE CASCADE
);
CREATE INDEX masked_values_created ON masked_values (workspace_id, created_at);
CREATE INDEX masked_values_agent ON masked_values (workspace_id, agent_id, created_at);

CREATE TABLE masking_overrides (
    workspace_id TEXT COLLATE "C" NOT NULL,
    agent_id     TEXT COLLATE "C" NOT NULL,
    enabled      BIGINT NOT NULL,
    detectors    TEXT COLLATE "C" NOT NULL, -- JSON; detectors not named are on
    version      BIGINT NOT NULL,
    created_at   BIGINT NOT NULL,
    updated_at   BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, agent_id),
    FOREIGN KEY (workspace_id, agent_id) REFERENCES resources (workspace_id, id) ON DELETE CASCADE
);
CREATE INDEX masking_overrides_created ON masking_overrides (workspace_id, created_at, agent_id);

CREATE TABLE data_masking (
    workspace_id TEXT COLLATE "C" PRIMARY KEY REFERENCES workspaces (id) ON DELETE CASCADE,
    enabled      BIGINT NOT NULL,
    detectors    TEXT COLLATE "C" NOT NULL, -- JSON; detectors not named are on
    version      BIGINT NOT NULL,
    updated_at   BIGINT NOT NULL
);

CREATE TABLE invoices (
    workspace_id TEXT COLLATE "C" NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    id           TEXT COLLATE "C" NOT NULL,
    number       TEXT COLLATE "C" NOT NULL,
    status       TEXT COLLATE "C" NOT NULL,
    lines        TEXT COLLATE "C" NOT NULL, -- JSON
    total        BIGINT NOT NULL, -- US cents
    period_start BIGINT NOT NULL,
    period_end   BIGINT NOT NULL,
    issued_at    BIGINT NOT NULL,
    paid_at      BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, id),
    UNIQUE (workspace_id, number)
);
CREATE INDEX invoices_issued ON invoices (workspace_id, issued_at, id);
CREATE INDEX invoices_status ON invoices (workspace_id, status, issued_at, id);

CREATE TABLE transactions (
    workspace_id         TEXT COLLATE "C" NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    sequence             BIGINT NOT NULL,
    id                   TEXT COLLATE "C" NOT NULL,
    type                 TEXT COLLATE "C" NOT NULL,
    amount_micros        BIGINT NOT NULL,
    balance_after_micros BIGINT NOT NULL,
    description          TEXT COLLATE "C" NOT NULL,
    execution_id         TEXT COLLATE "C" NOT NULL,
    created_at           BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, sequence),
    UNIQUE (workspace_id, id)
);

CREATE TABLE usage_crossings (
    workspace_id TEXT COLLATE "C" NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    limit_key    TEXT COLLATE "C" NOT NULL,
    percent      BIGINT NOT NULL,
    period_start BIGINT NOT NULL,
    crossed_at   BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, limit_key, percent, period_start)
);

CREATE TABLE notification_channels (
    workspace_id     TEXT COLLATE "C" NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    id               TEXT COLLATE "C" NOT NULL,
    name             TEXT COLLATE "C" NOT NULL,
    type             TEXT COLLATE "C" NOT NULL,
    url              BYTEA NOT NULL, -- sealed
    shown_url        TEXT COLLATE "C" NOT NULL, -- scheme and host
    events           TEXT COLLATE "C" NOT NULL, -- JSON; empty: all
    is_active        BIGINT NOT NULL,
    paused_reason    TEXT COLLATE "C" NOT NULL,
    secret           BYTEA, -- sealed; NULL: messages are not signed
    previous_secret  BYTEA, -- sealed; signs until previous_ends_at
    previous_ends_at BIGINT NOT NULL DEFAULT 0,
    failing_since    BIGINT NOT NULL DEFAULT 0, -- 0: the last attempt did not fail
    next_attempt_at  BIGINT NOT NULL DEFAULT 0, -- of the earliest delivery; 0: none pending
    version          BIGINT NOT NULL,
    created_at       BIGINT NOT NULL,
    updated_at       BIGINT NOT NULL,
    claimed_until    BIGINT NOT NULL DEFAULT 0, -- one process at a time sends deliveries; 0: not claimed
    claim_token      TEXT COLLATE "C" NOT NULL DEFAULT '',
    PRIMARY KEY (workspace_id, id)
);
CREATE INDEX notification_channels_created ON notification_channels (workspace_id, created_at, id);
CREATE INDEX notification_channels_due ON notification_channels (next_attempt_at) WHERE next_attempt_at > 0;

CREATE TABLE notification_deliveries (
    workspace_id    TEXT COLLATE "C" NOT NULL,
    sequence        BIGINT NOT NULL,
    id              TEXT COLLATE "C" NOT NULL,
    channel_id      TEXT COLLATE "C" NOT NULL,
    webhook_id      TEXT COLLATE "C" NOT NULL, -- of the first delivery of the event over the channel
    event           TEXT COLLATE "C" NOT NULL,
    body            TEXT COLLATE "C" NOT NULL, -- as it is sent
    status          TEXT COLLATE "C" NOT NULL CHECK (status IN ('pending', 'delivered', 'failed')),
    attempts        TEXT COLLATE "C" NOT NULL, -- JSON
    next_attempt_at BIGINT NOT NULL, -- 0: no further attempt
    created_at      BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, sequence),
    UNIQUE (workspace_id, id),
    FOREIGN KEY (workspace_id, channel_id) REFERENCES notification_channels (workspace_id, id) ON DELETE CASCADE
);
CREATE INDEX notification_deliveries_channel ON notification_deliveries (workspace_id, channel_id, sequence);
CREATE INDEX notification_deliveries_due ON notification_deliveries (workspace_id, channel_id, next_attempt_at, sequence) WHERE next_attempt_at > 0;
CREATE INDEX notification_deliveries_created ON notification_deliveries (created_at);
CREATE INDEX notification_deliveries_status ON notification_deliveries (workspace_id, channel_id, status, sequence);
