-- +goose Up

-- The order of each list that is narrowed by one value.
CREATE INDEX members_role ON members (workspace_id, role, joined_at, id);
CREATE INDEX invitations_status ON invitations (workspace_id, status, created_at, id);
CREATE INDEX api_keys_expires ON api_keys (workspace_id, expires_at, id) WHERE expires_at > 0;
CREATE INDEX api_keys_used ON api_keys (workspace_id, last_used_at, id);
CREATE INDEX notification_deliveries_status ON notification_deliveries (workspace_id, channel_id, status, sequence);
